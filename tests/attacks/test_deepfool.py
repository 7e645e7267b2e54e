import pytest
import torch
import torchattacks
from torch import nn

from kerckhoffs import data, zoo
from kerckhoffs.attacks import deepfool
from kerckhoffs.attacks.deepfool import HAIR
from tests.linear import Linear, boundaries, random_linear, sizes
from tests.peers import Doubled


def test_one_step_is_enough_for_a_linear_model_and_goes_beyond_by_the_overshoot():
    model, images = random_linear(classes=5)
    labels = model(images).argmax(1)
    steps = []
    adversarial = deepfool(model, images, labels, overshoot=0.1, on_step=steps.append)
    assert len(steps) == 1
    nearest = boundaries(model, images, labels, "l2").amin(1)
    torch.testing.assert_close(sizes(adversarial, images, "l2"), 1.1 * (nearest + HAIR), atol=1e-5, rtol=0)


def test_the_nearest_class_is_not_the_most_likely_one():
    """Class 1 trails by 0.1 with a slope of 0.1, class 2 by 0.5 with a slope of 5."""
    model = Linear(torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.0, 5.0]]), torch.tensor([0.0, -0.15, -3.0]))
    image = torch.tensor([[[[0.5, 0.5]]]])
    adversarial = deepfool(model, image, torch.tensor([0]), overshoot=0.02)
    torch.testing.assert_close(adversarial, torch.tensor([[[[0.5, 0.5 + 1.02 * (0.1 + HAIR)]]]]))


def test_steps_add_up_and_the_sum_has_the_overshoot():
    """f = (0.8 - x)^2 - 0.01 has its zero at 0.7, and each tangent falls short of it."""

    class Curved(nn.Module):
        def forward(self, images):
            x = images.flatten(1)[:, 0]
            return torch.stack([(0.8 - x).square() - 0.01, 0 * x], 1)

    seen = []
    image = torch.full((1, 1, 1, 1), 0.2)
    deepfool(Curved(), image, torch.tensor([0]), overshoot=0.1, on_step=lambda step: seen.append(float(step.current)))
    first = (0.36 - 0.01) / 1.2 + HAIR
    x = 0.2 + 1.1 * first
    second = ((0.8 - x) ** 2 - 0.01) / (2 * (0.8 - x)) + HAIR
    assert seen[:2] == pytest.approx([x, 0.2 + 1.1 * (first + second)], abs=1e-6)
    assert 0.7 < seen[-1] < 0.76


def test_a_flat_model_is_left_alone():
    model, image = Linear(torch.zeros(2, 2), torch.tensor([1.0, 0.0])), torch.full((1, 1, 1, 2), 0.5)
    assert torch.equal(deepfool(model, image, torch.tensor([0])), image)


def test_it_is_as_small_as_torchattacks():
    model = zoo.load("mnist-table2-classical")
    images, labels = data.load("mnist", indices=range(6))
    ours = deepfool(model, images, labels)
    assert (model(ours).argmax(1) != labels).all()
    theirs = torchattacks.DeepFool(Doubled(model))(images, labels)
    ratio = sizes(ours, images, "l2") / sizes(theirs, images, "l2")  # theirs overshoots in each step, not in the sum
    assert ratio.median() == pytest.approx(1, abs=0.02)
    assert 0.9 <= ratio.min() <= ratio.max() <= 1.1
