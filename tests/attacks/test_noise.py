import pytest
import torch
from torch import nn

from kerckhoffs.attacks import noise
from tests.linear import Linear

GREY = torch.full((40, 1, 5, 6), 0.5)
ZEROS = torch.zeros(40, dtype=torch.int64)


class Never(nn.Module):
    """Class 0, whatever it sees."""

    def forward(self, images):
        return torch.stack([1 + 0 * images.flatten(1).sum(1), 0 * images.flatten(1).sum(1)], 1)


class Bright(nn.Module):
    """Class 1 where the image is brighter than grey."""

    def forward(self, images):
        brightness = (images - 0.5).flatten(1).sum(1)
        return torch.stack([1e-3 - brightness, brightness], 1)


def test_signs_are_as_large_as_they_may_be_and_either_way_as_often():
    moved = noise(Never(), GREY, ZEROS, epsilon=0.2, perturb_all=True) - GREY
    torch.testing.assert_close(moved.abs(), torch.full_like(GREY, 0.2))
    assert (moved > 0).float().mean() == pytest.approx(0.5, abs=0.05)


def test_uniform_noise_fills_the_ball():
    moved = (noise(Never(), GREY, ZEROS, epsilon=0.2, distribution="uniform", perturb_all=True) - GREY) / 0.2
    assert 0.99 < moved.abs().max() <= 1 + 1e-6
    assert moved.abs().mean() == pytest.approx(0.5, abs=0.03)
    assert moved.mean() == pytest.approx(0, abs=0.05)


def test_it_is_the_same_whatever_the_model_is_and_whichever_images_are_misread():
    one = noise(Never(), GREY, ZEROS, perturb_all=True)
    assert torch.equal(one, noise(Linear(torch.randn(2, 30)), GREY, ZEROS, perturb_all=True))
    labels = torch.arange(40) % 2  # every other image is misread from the start, and stays
    found = noise(Bright(), GREY, labels, tries=1)
    changed = (found != GREY).flatten(1).any(1)
    assert changed.any()
    assert not changed[1::2].any()
    assert torch.equal(found[changed], one[changed])


def test_the_first_draw_that_fools_is_kept_and_nothing_is_asked_after_it():
    steps = []
    found = noise(Bright(), GREY, ZEROS, tries=5, on_step=steps.append)
    generator = torch.Generator().manual_seed(0)
    tries = torch.stack([noise(Never(), GREY, ZEROS, perturb_all=True, generator=generator) for _ in range(5)])
    fools = torch.stack([Bright()(each).argmax(1) == 1 for each in tries])  # (5, 40)
    first = fools.int().argmax(0)
    assert first.max() >= 2
    turned = fools.any(0)[:, None, None, None]
    assert torch.equal(found, torch.where(turned, tries[first, range(40)], GREY))
    assert torch.equal(steps[-1].queries, torch.where(fools.any(0), 2 + first, 6))


def test_targeted_only_the_target_is_a_success():
    image, target = GREY[:1], torch.tensor([1])
    assert torch.equal(noise(Never(), image, target, targeted=True, tries=3), image)
    assert Bright()(noise(Bright(), image, target, targeted=True, tries=50)).argmax(1) == 1
