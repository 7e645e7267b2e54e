"""Gaussian noise at test time: what it says is the mean over draws, and no call is like another."""

import math

import pytest
import torch
from torch import Tensor, nn

from kerckhoffs.defences.noise import DRAWS, NoisyClassifier

SHAPE = (1, 3, 4)
SIGMA = 0.5


class Linear(nn.Module):
    """Two classes, Z = (0, w . x); notes what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 12))
        self.seen: list[Tensor] = []

    def forward(self, images):
        self.seen.append(images.detach())
        z = images.flatten(1) @ self.weight
        return torch.stack([torch.zeros_like(z), z], 1)


def model(**options) -> NoisyClassifier:
    return NoisyClassifier(Linear(), SHAPE, sigma=SIGMA, **options).eval()


def images(count: int = 3) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(0))


def smoothed(z: float, spread: float) -> float:
    """E[sigmoid(z + spread n)], n ~ N(0, 1), by the trapezoid rule."""
    n = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    density = torch.exp(-(n**2) / 2) / math.sqrt(2 * math.pi)
    return float(torch.trapezoid(torch.sigmoid(z + spread * n) * density, n))


def test_the_mean_over_many_calls_is_that_of_the_noise_itself():
    noisy = model()
    with torch.no_grad():
        said = torch.stack([noisy(images()).exp() for _ in range(500)]).mean(0)  # of 4000 draws
        plain = noisy.network(images())[:, 1]
        spread = SIGMA * float(noisy.network.weight.norm())
    expected = torch.tensor([smoothed(float(z), spread) for z in plain])
    torch.testing.assert_close(said[:, 1], expected, atol=0.02, rtol=0)
    torch.testing.assert_close(said.sum(1), torch.ones(3))
    assert float((expected - torch.sigmoid(plain)).abs().max()) > 0.02, "without noise it would say something else"


def test_two_calls_differ_and_so_do_the_draws_of_one():
    noisy = model()
    first, second = noisy(images()), noisy(images())
    assert not torch.allclose(first, second, atol=1e-4)
    [seen, _] = noisy.network.seen
    assert seen.shape == (3 * DRAWS, *SHAPE)
    assert len({tuple(each.flatten().tolist()) for each in seen}) == 3 * DRAWS


def test_what_it_says_is_the_mean_of_the_soft_outputs_of_its_draws():
    noisy = model(draws=4)
    said = noisy(images())
    [seen] = noisy.network.seen
    soft = noisy.network(seen).softmax(1).view(4, 3, 2).mean(0)
    torch.testing.assert_close(said, soft.log())
    noise = (seen.view(4, 3, *SHAPE) - images()) / SIGMA
    assert float(noise.std()) == pytest.approx(1, abs=0.2)


def test_in_training_it_is_one_draw_from_torchs_generator():
    noisy = model().train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        said = noisy(images())
        torch.manual_seed(3)
        expected = noisy.network(images() + SIGMA * torch.randn(images().shape))
    torch.testing.assert_close(said, expected.log_softmax(1))
    assert len(noisy.members(images())) == 1


def test_afterwards_torchs_generator_neither_changes_nor_matters():
    noisy = model()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        before = torch.get_rng_state()
        first = noisy(images())
        assert torch.equal(torch.get_rng_state(), before)
        assert not torch.allclose(noisy(images()), first, atol=1e-4)


@pytest.mark.parametrize("training", [False, True])
def test_a_generator_that_is_set_decides(training):
    noisy = model().train(training)
    before = torch.get_rng_state()
    said = []
    for seed in (1, 1, 2):
        noisy.generator = torch.Generator().manual_seed(seed)
        said.append(noisy(images()))
    assert torch.equal(said[0], said[1])
    assert not torch.allclose(said[0], said[2], atol=1e-4)
    assert torch.equal(torch.get_rng_state(), before)


def test_gradients_are_those_of_the_mean():
    noisy = model()
    inputs = images().requires_grad_()
    said = noisy(inputs)
    (gradient,) = torch.autograd.grad(said[:, 1].sum(), inputs)
    [seen] = noisy.network.seen
    p = noisy.network(seen).softmax(1)[:, 1].view(DRAWS, 3)
    slope = (p * (1 - p)).mean(0) / p.mean(0)
    torch.testing.assert_close(gradient.flatten(1), slope[:, None] * noisy.network.weight)


def test_images_that_are_viewed_together_differ_by_their_difference_alone():
    noisy, pair = model(), images(2)
    seen = noisy.view(pair)
    torch.testing.assert_close(seen[1] - seen[0], pair[1] - pair[0])
    assert not torch.allclose(noisy.view(pair), seen, atol=1e-3)
