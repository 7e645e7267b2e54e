import math

import pytest
import torch
from scipy.optimize import LinearConstraint, minimize
from torch import nn

from kerckhoffs.attacks import cw_l2

MODEST = {"max_iterations": 500, "learning_rate": 0.01, "initial_const": 0.1, "binary_search_steps": 9}


class Linear(nn.Module):
    def __init__(self, weight, bias=0.0):
        super().__init__()
        self.weight, self.bias = torch.as_tensor(weight), torch.as_tensor(bias)

    def forward(self, images):
        return images.flatten(1) @ self.weight.T + self.bias


def random_linear(classes=5, pixels=9, seed=0):
    """A model, and images in its interior, close enough to a boundary that the box does not matter."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(classes, pixels, generator=generator)
    images = 0.5 + 0.1 * torch.randn(12, 1, 3, 3, generator=generator)
    return Linear(weight, -0.5 * weight.sum(1)), images


def boundaries(model, image, label):
    """How far an image is from each class of a linear model, (K,); infinite for its own."""
    logits, weight = model(image[None])[0], model.weight
    distance = (logits[label] - logits) / (weight[label] - weight).norm(dim=1)
    distance[label] = torch.inf
    return distance


def norms(adversarial, images):
    return (adversarial - images).flatten(1).norm(dim=1)


def test_it_finds_the_boundaries_of_a_linear_model():
    """The margin follows the highest other logit, so now and then it ends at a boundary that is not the nearest."""
    model, images = random_linear()
    labels = model(images).argmax(1)
    adversarial = cw_l2(model, images, labels, **MODEST)
    reached = model(adversarial).argmax(1)
    size = norms(adversarial, images)
    nearest = torch.stack([boundaries(model, *pair) for pair in zip(images, labels, strict=True)])  # (N, K)
    assert (size / nearest.gather(1, reached[:, None]).squeeze(1)).max() <= 1.05
    ratio = size / nearest.amin(1)
    assert ratio.min() >= 1
    assert ratio.quantile(0.75) <= 1.05


def test_it_reaches_a_target_at_the_distance_of_its_boundary():
    model, images = random_linear(classes=2)
    labels = 1 - model(images).argmax(1)
    adversarial = cw_l2(model, images, labels, targeted=True, **MODEST)
    assert torch.equal(model(adversarial).argmax(1), labels)
    optimum = torch.stack([boundaries(model, image, 1 - int(t)).min() for image, t in zip(images, labels, strict=True)])
    assert (norms(adversarial, images) / optimum).max() <= 1.05


def test_it_finds_the_optimum_where_the_box_is_in_the_way():
    weight = torch.tensor([[0.0, 0.0, 0.0, 0.0], [3.0, 1.0, -1.0, 2.0]])
    image = torch.tensor([0.9, 0.5, 0.05, 0.0])  # the first pixel can rise by 0.1, the third fall by 0.05
    model = Linear(weight, torch.tensor([0.0, -5.0]))
    adversarial = cw_l2(model, image.view(1, 1, 2, 2), torch.tensor([0]), **MODEST)
    solved = minimize(
        lambda x: ((x - image.numpy()) ** 2).sum(),
        image.numpy(),
        method="SLSQP",
        bounds=[(0, 1)] * 4,
        constraints=LinearConstraint(weight[1].numpy(), lb=5.0),
    )
    assert solved.success
    optimum = math.sqrt(solved.fun)
    assert optimum < float(norms(adversarial, image.view(1, 1, 2, 2))) <= 1.05 * optimum


@pytest.mark.parametrize("confidence", [0.5, 3.0])
def test_the_wrong_class_leads_by_the_confidence(confidence):
    model, images = random_linear()
    labels = model(images).argmax(1)
    adversarial = cw_l2(model, images, labels, confidence=confidence, **MODEST)
    logits = model(adversarial)
    own = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    succeeded = (adversarial != images).flatten(1).any(1)
    assert succeeded.float().mean() > 0.7
    assert (others - own)[succeeded].min() >= confidence
    plain = norms(cw_l2(model, images, labels, **MODEST), images)
    assert (norms(adversarial, images)[succeeded] > plain[succeeded]).all()


def test_the_search_over_c_beats_one_large_c():
    model, images = random_linear()
    labels = model(images).argmax(1)
    searched = norms(cw_l2(model, images, labels, **MODEST), images)
    blunt = MODEST | {"initial_const": 1000.0, "binary_search_steps": 1}
    assert searched.median() < 0.95 * norms(cw_l2(model, images, labels, **blunt), images).median()


def test_a_target_is_reached_where_every_other_logit_is_negative():
    """Masking the other logits with 0 instead of -inf would see 0 as their maximum, and never succeed."""
    model, images = random_linear()
    model.bias = model.bias - 100
    labels = (model(images).argmax(1) + 1) % 5
    adversarial = cw_l2(model, images, labels, targeted=True, **MODEST)
    assert torch.equal(model(adversarial).argmax(1), labels)


def test_each_sample_decides_alone_when_to_stop():
    """An easy image beside hard ones, and beside one that is misread from the start, is solved as if alone."""
    model, images = random_linear(seed=3)
    images[0] = 0.5 + 3 * (images[0] - 0.5)  # farther from every boundary
    labels = model(images).argmax(1)
    labels[5] = (labels[5] + 1) % 5
    together = cw_l2(model, images, labels, **MODEST)
    for index in range(len(images)):
        alone = cw_l2(model, images[index : index + 1], labels[index : index + 1], **MODEST)
        torch.testing.assert_close(together[index : index + 1], alone, atol=1e-5, rtol=0)


def test_a_sample_that_no_c_has_flipped_goes_on_in_the_last_solve():
    """From 0.1 to beyond 0.9 takes more steps than one solve has, and fewer than two."""
    model = Linear(torch.tensor([[0.0], [1.0]]), torch.tensor([0.9, 0.0]))
    image, label = torch.full((1, 1, 1, 1), 0.1), torch.tensor([0])
    options = {"learning_rate": 0.02, "max_iterations": 80, "initial_const": 100.0}
    assert torch.equal(cw_l2(model, image, label, binary_search_steps=1, **options), image)
    assert float(cw_l2(model, image, label, binary_search_steps=2, **options)) > 0.9
