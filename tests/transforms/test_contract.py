"""What every registered transform promises."""

import copy
import re
from itertools import permutations, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from kerckhoffs import transforms
from kerckhoffs.keys import Key
from kerckhoffs.transforms import TRANSFORMS
from tests import keyed

every_transform = pytest.mark.parametrize("name", list(TRANSFORMS))
every_case = pytest.mark.parametrize(("name", "shape"), keyed.CASES, ids=str)
TOLERANCE = 1e-5


def close(first: Tensor, second: Tensor) -> bool:
    return first.dtype == second.dtype and torch.allclose(first, second, rtol=0, atol=TOLERANCE)


def distances(first: Tensor, second: Tensor) -> dict[str, Tensor]:
    difference = (first - second).flatten(1)
    return {
        "l0": (difference.abs() > TOLERANCE).sum(1).float(),
        "l2": difference.double().square().sum(1).sqrt().float(),
        "linf": difference.abs().amax(1),
    }


@every_transform
def test_each_is_tried_with_one_channel_and_with_three(name):
    assert {shape[0] for shape in keyed.SHAPES[name]} == {1, 3}


@every_transform
def test_the_registry_names_each_by_its_id_and_leaves_nothing_unsaid(name):
    entry = TRANSFORMS[name]
    assert entry.id == name
    for field in ("name", "summary", "absorbed_by", "keyless_attack", "source"):
        assert getattr(entry, field), field
    assert set(entry.keeps) <= {"l0", "l2", "linf"}
    assert len({each.name for each in TRANSFORMS.values()}) == len(TRANSFORMS)


@every_case
def test_shape_and_type_are_kept(name, shape):
    transform = keyed.make(name, shape)
    for dtype in (torch.float32, torch.float64):
        seen = transform(keyed.images(name, 8, shape).to(dtype))
        assert (seen.shape, seen.dtype) == ((8, *shape), dtype)


@every_transform
def test_all_of_it_moves_to_the_device(name):
    shape = keyed.SHAPES[name][0]
    moved = copy.deepcopy(keyed.make(name, shape)).to("meta")
    assert moved(torch.empty(2, *shape, device="meta")).device.type == "meta"


@every_case
def test_the_same_key_gives_the_same_result(name, shape):
    images = keyed.images(name, 8, shape)
    again = transforms.make(name, keyed.key(name, shape), shape)
    assert torch.equal(again(images), keyed.make(name, shape)(images))


@every_case
def test_another_key_gives_another_result(name, shape):
    images = keyed.images(name, 8, shape)
    seen, other = keyed.make(name, shape)(images), keyed.make(name, shape, "second key")(images)
    assert ((seen - other).abs().flatten(1).amax(1) > 0.01).all()


@every_case
def test_a_batch_of_one_is_treated_like_a_batch_of_eight(name, shape):
    images, transform = keyed.images(name, 8, shape), keyed.make(name, shape)
    assert close(torch.cat([transform(image[None]) for image in images]), transform(images))


@every_case
def test_the_layout_in_memory_changes_nothing(name, shape):
    images, transform = keyed.images(name, 8, shape), keyed.make(name, shape)
    seen = transform(images)
    apart = torch.stack([images, images], dim=-1)[..., 0]
    turned = images.transpose(2, 3).contiguous().transpose(2, 3)
    channels_last = images.to(memory_format=torch.channels_last)
    assert not apart.is_contiguous()
    assert not turned.is_contiguous()
    for laid in (apart, turned, channels_last):
        assert close(transform(laid), seen)
        if TRANSFORMS[name].invertible:
            assert close(transform.inverse(laid), transform.inverse(images))


@every_case
def test_the_input_is_not_changed(name, shape):
    images = keyed.images(name, 8, shape)
    before = images.clone()
    keyed.make(name, shape)(images).mul_(0)
    assert torch.equal(images, before)


@every_case
def test_an_empty_batch_passes(name, shape):
    assert keyed.make(name, shape)(torch.zeros(0, *shape)).shape == (0, *shape)


@settings(max_examples=10)
@every_case
@given(seed=st.integers(0, 2**31))
def test_the_inverse_is_exact_both_ways_where_it_is_claimed(name, shape, seed):
    transform = keyed.make(name, shape)
    assert TRANSFORMS[name].invertible == hasattr(transform, "inverse")
    if TRANSFORMS[name].invertible:
        images = keyed.images(name, 3, shape, seed)
        seen = transform(images)
        assert close(transform.inverse(seen), images)
        assert close(transform(transform.inverse(seen)), seen)


@settings(max_examples=10)
@every_case
@given(seed=st.integers(0, 2**31))
def test_the_distances_that_are_claimed_are_kept(name, shape, seed):
    transform, first = keyed.make(name, shape), keyed.images(name, 6, shape, seed)
    other = keyed.images(name, 6, shape, seed + 1)
    sparse = torch.rand(first.shape, generator=torch.Generator().manual_seed(seed)) < 0.2
    second = torch.where(sparse, other, first)
    before, after = distances(first, second), distances(transform(first), transform(second))
    for distance in TRANSFORMS[name].keeps:
        assert close(after[distance], before[distance]), distance


@every_case
def test_the_distances_that_are_not_claimed_have_a_counterexample(name, shape):
    transform, pixels = keyed.make(name, shape), keyed.images(name, 1, shape).numel()
    first = torch.zeros(pixels, *shape)
    second = torch.eye(pixels).view(-1, *shape)  # one pixel apart, each pixel in turn
    before, after = distances(first, second), distances(transform(first), transform(second))
    changed = {name for name in before if ((after[name] - before[name]).abs() > 0.01).any()}
    assert changed == {"l0", "l2", "linf"} - set(TRANSFORMS[name].keeps)


@every_case
def test_gradients_reach_every_pixel(name, shape):
    images = keyed.images(name, 2, shape).requires_grad_()
    weights = torch.rand(images.shape, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((weights * keyed.make(name, shape)(images)).sum(), images)
    assert (gradient != 0).all()


@every_case
def test_gradients_are_those_of_finite_differences_where_they_are_exact(name, shape):
    if TRANSFORMS[name].differentiable == "exact":
        images = keyed.images(name, 1, shape).double().requires_grad_()
        assert torch.autograd.gradcheck(keyed.make(name, shape), images, fast_mode=True)


@every_case
def test_a_step_along_the_sign_of_the_gradient_raises_the_loss(name, shape):
    transform, images = keyed.make(name, shape), keyed.images(name, 64, shape).requires_grad_()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(transform, nn.Flatten(), nn.Linear(images[0].numel(), 10))
    labels = model(images).argmax(1)
    before = nn.functional.cross_entropy(model(images), labels, reduction="none")
    (gradient,) = torch.autograd.grad(before.sum(), images)
    after = nn.functional.cross_entropy(model(images + 8 / 255 * gradient.sign()), labels, reduction="none")
    assert (after > before).float().mean() > 0.9


@every_transform
@pytest.mark.parametrize("difference", [-1, 1])
def test_a_key_of_the_wrong_length_is_refused_with_both_lengths(name, difference):
    shape = keyed.SHAPES[name][0]
    needed = TRANSFORMS[name].key_length(shape)
    sentence = rf"has {needed + difference} values, but images of shape {re.escape(str(shape))} need {needed}$"
    with pytest.raises(ValueError, match=sentence):
        transforms.make(name, Key.generate(needed + difference), shape)


@every_transform
def test_a_shape_that_it_does_not_fit_is_refused_alike_by_all_that_ask(name):
    entry = TRANSFORMS[name]
    for shape in [*keyed.CANDIDATES, (1, 1, 3), (3, 33, 33)]:
        if not keyed.fits(name, shape):
            for ask in (entry.key_length, entry.entropy_bits, lambda shape: entry.make(Key([0.0, 1.0]), shape)):
                with pytest.raises(ValueError, match=rf"^images of shape {re.escape(str(shape))} [^.\n]+$"):
                    ask(shape)


@every_case
def test_images_of_another_shape_are_refused_both_ways(name, shape):
    transform = keyed.make(name, shape)
    for wrong in [(1, *shape[:2], shape[2] + 1), shape, (1, shape[0], shape[2], shape[1])]:
        for ask in (transform, *([transform.inverse] if TRANSFORMS[name].invertible else [])):
            with pytest.raises(ValueError, match=re.escape(f"was given {wrong}")):
                ask(torch.zeros(wrong))


@every_case
def test_nothing_of_the_key_is_in_the_state_or_among_the_parameters(name, shape):
    transform = keyed.make(name, shape)
    assert dict(transform.state_dict()) == {}
    assert list(transform.parameters()) == []


@every_case
def test_printing_shows_the_fingerprint_and_nothing_else_of_the_key(name, shape):
    fingerprint = keyed.key(name, shape).fingerprint
    shown = repr(keyed.make(name, shape))
    assert fingerprint in shown
    assert not re.search(r"\d", shown.replace(fingerprint, ""))


@every_case
def test_several_threads_may_ask_at_a_time_and_the_class_says_so_itself(name, shape):
    assert vars(type(keyed.make(name, shape)))["thread_safe"] is True


# What a key is worth


@every_case
def test_no_transform_claims_more_entropy_than_its_key_has(name, shape):
    entry = TRANSFORMS[name]
    assert 0 < entry.entropy_bits(shape) <= Key.generate(entry.key_length(shape)).entropy_bits


@every_case
def test_a_key_from_a_short_secret_is_worth_no_more_than_the_secret(name, shape):
    entry = TRANSFORMS[name]
    key = Key.derive(bytes(16), entry.key_length(shape), "short")
    assert entry.entropy_behind(key, shape) == min(128, entry.entropy_bits(shape))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("permutation", (1, 2, 2)),
        ("permutation-pixels", (2, 2, 2)),
        ("permutation-channels", (2, 1, 2)),
        ("permutation-channels", (2, 1, 3)),
        ("shuffle-2", (1, 2, 4)),
        ("negation-2", (1, 4, 2)),
        ("dct-horizontal", (1, 4, 4)),
        ("dct-vertical", (1, 4, 5)),
        ("dct-diagonal", (1, 4, 4)),
        ("dct-high", (2, 2, 2)),
    ],
    ids=str,
)
def test_the_entropy_is_that_of_the_different_transforms_that_all_keys_make(name, shape):
    entry, images = TRANSFORMS[name], keyed.images(name, 1, shape)
    length = entry.key_length(shape)
    orders = permutations(range(length)) if not name.startswith("dct") else product((-1, 1), repeat=length)
    seen = {tuple(entry.make(Key(order), shape)(images).mul(1e4).round().flatten().tolist()) for order in orders}
    assert 2 ** entry.entropy_bits(shape) == pytest.approx(len(seen))


def test_an_unknown_transform_is_refused_with_its_name():
    with pytest.raises(ValueError, match=f"unknown transform 'rotation'; choose one of: {', '.join(TRANSFORMS)}$"):
        transforms.make("rotation", Key.generate(4), (1, 2, 2))
