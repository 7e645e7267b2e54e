"""Low-frequency PGD: what it changes has no high frequencies, and passes a keyed high band unchanged."""

import numpy as np
import pytest
import torch
from scipy.fft import dctn
from torch import nn

from kerckhoffs.attacks import low_frequency
from kerckhoffs.defences import DEFENCES
from kerckhoffs.keys import Key
from kerckhoffs.transforms import TRANSFORMS, make

GREY = torch.full((2, 1, 8, 8), 0.5)
LABELS = torch.tensor([0, 1])


def network(side: int = 8, channels: int = 1) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(channels * side * side, 3)).requires_grad_(False)


def coefficients(change: torch.Tensor) -> np.ndarray:
    return np.abs(dctn(change.numpy(), axes=(2, 3), norm="ortho"))


@pytest.mark.parametrize(("band", "kept"), [(0.5, 4), (0.25, 2), (0.3, 3), (0.01, 1), (1.0, 8)])
def test_only_the_lowest_frequencies_change(band, kept):
    made = low_frequency(network(), GREY, LABELS, epsilon=0.4, step_size=0.1, iterations=3, band=band, perturb_all=True)
    found = coefficients(made - GREY)
    assert found[:, :, :kept, :kept].max() > 0.1
    found[:, :, :kept, :kept] = 0
    assert found.max() < 1e-6


def test_a_step_is_of_its_size_and_the_ball_holds():
    one = low_frequency(network(), GREY, LABELS, epsilon=0.4, step_size=0.1, iterations=1, perturb_all=True)
    assert torch.allclose((one - GREY).abs().amax((1, 2, 3)), torch.tensor([0.1, 0.1]))
    many = low_frequency(network(), GREY, LABELS, epsilon=0.2, step_size=0.1, iterations=9, perturb_all=True)
    assert float((many - GREY).abs().max()) <= 0.2


def test_a_step_goes_along_the_low_frequencies_of_the_gradient_of_a_linear_model():
    model = network()
    weights = model[1].weight.view(3, 1, 8, 8)
    images = GREY[:1]
    logits = model(images)[0]
    share = torch.softmax(logits[1:], 0)  # of classes 1 and 2 in u's gradient, class 0 being true
    gradient = (share[:, None, None, None] * weights[1:]).sum(0) - weights[0]
    plane = dctn(gradient.numpy(), axes=(1, 2), norm="ortho")
    plane[:, 4:], plane[:, :, 4:] = 0, 0
    made = low_frequency(model, images, LABELS[:1], step_size=0.1, iterations=1, perturb_all=True)
    found = coefficients(made - images)[0]
    np.testing.assert_allclose(found / found.max(), np.abs(plane) / np.abs(plane).max(), atol=1e-4)


def test_it_passes_the_keyed_bands_of_kda_unchanged():
    made = low_frequency(network(), GREY, LABELS, epsilon=0.3, iterations=5, perturb_all=True)
    change = made - GREY
    for name in ("dct-horizontal", "dct-vertical", "dct-diagonal", "dct-high"):
        key = Key.derive(bytes(32), TRANSFORMS[name].key_length((1, 8, 8)), name)
        transform = make(name, key, (1, 8, 8))
        torch.testing.assert_close(transform(made) - transform(GREY), change, atol=1e-5, rtol=0)
        noise = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.5
        assert float((transform(GREY + noise) - transform(GREY) - noise).abs().max()) > 0.1


def test_it_fools_a_kda_of_linear_networks_on_small_images():
    shape = (1, 8, 8)
    entry = DEFENCES["kda"]
    keys = tuple(Key.derive(bytes(32), length, "kda") for length in entry.key_lengths(shape))
    model = entry.build(network, shape, keys).eval()
    before = model(GREY).argmax(1)
    made = low_frequency(model, GREY, before, epsilon=0.5)
    assert bool((model(made).argmax(1) != before).all())


@pytest.mark.parametrize("band", [0.0, -0.5, 1.5])
def test_a_band_that_is_no_share_is_refused(band):
    with pytest.raises(ValueError, match=r"band must be between 0.01 and 1"):
        low_frequency(network(), GREY, LABELS, band=band)
