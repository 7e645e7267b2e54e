import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kerckhoffs import transforms
from kerckhoffs.keys import Key
from kerckhoffs.transforms import TRANSFORMS, Permutation

SHAPES = [(1, 28, 28), (3, 4, 6), (1, 5, 2)]

every_transform = pytest.mark.parametrize("name", list(TRANSFORMS))
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
small_shapes = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)).filter(lambda s: math.prod(s) > 1)


def make(name: str, shape: tuple[int, int, int], context: str = "first key") -> torch.nn.Module:
    length = TRANSFORMS[name].key_length(shape)
    return transforms.make(name, Key.derive(bytes(32), length, context), shape)


def random_images(count: int, shape: tuple[int, int, int], seed: int = 0) -> torch.Tensor:
    """Multiples of 1/16, so that sums of their squares are exact in float32."""
    return torch.randint(17, (count, *shape), generator=torch.Generator().manual_seed(seed)) / 16


# What every transform promises


@every_transform
@every_shape
def test_shape_and_type_are_kept(name, shape):
    images = random_images(8, shape)
    transformed = make(name, shape)(images)
    assert transformed.shape == images.shape
    assert transformed.dtype == images.dtype


@every_transform
@every_shape
def test_the_same_key_gives_the_same_result(name, shape):
    images = random_images(8, shape)
    assert torch.equal(make(name, shape)(images), make(name, shape)(images))


@every_transform
@every_shape
def test_another_key_gives_another_result(name, shape):
    images = random_images(8, shape)
    assert not torch.equal(make(name, shape)(images), make(name, shape, "second key")(images))


@every_transform
@every_shape
def test_a_batch_of_one_is_treated_like_a_batch_of_eight(name, shape):
    images, transform = random_images(8, shape), make(name, shape)
    one_by_one = torch.cat([transform(image[None]) for image in images])
    assert torch.equal(one_by_one, transform(images))


@every_transform
@every_shape
def test_the_input_is_not_changed(name, shape):
    images = random_images(8, shape)
    before = images.clone()
    make(name, shape)(images).mul_(0)
    assert torch.equal(images, before)


@every_transform
@every_shape
def test_gradients_reach_every_pixel(name, shape):
    images = random_images(2, shape).requires_grad_()
    (gradient,) = torch.autograd.grad(make(name, shape)(images).sum(), images)
    assert (gradient != 0).all()


@every_transform
@given(shape=small_shapes, seed=st.integers(0, 2**31))
def test_the_inverse_is_exact_both_ways_where_it_is_claimed(name, shape, seed):
    if not TRANSFORMS[name].invertible:
        pytest.skip(f"{name} does not claim to be invertible")
    images, transform = torch.rand(3, *shape, generator=torch.Generator().manual_seed(seed)), make(name, shape)
    assert torch.equal(transform.inverse(transform(images)), images)
    assert torch.equal(transform(transform.inverse(images)), images)


@every_transform
@pytest.mark.parametrize("difference", [-1, 1])
def test_a_key_of_the_wrong_length_is_refused_with_both_lengths(name, difference):
    needed = TRANSFORMS[name].key_length((1, 28, 28))
    sentence = rf"has {needed + difference} values, but images of shape \(1, 28, 28\) need {needed}$"
    with pytest.raises(ValueError, match=sentence):
        transforms.make(name, Key.generate(needed + difference), (1, 28, 28))


@every_transform
def test_nothing_of_the_key_is_in_the_state_or_among_the_parameters(name):
    transform = make(name, (1, 28, 28))
    assert dict(transform.state_dict()) == {}
    assert list(transform.parameters()) == []


@every_transform
def test_printing_shows_the_fingerprint_and_nothing_else_of_the_key(name):
    key = Key.derive(bytes(32), TRANSFORMS[name].key_length((1, 28, 28)), "first key")
    shown = repr(transforms.make(name, key, (1, 28, 28)))
    assert key.fingerprint in shown
    assert not re.search(r"\d", shown.replace(key.fingerprint, ""))


@every_transform
def test_the_registry_names_each_transform_by_its_id(name):
    entry = TRANSFORMS[name]
    assert entry.id == name
    assert entry.name
    assert entry.summary
    assert entry.source


def test_an_unknown_transform_is_refused_with_its_name():
    with pytest.raises(ValueError, match="unknown transform 'rotation'; choose one of: permutation"):
        transforms.make("rotation", Key.generate(4), (1, 2, 2))


# The permutation


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


@every_shape
def test_a_permutation_keeps_the_values_of_every_image(shape):
    images = random_images(8, shape)
    permuted = make("permutation", shape)(images)
    assert torch.equal(permuted.flatten(1).sort(1).values, images.flatten(1).sort(1).values)


@given(shape=small_shapes, seed=st.integers(0, 2**31))
def test_a_permutation_keeps_l0_l2_and_linf_distances(shape, seed):
    first, second = random_images(3, shape, seed), random_images(3, shape, seed + 1)
    permutation = make("permutation", shape)
    before = (first - second).flatten(1)
    after = (permutation(first) - permutation(second)).flatten(1)
    assert torch.equal((after != 0).sum(1), (before != 0).sum(1))
    assert torch.equal(after.square().sum(1), before.square().sum(1))
    assert torch.equal(after.abs().amax(1), before.abs().amax(1))


@every_shape
def test_the_gradient_of_a_weighted_sum_is_the_inverse_permutation_of_the_weights(shape):
    images, weights = random_images(2, shape).requires_grad_(), random_images(2, shape, seed=1)
    permutation = make("permutation", shape)
    (gradient,) = torch.autograd.grad((weights * permutation(images)).sum(), images)
    assert torch.equal(gradient, permutation.inverse(weights))


def test_a_permutation_needs_a_value_for_every_entry_of_an_image():
    assert TRANSFORMS["permutation"].key_length((3, 4, 6)) == 72


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(1, 1, 3, 3\)"):
        make("permutation", (1, 2, 2))(torch.zeros(1, 1, 3, 3))
