import pytest
import torch
import torchattacks
from torch import nn

from kerckhoffs import data, zoo
from kerckhoffs.attacks import autoattack, fab
from tests.linear import Linear
from tests.peers import Single

ZERO = torch.tensor([0])


class Stairs(nn.Module):
    """Class 1 where the first pixel falls below 0.4: the logits are flat but for that step."""

    def __init__(self, classes=4):
        super().__init__()
        self.classes, self.shown = classes, 0

    def forward(self, images):
        self.shown += len(images)
        first = images.flatten(1)[:, :1]
        others = torch.zeros(len(images), self.classes - 2)
        return torch.cat([(first > 0.4).float(), torch.full_like(first, 0.5), others], 1) + 0 * first


@pytest.mark.parametrize("classes", [2, 3, 4, 12])
def test_what_has_no_slope_is_left_to_square_whatever_the_number_of_classes(classes):
    image = torch.full((1, 1, 3, 3), 0.5)
    found = autoattack(Stairs(classes), image, ZERO, epsilon=0.11, version="quick")
    assert Stairs(classes)(found).argmax(1) == 1
    assert float((found - image).abs().max()) <= 0.11


def test_each_attack_is_shown_what_those_before_it_have_not_turned():
    """One image falls to APGD's cross-entropy, the other to nothing: after it the model sees the other alone."""

    class Counting(Linear):
        sizes = ()

        def forward(self, images):
            self.sizes = (*self.sizes, len(images))
            return super().forward(images)

    model = Counting(torch.eye(5))
    images = torch.tensor([[0.55, 0.5, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0]])[:, None, None]
    steps = []
    found = autoattack(model, images, torch.tensor([0, 0]), epsilon=0.1, version="quick", on_step=steps.append)
    assert (found != images).flatten(1).any(1).tolist() == [True, False]
    assert set(model.sizes[:14]) == {2}, "a look, APGD's own, its start and 10 steps, and what they have turned"
    assert set(model.sizes[14:]) == {1}
    assert len(model.sizes) == 14 + (1 + 4 * 11 + 1) + (1 + 4 * 10 * 2 + 1) + 200 + 1
    done = [step.done for step in steps]
    assert done == sorted(set(done))
    assert done[-1] <= steps[-1].total


def test_what_fab_finds_beyond_epsilon_does_not_count():
    model = Linear(
        torch.tensor([[2.0, 2.0], [0.0, 0.0], [-1.0, -1.0], [-2.0, -2.0]]), torch.tensor([-1.2, 0.0, 0.0, 0.0])
    )
    image = torch.full((1, 1, 1, 2), 0.5)  # turned at 0.2 of both
    assert float((fab(model, image, ZERO) - image).abs().max()) == pytest.approx(0.2, rel=0.01)
    assert torch.equal(autoattack(model, image, ZERO, epsilon=0.19, version="quick"), image)
    turned = autoattack(model, image, ZERO, epsilon=0.21, version="quick")
    assert float((turned - image).abs().max()) <= 0.21
    assert model(turned).argmax(1) == 1


def test_it_turns_what_torchattacks_apgd_towards_each_class_turns():
    model = zoo.load("mnist-table1-keyed")
    images, labels = data.load("mnist", indices=range(12))
    ours = autoattack(model, images, labels, epsilon=0.1, version="quick")
    theirs = torchattacks.APGDT(Single(model), eps=0.1, steps=10, seed=0)(images, labels)
    assert (model(ours).argmax(1) != labels).sum() >= (model(theirs).argmax(1) != labels).sum() > 0
