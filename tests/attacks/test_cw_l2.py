import importlib
import math

import pytest
import torch
from scipy.optimize import LinearConstraint, minimize

from kerckhoffs import data, zoo
from kerckhoffs.attacks import cw_l2
from kerckhoffs.evaluation.judge import Counted
from tests.linear import Linear, boundaries, random_linear, sizes

MODEST = {"solver": "reference", "max_iterations": 500, "learning_rate": 0.01, "initial_const": 0.1}
each_solver = pytest.mark.parametrize("options", [{}, MODEST], ids=["fast", "reference"])


def norms(adversarial, images):
    return sizes(adversarial, images, "l2")


def near_boundaries(classes=5, seed=0):
    """A model, and images in its interior, close enough to a boundary that the box does not matter."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(classes, 9, generator=generator)
    images = 0.5 + 0.1 * torch.randn(12, 1, 3, 3, generator=generator)
    return Linear(weight, -0.5 * weight.sum(1)).requires_grad_(False), images


def leads(model, adversarial, labels):
    """By how much the highest wrong logit is above the true one, (N,)."""
    logits = model(adversarial)
    return logits.scatter(1, labels[:, None], -torch.inf).amax(1) - logits.gather(1, labels[:, None]).squeeze(1)


@each_solver
def test_it_finds_the_boundaries_of_a_linear_model(options):
    """The margin follows the highest other logit, so now and then it ends at a boundary that is not the nearest."""
    model, images = near_boundaries()
    labels = model(images).argmax(1)
    adversarial = cw_l2(model, images, labels, **options)
    reached = model(adversarial).argmax(1)
    size, nearest = norms(adversarial, images), boundaries(model, images, labels, "l2")
    assert (size / nearest.gather(1, reached[:, None]).squeeze(1)).max() <= 1.05
    ratio = size / nearest.amin(1)
    assert ratio.min() >= 1
    assert ratio.quantile(0.75) <= 1.05


@each_solver
def test_it_reaches_a_target_at_the_distance_of_its_boundary(options):
    model, images = near_boundaries(classes=2)
    labels = model(images).argmax(1)
    adversarial = cw_l2(model, images, 1 - labels, targeted=True, **options)
    assert torch.equal(model(adversarial).argmax(1), 1 - labels)
    assert (norms(adversarial, images) / boundaries(model, images, labels, "l2").amin(1)).max() <= 1.05


def test_all_starts_go_a_third_of_the_way_and_the_best_example_goes_on_alone():
    images, labels = data.load("mnist", indices=range(2))
    counted, steps = Counted(zoo.load("mnist-table2-classical")), []
    adversarial = cw_l2(counted, images, labels, iterations=60, starts=3, on_step=steps.append)
    assert counted.calls.gradients == 2 * (3 * 20 + 40)
    assert [(step.done, step.total) for step in steps] == [(done, 60) for done in range(1, 61)]
    assert all((steps[19].best != images).flatten(1).any(1))
    torch.testing.assert_close(steps[20].current, steps[19].best, atol=1e-6, rtol=0)
    assert (norms(adversarial, images) < norms(steps[19].best, images)).all()


@each_solver
def test_it_finds_the_optimum_where_the_box_is_in_the_way(options):
    weight = torch.tensor([[0.0, 0.0, 0.0, 0.0], [3.0, 1.0, -1.0, 2.0]])
    image = torch.tensor([0.9, 0.5, 0.05, 0.0])  # the first pixel can rise by 0.1, the third fall by 0.05
    model = Linear(weight, torch.tensor([0.0, -5.0]))
    adversarial = cw_l2(model, image.view(1, 1, 2, 2), torch.tensor([0]), **options)
    solved = minimize(
        lambda x: ((x - image.numpy()) ** 2).sum(),
        image.numpy(),
        method="SLSQP",
        bounds=[(0, 1)] * 4,
        constraints=LinearConstraint(weight[1].numpy(), lb=5.0),
    )
    assert solved.success
    optimum = math.sqrt(solved.fun)
    assert optimum < float(norms(adversarial, image.view(1, 1, 2, 2))) <= 1.05 * optimum


@each_solver
@pytest.mark.parametrize("confidence", [0.5, 3.0])
def test_the_wrong_class_leads_by_the_confidence(options, confidence):
    model, images = near_boundaries()
    labels = model(images).argmax(1)
    adversarial = cw_l2(model, images, labels, confidence=confidence, **options)
    succeeded = (adversarial != images).flatten(1).any(1)
    assert succeeded.float().mean() > 0.7
    assert leads(model, adversarial, labels)[succeeded].min() >= confidence
    plain = norms(cw_l2(model, images, labels, **options), images)
    assert (norms(adversarial, images)[succeeded] > plain[succeeded]).all()


@each_solver
def test_a_confidence_of_40_is_reached_where_the_model_is_steep(options):
    model, images = random_linear(classes=2, scale=10.0)
    labels = model(images).argmax(1)
    adversarial = cw_l2(model, images, labels, confidence=40.0, **options)
    assert leads(model, adversarial, labels).min() >= 40
    with torch.no_grad():
        slope = (model.weight[0] - model.weight[1]).norm()
        optimum = boundaries(model, images, labels, "l2").amin(1) + 40 / slope
    assert (norms(adversarial, images) / optimum).max() <= 1.05


@each_solver
def test_a_target_is_reached_where_every_other_logit_is_negative(options):
    """Masking the other logits with 0 instead of -inf would see 0 as their maximum, and never succeed."""
    model, images = near_boundaries()
    model.bias = model.bias - 100
    labels = (model(images).argmax(1) + 1) % 5
    adversarial = cw_l2(model, images, labels, targeted=True, **options)
    assert torch.equal(model(adversarial).argmax(1), labels)


def test_the_search_over_c_beats_one_large_c():
    model, images = near_boundaries()
    labels = model(images).argmax(1)
    searched = norms(cw_l2(model, images, labels, **MODEST), images)
    blunt = MODEST | {"initial_const": 1000.0, "binary_search_steps": 1}
    assert searched.median() < 0.95 * norms(cw_l2(model, images, labels, **blunt), images).median()


def test_the_search_over_c_goes_up_tenfold_and_then_halves(monkeypatch):
    """The image is fooled by any c from 5 on."""
    tried = []

    def solve(model, pursuit, start, const, *_):
        tried.append(const.item())
        return const >= 5, False

    monkeypatch.setattr(importlib.import_module("kerckhoffs.attacks.cw_l2"), "_solve", solve)
    model, images = near_boundaries()
    labels = model(images).argmax(1)
    cw_l2(model, images[:1], labels[:1], solver="reference", binary_search_steps=7)
    assert tried == pytest.approx([0.001, 0.01, 0.1, 1.0, 10.0, 5.5, 3.25])


def test_each_sample_decides_alone_when_to_stop():
    """An easy image beside hard ones, and beside one that is misread from the start, is solved as if alone."""
    model, images = near_boundaries(seed=3)
    images[0] = 0.5 + 3 * (images[0] - 0.5)  # farther from every boundary
    labels = model(images).argmax(1)
    labels[5] = (labels[5] + 1) % 5
    together = cw_l2(model, images, labels, **MODEST)
    for index in (0, 4, 5, 11):
        alone = cw_l2(model, images[index : index + 1], labels[index : index + 1], **MODEST)
        torch.testing.assert_close(together[index : index + 1], alone, atol=1e-5, rtol=0)


def test_more_starts_are_never_worse():
    model, images = near_boundaries()
    labels = model(images).argmax(1)
    one, two, four = (norms(cw_l2(model, images, labels, starts=starts), images) for starts in (1, 2, 4))
    assert (two <= one * 1.0001).all()
    assert (four <= two * 1.0001).all()


def test_fast_is_no_larger_than_the_reference_on_a_shipped_classifier():
    images, labels = data.load("mnist", indices=range(4))
    model = zoo.load("mnist-table2-classical")
    generator = torch.Generator().manual_seed(0)
    targets = (labels + torch.randint(1, 10, labels.shape, generator=generator)) % 10
    fast = cw_l2(model, images, targets, targeted=True)
    assert torch.equal(model(fast).argmax(1), targets)
    reference = cw_l2(model, images, targets, targeted=True, solver="reference", max_iterations=200, learning_rate=0.05)
    succeeded = model(reference).argmax(1) == targets
    assert succeeded.sum() >= 3, "solves as short as these leave one image before its first step"
    assert norms(fast, images).median() <= norms(reference, images).where(succeeded, torch.inf).median()


@pytest.mark.parametrize("index", [0, 3])
def test_a_solve_of_the_reference_is_the_plain_loop_to_the_last_bit(index):
    """Equation (5) by torch's autograd and Adam as its paper writes it, in foolbox's order of operations."""
    images, labels = data.load("mnist", indices=[index])
    model, target, const, length = zoo.load("mnist-table2-classical"), (labels + 1) % 10, 5.0, 40
    between = (2 * images - 1) * 0.999999
    start = (between.log1p() - (-between).log1p()) / 2
    origin = start.tanh() / 2 + 0.5
    change, mean, variance = (torch.zeros_like(start) for _ in range(3))
    expected = []
    for step in range(1, length + 1):
        change.requires_grad_(True)
        x = (start + change).tanh() / 2 + 0.5
        expected.append(x.detach())
        logits = model(x.expand(4, -1, -1, -1))[0]  # batches are filled up to four
        others = logits[torch.arange(10) != target].amax()
        loss = (x - origin).square().sum() + const * (others - logits[target]).clamp_min(0).sum()
        (gradient,) = torch.autograd.grad(loss, change)
        mean = 0.9 * mean + (1 - 0.9) * gradient
        variance = 0.999 * variance + (1 - 0.999) * gradient**2
        root = (variance / (1 - 0.999**step)).sqrt()
        change = change.detach() - 0.01 * (mean / (1 - 0.9**step)) / (root + 1e-8)
    steps = []
    options = {"binary_search_steps": 1, "max_iterations": length, "initial_const": const}
    cw_l2(model, images, target, targeted=True, solver="reference", on_step=steps.append, **options)
    assert len(steps) == length
    for step, x in zip(steps, expected, strict=True):
        assert torch.equal(step.current, x), step.done
