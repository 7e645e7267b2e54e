"""Rounding and the median filter, by hand."""

import pytest
import scipy.ndimage
import torch
from torch import Tensor, nn

from kerckhoffs.defences import DEFENCES
from kerckhoffs.defences.squeezing import median, rounded


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


# Rounding


@pytest.mark.parametrize(
    ("bits", "before", "after"),
    [
        (1, [0.0, 0.2, 0.5, 0.500001, 0.8, 1.0], [0, 0, 0, 1, 1, 1]),
        (2, [0.0, 0.16, 0.17, 0.49, 0.51, 0.83, 0.84, 1.0], [0, 0, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 1, 1]),
        (4, [0.0, 0.03, 0.04, 0.5 / 15, 7 / 15, 0.999], [0, 0, 1 / 15, 0, 7 / 15, 1]),
        (1, [-0.3, 1.7], [0, 1]),
    ],
)
def test_a_pixel_becomes_the_nearest_level(bits, before, after):
    row = torch.tensor(before).view(1, 1, 1, -1)
    torch.testing.assert_close(rounded(row, bits).flatten(), torch.tensor(after, dtype=torch.float32))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_there_are_as_many_levels_as_the_bits_say_and_rounding_again_changes_nothing(bits):
    once = rounded(torch.linspace(0, 1, 1001).view(1, 1, 1, -1), bits)
    assert torch.equal(once.unique(), torch.arange(2**bits) / (2**bits - 1))
    assert torch.equal(rounded(once, bits), once)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_the_gradient_of_rounding_is_the_identitys_also_at_the_ends_and_beyond(bits):
    pixels = torch.tensor([-0.1, 0.0, 0.3, 0.5, 1.0, 1.2]).view(1, 1, 1, -1).requires_grad_()
    weights = torch.arange(1.0, 7.0).view(1, 1, 1, -1)
    (gradient,) = torch.autograd.grad((weights * rounded(pixels, bits)).sum(), pixels)
    assert torch.equal(gradient, weights)


@pytest.mark.parametrize(("defence", "bits"), [("binary", 1), ("bits-2", 2), ("bits-4", 4)])
def test_each_defence_rounds_to_its_bits(defence, bits):
    model = DEFENCES[defence].build(nn.Flatten, (1, 4, 5), ())
    assert torch.equal(model.view(images(3, 1, 4, 5)), rounded(images(3, 1, 4, 5), bits))
    assert torch.equal(model(images(3, 1, 4, 5)), rounded(images(3, 1, 4, 5), bits).flatten(1))


# The median


def test_a_median_by_hand():
    image = torch.tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]).view(1, 1, 3, 3) / 10
    # the first corner sees 5 4 5, 2 1 2, 5 4 5; the pixel beside it 4 5 6, 1 2 3, 4 5 6
    expected = torch.tensor([[4.0, 4, 5], [5, 5, 5], [5, 6, 6]]).view(1, 1, 3, 3) / 10
    torch.testing.assert_close(median(image), expected)


def test_it_is_the_median_of_three_by_three_with_the_border_mirrored():
    batch = images(2, 3, 6, 5)
    expected = scipy.ndimage.median_filter(batch.numpy(), size=(1, 1, 3, 3), mode="mirror")
    assert torch.equal(median(batch), torch.from_numpy(expected))


def test_one_bright_pixel_vanishes_and_an_edge_stays():
    image = torch.zeros(1, 1, 7, 7)
    image[..., 3, 3] = 1
    assert float(median(image).sum()) == 0
    image[..., :3] = 1
    assert torch.equal(median(image)[..., :3], image[..., :3])


def test_the_gradient_of_the_median_goes_to_the_pixel_that_it_chose():
    image = images(1, 2, 5, 6).requires_grad_()
    for channel, row, column in ((0, 2, 3), (1, 0, 0), (1, 4, 5)):
        chosen = median(image)[0, channel, row, column]
        (gradient,) = torch.autograd.grad(chosen, image)
        assert float(gradient.sum()) == 1
        assert int((gradient != 0).sum()) == 1
        assert image[gradient != 0].item() == chosen.item()
