import pytest
import torch
import torchattacks
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import nn

from kerckhoffs.attacks import fgsm

WEIGHTS = torch.tensor([[1.0, -1.0, 2.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])


def linear(images):
    return images.flatten(1) @ WEIGHTS.T


class Linear(nn.Module):
    def forward(self, images):
        return linear(images)


def picture(*pixels):
    return torch.tensor([[[list(pixels)]]])


def test_untargeted_by_hand():
    # Logits (0.8, 0.5, 0): class 0. Raising the loss lowers Z_0 and raises the others: the direction is (-, +, -).
    adversarial = fgsm(Linear(), picture(0.5, 0.5, 0.4), torch.tensor([0]), epsilon=0.2)
    torch.testing.assert_close(adversarial, picture(0.3, 0.7, 0.2))


def test_targeted_by_hand_and_clipped():
    # Towards class 1: raise Z_1, lower Z_0: the direction is (-, +, -); the first pixel stops at 0, the second at 1.
    adversarial = fgsm(Linear(), picture(0.1, 0.9, 0.9), torch.tensor([1]), targeted=True, epsilon=0.5)
    torch.testing.assert_close(adversarial, picture(0.0, 1.0, 0.4))


def test_epsilon_0_changes_nothing():
    images = picture(0.5, 0.5, 0.4)
    assert torch.equal(fgsm(Linear(), images, torch.tensor([0]), epsilon=0.0, perturb_all=True), images)


@given(
    arrays.arrays("float32", (3, 1, 1, 3), elements=st.floats(0, 1, width=32)),
    st.floats(0, 1),
)
def test_no_pixel_moves_by_more_than_epsilon_to_the_last_bit(pixels, epsilon):
    images = torch.from_numpy(pixels)
    adversarial = fgsm(Linear(), images, torch.zeros(3, dtype=torch.int64), epsilon=epsilon, perturb_all=True)
    assert float((adversarial - images).abs().max()) <= epsilon
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1


def test_perturb_all_moves_also_what_fails_and_what_was_misread():
    images = torch.cat([picture(0.9, 0.1, 0.9), picture(0.1, 0.9, 0.1)])  # class 0, class 1
    labels = torch.tensor([0, 0])
    kept = fgsm(Linear(), images, labels, epsilon=0.01)
    assert torch.equal(kept, images), "the first fails, the second was misread from the start"
    moved = fgsm(Linear(), images, labels, epsilon=0.01, perturb_all=True)
    torch.testing.assert_close((moved - images).abs(), torch.full_like(images, 0.01), atol=1e-6, rtol=0)


@pytest.mark.parametrize("scale", [25, 100, 500])
def test_a_confident_model_still_gives_a_direction(scale):
    """In float32, float64, and where the gradient itself is too small for float32: 1 - p is 1e-10, 1e-39, 1e-196."""

    class Confident(nn.Module):
        def forward(self, images):
            flat = images.flatten(1)
            return torch.stack([scale * flat[:, 0], 0.1 * flat[:, 1]], 1)

    images = picture(0.9, 0.5)
    moved = fgsm(Confident(), images, torch.tensor([0]), epsilon=0.1, perturb_all=True)
    torch.testing.assert_close(moved, picture(0.8, 0.6))


@pytest.mark.parametrize("targeted", [False, True])
def test_it_is_torchattacks_where_nothing_saturates(targeted):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 5)).eval()
    images, labels = torch.rand(7, 2, 6, 6), torch.randint(0, 5, (7,))
    peer = torchattacks.FGSM(model, eps=0.1)
    if targeted:
        peer.set_mode_targeted_by_function(lambda images, labels: labels)
    moved = fgsm(model, images, labels, targeted=targeted, epsilon=0.1, perturb_all=True)
    torch.testing.assert_close(moved, peer(images, labels), atol=1e-6, rtol=0)
