import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kerckhoffs import data, zoo
from kerckhoffs.attacks import jsma
from kerckhoffs.attacks.jsma import best_pair
from tests.linear import Linear, sizes


def by_trying_all(a, b, candidates):
    """The value of the best pair of one image, straight from the publication."""
    best = 0.0
    free = candidates.nonzero().flatten().tolist()
    for p in free:
        for q in free:
            alpha, beta = float(a[p] + a[q]), float(b[p] + b[q])
            if p != q and alpha > 0 > beta:
                best = max(best, -alpha * beta)
    return best


whole = st.integers(-4, 4).map(float)
rows = st.lists(st.tuples(whole, whole, st.booleans()), min_size=1, max_size=12)


@given(rows)
def test_the_best_pair_is_the_best_of_all_pairs(numbers):
    a, b, candidates = (torch.tensor(each) for each in zip(*numbers, strict=True))
    candidates = candidates.bool()
    pair, value = best_pair(a[None], b[None], candidates[None])
    assert value.item() == by_trying_all(a, b, candidates)
    if value > 0:
        p, q = pair[0].tolist()
        assert p != q
        assert candidates[[p, q]].all()
        assert -float(a[p] + a[q]) * float(b[p] + b[q]) == value.item()


def test_each_image_of_a_batch_has_its_own_pair():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 5, 40, generator=generator)
    candidates = torch.rand(5, 40, generator=generator) < 0.7
    pairs, values = best_pair(a, b, candidates)
    for row in range(5):
        assert values[row].item() == pytest.approx(by_trying_all(a[row], b[row], candidates[row]))
        alone, _ = best_pair(a[row : row + 1], b[row : row + 1], candidates[row : row + 1])
        assert alone[0].sort().values.tolist() == pairs[row].sort().values.tolist()


WEIGHT = torch.tensor([[-1.0, 0.0, -2.0, 0.5], [1.0, 3.0, 2.0, -2.0], [0.0, -1.0, 0.5, 1.0]])


def first_step(label, targeted, outputs="logits", **options):
    """What the first step changes, (4,)."""
    seen = []
    image = torch.full((1, 1, 1, 4), 0.5)
    model = Linear(WEIGHT, torch.tensor([9.0, 0.0, 0.0]))
    jsma(
        model,
        image,
        torch.tensor([label]),
        targeted=targeted,
        outputs=outputs,
        gamma=1.0,
        on_step=lambda step: seen.append(step.current - image),
        **options,
    )
    return seen[0].flatten().tolist()


def test_the_first_pair_by_hand():
    """For class 1: a = (1, 3, 2, -2), b = (-1, -1, -1.5, 1.5): the pairs score 8, 7.5, none; 12.5; 0, none."""
    assert first_step(1, True, theta=0.2) == pytest.approx([0.0, 0.2, 0.2, 0.0])


def test_darker_pixels_by_hand():
    """For class 2, downwards: a = (0, 1, -0.5, -1), b = (0, 3, 0, -1.5): -(0 + 1) (0 + 3) and so on; no pair helps.
    For class 0: a = (1, 0, 2, -0.5), b = (1, 2, 2.5, -1): none. For class 1 pixel 3 is the only one with a > 0 > b:
    a = (-1, -3, -2, 2), b = (1, 1, 1.5, -1.5), and with pixel 0 the pair scores 1 * 0.5."""
    assert first_step(1, True, theta=0.2, direction="darker") == pytest.approx([-0.2, 0.0, 0.0, -0.2])


@pytest.mark.parametrize("outputs", ["probabilities", "logits"])
def test_the_map_of_probabilities_is_the_gradient_of_the_log_odds(outputs):
    """Class 0 leads by far, so only dZ_1 - dZ_0 = (2, 3, 1, 0) counts: pixels 0 and 1. The logits' map differs: of
    a = (1, 3, 1, 0) and the others' b = (-1, 0.5, -1, -1) the pair of 0 and 2 has the most, 2 * 2 = 4."""
    weight = torch.tensor([[-1.0, 0.0, 0.0, 0.0], [1.0, 3.0, 1.0, 0.0], [0.0, 0.5, -1.0, -1.0]])
    model, image = Linear(weight, torch.tensor([30.0, 0.0, -30.0])), torch.full((1, 1, 1, 4), 0.5)
    options = {"targeted": True, "theta": 0.25, "gamma": 0.5, "outputs": outputs, "perturb_all": True}
    moved = jsma(model, image, torch.tensor([1]), **options) - image
    expected = [0.25, 0.25, 0.0, 0.0] if outputs == "probabilities" else [0.25, 0.0, 0.25, 0.0]
    assert moved.flatten().tolist() == pytest.approx(expected)


def test_both_directions_take_the_better_pair():
    assert first_step(1, True, theta=0.2, direction="both") == pytest.approx([0.0, 0.2, 0.2, 0.0])


def test_untargeted_the_roles_are_exchanged():
    """Away from class 0: a = (1, 0, 2, -0.5), b = (-1, -2, -2.5, 1): 0 and 2 score 10.5, 1 and 2 score 9."""
    assert first_step(0, False, theta=0.2) == pytest.approx([0.2, 0.0, 0.2, 0.0])


def test_what_has_reached_its_end_is_no_candidate():
    model = Linear(torch.tensor([[0.0, 0.0, 0.0], [3.0, 2.0, 1.0], [-1.0, -1.0, -1.0]]), torch.tensor([20.0, 0.0, 0.0]))
    image = torch.tensor([[[[1.0, 0.5, 0.5]]]])
    moved = jsma(model, image, torch.tensor([1]), targeted=True, gamma=1.0, perturb_all=True)
    assert torch.equal(moved, torch.ones(1, 1, 1, 3))
    steps = []
    jsma(model, image, torch.tensor([1]), targeted=True, gamma=1.0, theta=0.1, on_step=steps.append)
    torch.testing.assert_close(steps[-1].current, torch.tensor([[[[1.0, 0.6, 0.6]]]]))
    assert steps[-1].total == 1, "3 pixels are one pair"


@pytest.mark.parametrize(("gamma", "pixels"), [(0.0, 0), (0.1, 2), (0.5, 12), (1.0, 24)])
def test_gamma_bounds_the_pixels_of_all_channels(gamma, pixels):
    generator = torch.Generator().manual_seed(0)
    model = Linear(torch.randn(3, 75, generator=generator), torch.tensor([1000.0, 0.0, 0.0]))
    image = torch.full((1, 3, 5, 5), 0.5)
    moved = jsma(model, image, torch.tensor([0]), gamma=gamma, direction="both", perturb_all=True)
    assert (moved != image).sum() == pixels
    assert sizes(moved, image, "l0") <= gamma * 25


def test_it_turns_digits_within_the_papers_budget():
    model = zoo.load("mnist-table1-classical")
    images, labels = data.load("mnist", indices=range(8))
    targets = (labels + 1) % 10
    found = jsma(model, images, targets, targeted=True)
    assert (model(found).argmax(1) == targets).sum() >= 7
    assert sizes(found, images, "l0").max() <= 0.145 * 784
    assert (found >= images).all()
    away = jsma(model, images, labels)
    assert (model(away).argmax(1) != labels).all()
