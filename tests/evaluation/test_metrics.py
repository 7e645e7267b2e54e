import math
from statistics import NormalDist

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from kerckhoffs.evaluation.metrics import distances, wilson

GREY = (1, 2, 2)  # (C, H, W)
COLOUR = (3, 2, 2)


def changed(shape: tuple[int, int, int], *changes: tuple[int, int, int, float]) -> torch.Tensor:
    """One black image with some values added: (channel, row, column, value)."""
    image = torch.zeros(1, *shape)
    for channel, row, column, value in changes:
        image[0, channel, row, column] += value
    return image


# Distances


def test_distances_are_those_computed_by_hand():
    found = distances(torch.full((1, *GREY), 0.5), 0.5 + changed(GREY, (0, 0, 0, 0.3), (0, 1, 1, -0.4)))
    assert found.l0.tolist() == [2]
    assert found.l2.tolist() == pytest.approx([0.5])
    assert found.linf.tolist() == pytest.approx([0.4])


def test_each_image_of_a_batch_has_its_own_distances():
    adversarial = torch.cat([changed(GREY), changed(GREY, (0, 0, 1, 1.0)), torch.ones(1, *GREY)])
    found = distances(torch.zeros(3, *GREY), adversarial)
    assert found.l0.tolist() == [0, 1, 4]
    assert found.l2.tolist() == [0, 1, 2]
    assert found.linf.tolist() == [0, 1, 1]


def test_a_pixel_counts_once_whatever_its_channels():
    one_pixel = changed(COLOUR, (0, 1, 0, 0.2), (1, 1, 0, 0.2), (2, 1, 0, 0.1))
    found = distances(torch.zeros(1, *COLOUR), one_pixel)
    assert found.l0.tolist() == [1]
    assert found.l2.tolist() == pytest.approx([0.3])


def test_one_channel_is_enough_for_a_pixel_to_count():
    pixels = changed(COLOUR, (0, 0, 0, 0.2), (1, 0, 1, 0.2), (2, 1, 1, 0.2))
    assert distances(torch.zeros(1, *COLOUR), pixels).l0.tolist() == [3]


@pytest.mark.parametrize(
    ("change", "count"), [(0.0, 0), (1e-4, 0), (-1e-4, 0), (1.01e-4, 1), (-1.01e-4, 1), (1 / 255, 1)]
)
def test_a_pixel_counts_as_changed_only_beyond_a_ten_thousandth(change, count):
    found = distances(torch.zeros(1, *GREY), changed(GREY, (0, 0, 0, change)))
    assert found.l0.tolist() == [count]
    assert found.linf.tolist() == pytest.approx([abs(change)])


def test_changes_too_small_to_count_as_pixels_still_have_a_length():
    found = distances(torch.zeros(1, *GREY), torch.full((1, *GREY), 5e-5))
    assert found.l0.tolist() == [0]
    assert found.l2.tolist() == pytest.approx([1e-4])


def test_distances_are_the_same_in_both_directions():
    images, adversarial = torch.rand(2, 5, *COLOUR, generator=torch.Generator().manual_seed(0))
    there, back = distances(images, adversarial), distances(adversarial, images)
    for one, other in ((there.l0, back.l0), (there.l2, back.l2), (there.linf, back.linf)):
        assert torch.equal(one, other)
        assert one.shape == (5,)


# Wilson's interval


def scipys(wrong: int, total: int, level: float) -> tuple[float, float]:
    interval = binomtest(wrong, total).proportion_ci(confidence_level=level, method="wilson")
    return interval.low, interval.high


@pytest.mark.parametrize(("wrong", "total"), [(10, 1000), (123, 1000), (1, 2), (500, 1000), (999, 1000)])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_the_interval_is_wilsons(wrong, total, level):
    assert wilson(wrong, total, level) == pytest.approx(scipys(wrong, total, level), abs=1e-9)


def test_the_level_is_95_percent_unless_said_otherwise():
    assert wilson(37, 1000) == pytest.approx(scipys(37, 1000, 0.95), abs=1e-9)


@pytest.mark.parametrize("total", [1, 8, 1000])
def test_no_error_among_few_does_not_prove_that_there_is_none(total):
    low, high = wilson(0, total)
    z = NormalDist().inv_cdf(0.975)
    assert low == 0.0
    assert high == pytest.approx(z**2 / (total + z**2))
    assert wilson(total, total) == pytest.approx((1 - high, 1.0))
    assert wilson(total, total)[1] == 1.0


@given(st.integers(1, 5000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_the_interval_lies_in_0_to_1_and_holds_the_share_that_was_seen(counts):
    wrong, total = counts
    low, high = wilson(wrong, total)
    assert 0 <= low <= wrong / total <= high <= 1
    assert low < high


@pytest.mark.parametrize(("wrong", "total"), [(-1, 10), (11, 10), (0, 0), (1, 0), (0, -1), (-2, -1), (math.nan, 10)])
def test_counts_that_cannot_be_are_refused_with_their_values(wrong, total):
    with pytest.raises(ValueError, match=f"between 0 and total, but is {wrong} of {total}"):
        wilson(wrong, total)


@pytest.mark.parametrize("level", [-0.1, 1.5, math.nan])
def test_a_level_that_is_no_share_is_refused_with_its_value(level):
    with pytest.raises(ValueError, match=f"level.*{level}"):
        wilson(1, 10, level)
