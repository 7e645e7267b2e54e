"""Examples that are crafted inside training."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kerckhoffs.zoo.train.crafting import perturb

SHAPE = (1, 4, 4)


class Linear(nn.Module):
    """Two classes, Z = (0, w . x); asks to be noted what it is shown."""

    def __init__(self, weight: torch.Tensor, scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight * scale)
        self.dropout = nn.Dropout(0.5)
        self.seen: list[torch.Tensor] = []
        self.modes: list[bool] = []

    def forward(self, images):
        self.seen.append(images.detach().clone())
        self.modes.append(self.training or self.dropout.training)
        z = self.dropout(images).flatten(1) @ self.weight
        return torch.stack([torch.zeros_like(z), z], 1)


def weight() -> torch.Tensor:
    return torch.linspace(-1, 1, 16)  # none is 0


def model(scale: float = 1.0) -> Linear:
    return Linear(weight(), scale).eval()


def images(count: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(seed))


LABELS = torch.tensor([0, 1, 0, 1, 1, 0])


def signs(labels: torch.Tensor) -> torch.Tensor:
    """Where the cross-entropy grows: towards the other class."""
    return (torch.where(labels == 0, 1.0, -1.0)[:, None] * weight().sign()).view(-1, *SHAPE)


def test_one_step_from_the_image_is_fgsm():
    found = perturb(model(), images(), LABELS, epsilon=0.25, steps=1, random_start=False)
    torch.testing.assert_close(found, (images() + 0.25 * signs(LABELS)).clamp(0, 1))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_pixels_at_the_ends_of_the_range_leave_it_nowhere(value):
    flat = torch.full((2, *SHAPE), value)
    found = perturb(model(), flat, LABELS[:2], epsilon=0.25, steps=1, random_start=False)
    assert torch.equal(found, (flat + 0.25 * signs(LABELS[:2])).clamp(0, 1))


def test_one_step_from_a_random_start_is_of_a_quarter_more_and_ends_in_the_ball():
    watched = model()
    found = perturb(watched, images(), LABELS, epsilon=0.1, steps=1, generator=torch.Generator().manual_seed(1))
    [start] = watched.seen
    noise = torch.rand(images().shape, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(start, (images() + 0.1 * (2 * noise - 1)).clamp(0, 1))
    expected = torch.clamp(start + 0.125 * signs(LABELS), images() - 0.1, images() + 0.1).clamp(0, 1)
    torch.testing.assert_close(found, expected)


def test_several_steps_are_of_two_and_a_half_epsilon_together():
    watched = model()
    middle = torch.full((2, *SHAPE), 0.5)
    found = perturb(watched, middle, LABELS[:2], epsilon=0.1, steps=10, random_start=False)
    assert len(watched.seen) == 10
    assert torch.equal(watched.seen[0], middle)
    torch.testing.assert_close(watched.seen[1], middle + 0.025 * signs(LABELS[:2]))
    torch.testing.assert_close(watched.seen[3], middle + 0.075 * signs(LABELS[:2]))
    torch.testing.assert_close(found, middle + 0.1 * signs(LABELS[:2]))


@settings(max_examples=25)
@given(
    epsilon=st.floats(0, 1),
    steps=st.integers(1, 4),
    random_start=st.booleans(),
    fast=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_it_stays_in_the_ball_and_the_box(epsilon, steps, random_start, fast, seed):
    clean = images(seed=seed)
    clean[0].clamp_(0.5).round_()
    found = perturb(
        model(),
        clean,
        LABELS,
        epsilon=epsilon,
        steps=steps,
        random_start=random_start,
        fast=fast,
        generator=torch.Generator().manual_seed(seed),
    )
    assert found.shape == clean.shape
    assert found.dtype == torch.float32
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    assert float((found.double() - clean.double()).abs().max()) <= epsilon


def test_all_examples_move_also_those_that_are_misread_already_and_those_of_a_confident_model():
    for scale in (1.0, 1e4):
        found = perturb(model(scale), images(), LABELS, epsilon=0.1, steps=1, random_start=False)
        torch.testing.assert_close(found, (images() + 0.1 * signs(LABELS)).clamp(0, 1))


@pytest.mark.parametrize("training", [False, True])
def test_the_model_is_asked_in_eval_mode_and_left_in_the_mode_that_it_was_in(training):
    watched = model().train(training)
    perturb(watched, images(), LABELS, epsilon=0.1, steps=3)
    assert watched.modes == [False] * 3
    assert {module.training for module in watched.modules()} == {training}


def test_the_mode_is_put_back_when_the_model_fails():
    class Failing(Linear):
        def forward(self, images):
            raise RuntimeError("boom")

    failing = Failing(weight()).train()
    with pytest.raises(RuntimeError, match="boom"):
        perturb(failing, images(), LABELS, epsilon=0.1, steps=1)
    assert failing.training


def test_no_weight_gets_a_gradient_and_neither_does_what_comes_back():
    watched = model()
    watched.weight.grad = torch.ones(16)
    found = perturb(watched, images(), LABELS, epsilon=0.1, steps=2)
    assert torch.equal(watched.weight.grad, torch.ones(16))
    assert watched.weight.requires_grad
    assert not found.requires_grad


def test_the_images_are_not_changed():
    clean, before = images(), images()
    perturb(model(), clean, LABELS, epsilon=0.1, steps=2)
    assert torch.equal(clean, before)


def test_the_generator_decides_and_torchs_own_is_left_alone():
    def found(seed):
        generator = torch.Generator().manual_seed(seed)
        return perturb(model(), images(), LABELS, epsilon=0.1, steps=1, generator=generator)

    before = torch.get_rng_state()
    assert torch.equal(found(1), found(1))
    assert not torch.equal(found(1), found(2))
    perturb(model(), images(), LABELS, epsilon=0.1, steps=1, random_start=False)
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_generator_torchs_own_decides():
    with torch.random.fork_rng(devices=[]):
        found = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            found.append(perturb(model(), images(), LABELS, epsilon=0.1, steps=1))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
