import pytest
import torch

from kerckhoffs import data, zoo
from kerckhoffs.attacks import lbfgs
from kerckhoffs.attacks.base import Pursuit
from kerckhoffs.attacks.lbfgs import _Solve
from tests.linear import Linear, boundaries, random_linear, sizes


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("initial_const", [0.01, 1.0, 1000.0])
def test_the_line_search_finds_the_constant_from_either_side(targeted, initial_const):
    model, images = random_linear(classes=2, scale=3.0, count=2)
    predicted = model(images).argmax(1)
    adversarial = lbfgs(
        model, images, 1 - predicted if targeted else predicted, targeted=targeted, initial_const=initial_const
    )
    ratio = sizes(adversarial, images, "l2") / boundaries(model, images, predicted, "l2").amin(1)
    assert 1 - 1e-4 <= ratio.min() <= ratio.max() <= 1.03


@pytest.mark.parametrize("const", [0.5, 5.0])
def test_a_solve_ends_where_the_objective_is_least(const):
    """2 c r = g sigmoid(m - |g| r) along the gradient g: the size of r solves it, by bisection."""
    model, images = random_linear(classes=2, scale=2.0, count=1)
    label = model(images).argmax(1)
    towards = model.weight[1 - label] - model.weight[label]
    slope, margin = float(towards.norm()), float(model(images).diff().abs())
    pursuit = Pursuit(model, images, label, False, None)
    seen = []
    pursuit.report = lambda done, total, trial, rows: seen.append(trial)
    solve = _Solve(model, pursuit, 0, False, const, 0, 50)
    solve.run(50)
    low, high = 0.0, 10.0
    for _ in range(60):
        r = (low + high) / 2
        rising = 2 * const * r > slope * torch.sigmoid(torch.tensor(margin - slope * r)).item()
        low, high = (low, r) if rising else (r, high)
    assert sizes(seen[-1], images, "l2").item() == pytest.approx(r, rel=0.01)
    assert solve.succeeded == (r > margin / slope)


def test_the_box_is_in_the_way():
    """Pixel 0 can rise by 0.1 only: the rest must come from pixel 1."""
    weight = torch.tensor([[0.0, 0.0], [3.0, 1.0]])
    image = torch.tensor([[[[0.9, 0.1]]]])
    model = Linear(weight, torch.tensor([0.0, -2.8 - 0.8]))  # 0.8 short: 0.3 from pixel 0, 0.5 from pixel 1
    adversarial = lbfgs(model, image, torch.tensor([0]))
    assert sizes(adversarial, image, "l2").item() == pytest.approx((0.1**2 + 0.5**2) ** 0.5, rel=0.02)
    assert adversarial.max() <= 1


def test_what_an_iterate_reached_by_chance_does_not_steer_the_search():
    """With c = 1000 the minimiser is 0.0005 away, though the first trial step of L-BFGS goes far."""
    model, images = random_linear(classes=2, scale=1.0, count=1)
    label = model(images).argmax(1)
    solve = _Solve(model, Pursuit(model, images, label, False, None), 0, False, 1000.0, 0, 50)
    solve.run(50)
    assert not solve.succeeded


def test_the_smallest_of_all_iterates_is_kept_on_a_real_model():
    model = zoo.load("mnist-table2-classical")
    images, labels = data.load("mnist", indices=range(2))
    one = sizes(lbfgs(model, images, labels, search_steps=2), images, "l2")
    ten = sizes(lbfgs(model, images, labels, search_steps=6), images, "l2")
    adversarial = lbfgs(model, images, (labels + 1) % 10, targeted=True, search_steps=2)
    assert torch.equal(model(adversarial).argmax(1), (labels + 1) % 10)
    assert (ten <= one).all()
    assert ten.mean() < 0.9 * one.mean()
    assert ten.max() < 2.5


@pytest.mark.parametrize(
    ("first", "tried"),
    [(1.0, [1, 10, 10**0.5, 10**0.75, 10**0.875]), (500.0, [500, 50, 5, 250**0.5, (5 * 250**0.5) ** 0.5])],
)
def test_the_constants_that_are_tried(monkeypatch, first, tried):
    """Those below 7 succeed: the search closes in on it in equal parts of its logarithm."""
    seen = []

    def run(solve, max_iterations):
        seen.append(solve.const)
        solve.succeeded = solve.const < 7

    monkeypatch.setattr(_Solve, "run", run)
    model, images = random_linear(classes=2, count=1)
    lbfgs(model, images, model(images).argmax(1), initial_const=first, search_steps=5)
    assert seen == pytest.approx(tried)
