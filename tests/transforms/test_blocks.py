import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from kerckhoffs.keys import Key
from kerckhoffs.transforms import TRANSFORMS
from kerckhoffs.transforms.blocks import BLOCKS, block_length, block_places
from kerckhoffs.transforms.negation import Negation
from kerckhoffs.transforms.shuffle import Shuffle
from tests import keyed

every_side = pytest.mark.parametrize("side", BLOCKS)


@pytest.fixture(params=[1, 3])
def channels(request):
    return request.param


def shape(channels: int, side: int) -> tuple[int, int, int]:
    return channels, 2 * side, 3 * side


@every_side
def test_the_blocks_cover_an_image_once_and_are_read_as_a_convolution_reads_them(side, channels):
    images = keyed.images("permutation", 2, shape(channels, side))
    places = block_places(shape(channels, side), side)
    assert sorted(places.ravel()) == list(range(images[0].numel()))
    read = nn.functional.unfold(images, side, stride=side).transpose(1, 2)  # (N, blocks, C * M * M)
    assert torch.equal(images.flatten(1)[:, torch.from_numpy(places)], read)


@pytest.mark.parametrize("wrong", [(1, 28, 30), (3, 30, 28), (1, 0, 28)])
def test_an_image_that_is_not_of_whole_blocks_is_refused(wrong):
    for name in [f"{kind}-4" for kind in ("shuffle", "negation", "levels")]:
        with pytest.raises(
            ValueError, match=re.escape(f"images of shape {wrong} are not made of whole blocks of 4 x 4")
        ):
            TRANSFORMS[name].key_length(wrong)


@every_side
def test_every_side_on_offer_divides_the_images_of_mnist(side):
    assert block_length((1, 28, 28), side) == side * side


def test_a_shuffle_by_hand():
    shuffle = Shuffle(Key([0.3, -1.0, 2.0, 0.0]), (1, 2, 4), side=2)  # argsort: 1, 3, 0, 2
    images = torch.tensor([[[[0.0, 1.0, 10.0, 11.0], [2.0, 3.0, 12.0, 13.0]]]])
    assert shuffle(images).tolist() == [[[[1.0, 3.0, 11.0, 13.0], [0.0, 2.0, 10.0, 12.0]]]]


def test_a_shuffle_moves_values_between_channels_and_not_between_blocks():
    shuffle = Shuffle(Key([7.0, 6, 5, 4, 3, 2, 1, 0]), (2, 2, 4), side=2)
    images = torch.arange(16.0).view(1, 2, 2, 4)
    assert shuffle(images)[0, :, :, :2].tolist() == [[[13.0, 12.0], [9.0, 8.0]], [[5.0, 4.0], [1.0, 0.0]]]


def test_a_negation_by_hand():
    negation = Negation(Key([0.3, -1.0, 2.0, 0.0]), (1, 2, 4), side=2)  # the smallest two: the places 1 and 3
    images = torch.full((1, 1, 2, 4), 0.25)
    assert negation(images).tolist() == [[[[0.25, 0.75, 0.25, 0.75], [0.25, 0.75, 0.25, 0.75]]]]


@pytest.mark.parametrize("kind", ["negation", "levels"])
@every_side
def test_half_of_every_block_is_chosen(kind, side, channels):
    transform = keyed.make(f"{kind}-{side}", shape(channels, side))
    chosen = transform.mask.flatten()[torch.from_numpy(block_places(shape(channels, side), side))]
    assert (chosen.sum(1) == side * side * channels // 2).all()
    assert (chosen == chosen[0]).all(), "the same places in all blocks"


@every_side
def test_a_negation_stays_in_the_unit_interval(side):
    seen = keyed.make(f"negation-{side}", shape(3, side))(keyed.images("permutation", 8, shape(3, side)).round())
    assert (seen.min(), seen.max()) == (0, 1)


# What a first convolution absorbs


def absorbed(name: str, convolution: nn.Conv2d, side: int) -> nn.Conv2d:
    """The convolution that answers to plain images as this one does to transformed ones. Kernel of whole blocks."""
    channels, size = convolution.in_channels, convolution.kernel_size[0]
    key = keyed.key(name, shape(channels, side))
    other = nn.Conv2d(channels, convolution.out_channels, size, stride=convolution.stride)
    places = block_places((channels, size, size), side)  # of the kernel
    weight, bias = convolution.weight.detach().flatten(1), convolution.bias.detach().clone()
    new = weight.clone()
    if name.startswith("shuffle"):
        new[:, places[:, key.permutation()]] = weight[:, places]
    else:
        turned = places[:, key.permutation()[: places.shape[1] // 2]].ravel()
        new[:, turned] = -weight[:, turned]
        bias += weight[:, turned].sum(1)
    other.load_state_dict({"weight": new.view_as(convolution.weight), "bias": bias})
    return other


@pytest.mark.parametrize("name", [name for name, entry in TRANSFORMS.items() if entry.absorbable])
@pytest.mark.parametrize("blocks", [1, 2], ids=["one block", "2 x 2 blocks"])
def test_a_convolution_whose_stride_and_kernel_are_whole_blocks_absorbs_what_says_so(name, blocks, channels):
    side = int(name.split("-")[1])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        convolution = nn.Conv2d(channels, 5, blocks * side, stride=side)
    images = keyed.images(name, 4, shape(channels, side))
    behind = convolution(keyed.make(name, shape(channels, side))(images))
    assert not torch.allclose(behind, convolution(images), atol=0.01)
    assert torch.allclose(behind, absorbed(name, convolution, side)(images), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", [name for name, entry in TRANSFORMS.items() if entry.absorbable])
def test_a_convolution_of_stride_one_does_not_absorb_it(name, channels):
    """Its answer to an impulse moves with the impulse; behind the transform it does not."""
    size = shape(channels, int(name.split("-")[1]))
    transform, count = keyed.make(name, size), math.prod(size)
    impulses = torch.eye(count).view(-1, *size)
    change = (transform(impulses) - transform(torch.zeros(1, *size))).view(*size, *size)  # (impulse, what is seen)
    here, beside = change[:, :, :-1, :, :, :-1], change[:, :, 1:, :, :, 1:]
    assert not torch.equal(here, beside)


@pytest.mark.parametrize("name", [name for name, entry in TRANSFORMS.items() if entry.differentiable == "exact"])
def test_a_first_fully_connected_layer_absorbs_every_affine_transform(name):
    size = keyed.SHAPES[name][0]
    transform, images = keyed.make(name, size), keyed.images(name, 4, size)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.Linear(math.prod(size), 5)
    offset = transform(torch.zeros(1, *size)).flatten()
    matrix = transform(torch.eye(math.prod(size)).view(-1, *size)).flatten(1) - offset  # (N, N): a row for each pixel
    weight, bias = layer.weight @ matrix.T, layer.bias + layer.weight @ offset
    behind = layer(transform(images).flatten(1))
    assert torch.allclose(behind, nn.functional.linear(images.flatten(1), weight, bias), rtol=0, atol=1e-5)


def test_the_order_of_a_shuffle_is_the_same_in_every_block():
    transform = keyed.make("shuffle-4", (3, 8, 8))
    places = block_places((3, 8, 8), 4)
    order = transform.order.numpy()[places]
    within = np.array([[list(block).index(value) for value in row] for block, row in zip(places, order, strict=True)])
    assert (within == keyed.key("shuffle-4", (3, 8, 8)).permutation()).all()
