from dataclasses import replace

import pytest
import torch

from kerckhoffs.zoo.train import Recipe, augment
from tests.training import bright_blocks

SHAPE, COUNT = (1, 28, 28), 80
BLOCKS, _ = bright_blocks(COUNT, 0)
IDENTITY = Recipe()


@pytest.fixture
def largest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every random number is 1: rotation, scale and both shifts are the largest of the recipe."""
    monkeypatch.setattr(torch, "rand", lambda count, **kind: torch.ones(count, **kind))


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def test_a_recipe_without_augmentation_returns_the_same_images():
    assert torch.equal(augment(BLOCKS, IDENTITY), BLOCKS)


def test_flip_mirrors_about_half_of_the_images_left_to_right():
    images, _ = bright_blocks(200, 2)
    flipped = augment(images, replace(IDENTITY, flip=True))
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    same = (flipped == images).flatten(1).all(1)
    assert torch.equal(mirrored, ~same)
    assert 60 < int(mirrored.sum()) < 140


def test_the_largest_shift_moves_by_that_many_pixels(largest):
    shifted = augment(BLOCKS, replace(IDENTITY, shift=3))
    torch.testing.assert_close(shifted[:, :, :-3, :-3], BLOCKS[:, :, 3:, 3:], atol=1e-5, rtol=0)
    torch.testing.assert_close(shifted[:, :, -3:], torch.zeros(COUNT, 1, 3, 28), atol=1e-5, rtol=0)


def test_the_largest_rotation_turns_by_that_many_degrees(largest):
    turned = augment(BLOCKS, replace(IDENTITY, rotate=90))
    torch.testing.assert_close(turned, torch.rot90(BLOCKS, 1, (2, 3)), atol=1e-4, rtol=0)


def test_the_largest_change_of_size_is_that_share(largest):
    shrunk = augment(torch.ones(1, *SHAPE), replace(IDENTITY, scale=0.75))
    assert float(shrunk[0, 0, :, 14].sum()) == pytest.approx(28 / 1.75, abs=0.1)
    assert float(shrunk[0, 0, 14].sum()) == pytest.approx(28 / 1.75, abs=0.1)


@pytest.mark.parametrize("options", [{"shift": 4.0}, {"rotate": 30.0}, {"scale": 0.3}], ids=str)
def test_augmented_images_keep_shape_and_range_and_each_is_drawn_on_its_own(options):
    images = torch.cat([torch.ones(8, *SHAPE), BLOCKS[:1].expand(8, *SHAPE)])
    recipe = replace(IDENTITY, flip=True, **options)
    result = augment(images, recipe)
    assert result.shape == images.shape
    assert result.dtype == torch.float32
    assert float(result.min()) >= 0
    assert float(result.max()) <= 1 + 1e-6
    assert len({tuple(image.flatten().tolist()) for image in result[8:]}) == 8


def test_augmentation_draws_from_torchs_generator():
    images, recipe = BLOCKS, Recipe(rotate=10, shift=2, scale=0.1, flip=True)
    torch.manual_seed(5)
    first, second = augment(images, recipe), augment(images, recipe)
    torch.manual_seed(5)
    assert torch.equal(augment(images, recipe), first)
    assert not torch.equal(first, second)
