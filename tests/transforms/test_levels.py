import numpy as np
import pytest
import torch
from torch import nn

from kerckhoffs.keys import Key
from kerckhoffs.transforms.levels import CODES, LEVELS, WINDOW, LevelMap
from tests import keyed

SHAPE = (1, 2, 2)
ORDER = np.random.default_rng(0).permutation(CODES)  # the table's key, so that its argsort is known
TABLE = np.argsort(ORDER)[:LEVELS]


@pytest.fixture
def level_map() -> LevelMap:
    return LevelMap(Key([0.3, -1.0, 2.0, 0.0, *ORDER]), SHAPE, side=2)  # the places 1 and 3


def seen(level_map: LevelMap, value: float) -> list[float]:
    return (level_map(torch.full((1, *SHAPE), value)) * float(TABLE.max())).flatten().tolist()


@pytest.mark.parametrize("level", [0, 1, 100, 254, 255])
def test_a_level_by_hand(level_map, level):
    assert seen(level_map, level / 255) == pytest.approx([level, TABLE[level], level, TABLE[level]], abs=1e-3)


def test_a_value_between_two_levels_counts_as_the_nearest_at_the_chosen_places_and_is_itself_elsewhere(level_map):
    assert seen(level_map, 100.4 / 255) == pytest.approx([100.4, TABLE[100], 100.4, TABLE[100]], abs=1e-3)
    assert seen(level_map, 100.6 / 255) == pytest.approx([100.6, TABLE[101], 100.6, TABLE[101]], abs=1e-3)


@pytest.mark.parametrize(("value", "level"), [(-0.1, 0), (1.1, 255)])
def test_a_value_outside_the_unit_interval_counts_as_its_end_at_the_chosen_places(level_map, value, level):
    assert seen(level_map, value)[1] == pytest.approx(TABLE[level], abs=1e-3)


def test_every_level_has_a_code_of_its_own_and_what_comes_out_stays_in_the_unit_interval(level_map):
    images = (torch.arange(LEVELS) / 255)[:, None, None, None].expand(-1, *SHAPE)
    out = level_map(images)
    assert len(out[:, 0, 0, 1].unique()) == LEVELS
    assert out.min() >= 0
    assert out.max() == 1
    assert torch.allclose(level_map.inverse(out), images, rtol=0, atol=1e-6)


def test_the_inverse_takes_what_is_no_code_for_the_nearest(level_map):
    code = next(code for code in range(1, CODES) if code in TABLE and code - 1 not in TABLE and code - 2 not in TABLE)
    back = level_map.inverse(torch.full((1, *SHAPE), (code - 1) / float(TABLE.max())))
    assert back[0, 0, 0, 1] == pytest.approx(list(TABLE).index(code) / 255)


@pytest.mark.parametrize("level", [0, 3, 100, 250, 255])
def test_the_gradient_is_the_slope_through_the_codes_around(level_map, level):
    image = torch.full((1, *SHAPE), level / 255).requires_grad_()
    (gradient,) = torch.autograd.grad(level_map(image).sum(), image)
    below, above = max(level - WINDOW, 0), min(level + WINDOW, 255)
    slope = (TABLE[above] - TABLE[below]) / ((above - below) / 255) / TABLE.max()
    assert gradient.flatten().tolist() == pytest.approx([255 / TABLE.max(), slope] * 2, rel=1e-5)


def test_a_step_of_the_window_at_the_chosen_places_alone_raises_the_loss():
    """It is the gradient through the table that finds the way: a plain straight-through one (slope 1) does not."""
    shape = (1, 8, 8)
    transform, images = keyed.make("levels-4", shape), keyed.images("levels-4", 256, shape)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.Linear(64, 10)
    labels = layer(transform(images).flatten(1)).argmax(1)

    def loss(inputs: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(layer(transform(inputs).flatten(1)), labels, reduction="none")

    def rise(direction: torch.Tensor) -> float:
        moved = (images + WINDOW / 255 * direction * transform.mask).clamp(0, 1)
        return float((loss(moved) > loss(images)).float().mean())

    inputs = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(inputs).sum(), inputs)
    plain = gradient * transform.slopes[(images * 255).round().long()].sign()  # the slopes' signs taken out again
    assert rise(gradient.sign()) > 0.95
    assert rise(plain.sign()) < 0.75
