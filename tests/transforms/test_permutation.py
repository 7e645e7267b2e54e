import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kerckhoffs.keys import Key
from kerckhoffs.transforms import TRANSFORMS, Permutation
from kerckhoffs.transforms.plane_permutation import ChannelPermutation, PixelPermutation
from tests.keyed import make

SHAPES = [(1, 28, 28), (3, 4, 6), (1, 5, 2)]

every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_permutation = pytest.mark.parametrize("name", [name for name in TRANSFORMS if name.startswith("permutation")])
small_shapes = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)).filter(lambda s: s[1] * s[2] > 1)


def random_images(count: int, shape: tuple[int, int, int], seed: int = 0) -> torch.Tensor:
    """Multiples of 1/16, so that sums of their squares are exact in float32."""
    return torch.randint(17, (count, *shape), generator=torch.Generator().manual_seed(seed)) / 16


# What all permutations have in common: values move, and nothing else


@every_permutation
@given(shape=small_shapes, seed=st.integers(0, 2**31))
def test_the_inverse_is_exact_to_the_last_bit(name, shape, seed):
    images, transform = torch.rand(3, *shape, generator=torch.Generator().manual_seed(seed)), make(name, shape)
    assert torch.equal(transform.inverse(transform(images)), images)
    assert torch.equal(transform(transform.inverse(images)), images)


@every_permutation
@every_shape
def test_a_batch_of_one_is_treated_like_a_batch_of_eight_to_the_last_bit(name, shape):
    images, transform = random_images(8, shape), make(name, shape)
    assert torch.equal(torch.cat([transform(image[None]) for image in images]), transform(images))


def test_a_permutation_by_hand():
    permutation = Permutation(Key([0.3, -1.0, 2.0, 0.0]), (1, 2, 2))  # argsort: 1, 3, 0, 2
    images = torch.tensor([[[[10.0, 11.0], [12.0, 13.0]]], [[[0.0, 1.0], [2.0, 3.0]]]])
    assert permutation(images).tolist() == [[[[11.0, 13.0], [10.0, 12.0]]], [[[1.0, 3.0], [0.0, 2.0]]]]
    assert permutation.inverse(images).tolist() == [[[[12.0, 10.0], [13.0, 11.0]]], [[[2.0, 0.0], [3.0, 1.0]]]]


def test_a_permutation_moves_values_between_channels():
    permutation = Permutation(Key([1.0, 0.0]), (2, 1, 1))
    assert permutation(torch.tensor([[[[5.0]], [[6.0]]]])).flatten().tolist() == [6.0, 5.0]


def test_an_ordered_key_changes_nothing():
    images = random_images(2, (3, 4, 6))
    assert torch.equal(Permutation(Key(range(72)), (3, 4, 6))(images), images)


@every_permutation
@every_shape
def test_a_permutation_keeps_the_values_of_every_image(name, shape):
    images = random_images(8, shape)
    permuted = make(name, shape)(images)
    assert torch.equal(permuted.flatten(1).sort(1).values, images.flatten(1).sort(1).values)


@every_permutation
@given(shape=small_shapes, seed=st.integers(0, 2**31))
def test_a_permutation_keeps_l0_l2_and_linf_distances(name, shape, seed):
    first, second = random_images(3, shape, seed), random_images(3, shape, seed + 1)
    permutation = make(name, shape)
    before = (first - second).flatten(1)
    after = (permutation(first) - permutation(second)).flatten(1)
    assert torch.equal((after != 0).sum(1), (before != 0).sum(1))
    assert torch.equal(after.square().sum(1), before.square().sum(1))
    assert torch.equal(after.abs().amax(1), before.abs().amax(1))


@every_permutation
@every_shape
def test_the_gradient_of_a_weighted_sum_is_the_inverse_permutation_of_the_weights(name, shape):
    images, weights = random_images(2, shape).requires_grad_(), random_images(2, shape, seed=1)
    permutation = make(name, shape)
    (gradient,) = torch.autograd.grad((weights * permutation(images)).sum(), images)
    assert torch.equal(gradient, permutation.inverse(weights))


def test_a_permutation_needs_a_value_for_every_entry_of_an_image():
    assert TRANSFORMS["permutation"].key_length((3, 4, 6)) == 72


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(1, 1, 3, 3\)"):
        make("permutation", (1, 2, 2))(torch.zeros(1, 1, 3, 3))


# One order for all channels, or one for each


def test_a_permutation_of_whole_pixels_by_hand():
    permutation = PixelPermutation(Key([0.3, -1.0, 2.0, 0.0]), (2, 2, 2))  # argsort: 1, 3, 0, 2
    images = torch.arange(8.0).view(1, 2, 2, 2)
    assert permutation(images).tolist() == [[[[1.0, 3.0], [0.0, 2.0]], [[5.0, 7.0], [4.0, 6.0]]]]


def test_a_permutation_of_each_channel_by_hand():
    permutation = ChannelPermutation(Key([0.3, -1.0, 2.0, 0.0, 4.0, 3.0, 2.0, 1.0]), (2, 2, 2))
    images = torch.arange(8.0).view(1, 2, 2, 2)
    assert permutation(images).tolist() == [[[[1.0, 3.0], [0.0, 2.0]], [[7.0, 6.0], [5.0, 4.0]]]]


def test_the_keys_of_colour_images_are_as_long_as_their_orders_need():
    lengths = {name: TRANSFORMS[name].key_length((3, 4, 6)) for name in TRANSFORMS if name.startswith("permutation")}
    assert lengths == {"permutation": 72, "permutation-pixels": 24, "permutation-channels": 72}


def test_on_one_channel_all_permutations_are_the_same():
    images = random_images(2, (1, 5, 6))
    for name in ("permutation-pixels", "permutation-channels"):
        assert torch.equal(make(name, (1, 5, 6))(images), make("permutation", (1, 5, 6))(images))
        assert TRANSFORMS[name].entropy_bits((1, 5, 6)) == TRANSFORMS["permutation"].entropy_bits((1, 5, 6))
