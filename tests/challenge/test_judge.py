"""Whether an image counts."""

import dataclasses

import pytest
import torch
from torch import nn

from kerckhoffs.challenge.judge import TOLERANCE, Judge
from tests.challenge.test_rules import GOOD

IMAGES = torch.full((4, 1, 28, 28), 0.5)
LABELS = torch.tensor([0, 0, 1, 0])


class Brightness(nn.Module):
    """Reads class 1 where the first pixel is above 0.55, else class 0."""

    thread_safe = True

    def forward(self, images):
        first = images[:, 0, 0, 0] - 0.55
        return torch.stack([-first, first, torch.full_like(first, -9)], 1)


def judge(**rules):
    return Judge(Brightness(), dataclasses.replace(GOOD, budget=0.1, **rules), IMAGES, LABELS)


def moved(by):
    images = IMAGES.clone()
    images[:, 0, 0, 0] += by
    return images


def test_an_image_counts_if_it_was_read_rightly_lies_within_the_budget_and_is_misread():
    first, second, wrong_before, last = judge().judge(moved(0.08), [0, 1, 2, 3])
    assert [first.counts, second.counts, wrong_before.counts, last.counts] == [True, True, False, True]
    assert (first.position, first.within, first.read_as) == (0, True, 1)
    assert first.distance == pytest.approx(0.08, abs=1e-7)
    assert not any(each.counts for each in judge().judge(moved(0.04), [0, 1, 2, 3]))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_budget_is_exact_but_for_what_float32_rounds(norm):
    within = judge(norm=norm).judge(moved(0.1), [0, 1, 2, 3])
    assert all(each.within for each in within)
    beyond = judge(norm=norm).judge(moved(0.1 + 3 * TOLERANCE), [0, 1, 2, 3])
    assert not any(each.within or each.counts for each in beyond)
    assert {each.read_as for each in beyond} == {None}, "the classifier is not asked"


def test_l2_is_that_of_the_whole_image():
    spread = IMAGES + 0.1 / 28
    [found, *_] = judge(norm="l2").judge(spread, [0, 1, 2, 3])
    assert found.distance == pytest.approx(0.1, abs=1e-6)


def test_images_are_compared_with_the_originals_of_their_positions():
    images = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    found = Judge(Brightness(), GOOD, images, LABELS).judge(images[[2, 0]], [2, 0])
    assert [each.distance for each in found] == [0, 0]


def test_probabilities_are_those_of_float32_whatever_is_switched_on():
    with torch.autocast("cpu"):
        found = judge().probabilities(IMAGES)
    assert torch.equal(found, Brightness()(IMAGES).softmax(1))
