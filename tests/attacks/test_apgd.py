import pytest
import torch
import torchattacks
from torch import nn

from kerckhoffs import data, zoo
from kerckhoffs.attacks import apgd
from kerckhoffs.attacks.apgd import _rank, checkpoints, difference_of_logits_ratio
from tests.linear import Linear, random_linear
from tests.peers import Doubled


class Ridge(nn.Module):
    """Class 1 is most likely where pixel 0 is 0.27, but class 0 always leads."""

    def forward(self, images):
        x = images.flatten(1)[:, 0]
        return torch.stack([0 * x + 30, -10 * (x - 0.27).square()], 1)


def test_the_checkpoints_are_the_papers():
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert checkpoints(10) == [3, 5, 6, 7, 8, 9, 10, 10]


def test_momentum_and_the_halved_step_by_hand():
    """The steps end at 0.3, 0.175 and 0.2375. Two of three have raised the loss, fewer than 3/4: the step size 0.2 is
    halved, and the fourth starts from the highest, 0.3: 0.3 + 0.75 (0.2 - 0.3) + 0.25 (0.3 - 0.175) = 0.25625."""
    image = torch.full((1, 1, 1, 1), 0.2)
    seen = []
    apgd(
        Ridge(),
        image,
        torch.tensor([0]),
        epsilon=0.1,
        iterations=10,
        random_start=False,
        on_step=lambda step: seen.append(float(step.current)),
    )
    assert seen[:4] == pytest.approx([0.3, 0.175, 0.2375, 0.25625], abs=1e-5)


def test_what_is_returned_has_the_highest_loss():
    image = torch.full((1, 1, 1, 1), 0.2)
    moved = apgd(Ridge(), image, torch.tensor([0]), epsilon=0.1, random_start=False, perturb_all=True)
    assert float(moved) == pytest.approx(0.27, abs=0.002)


def test_a_success_goes_before_a_higher_loss():
    ranks = _rank(torch.tensor([5.0, -3.0, 2.0, -7.0]), torch.tensor([False, True, True, False]))
    assert ranks.argsort().tolist() == [2, 1, 0, 3]


def test_perturb_all_keeps_what_fools_and_else_the_highest_loss():
    model, images = random_linear(classes=5)
    labels = model(images).argmax(1)
    options = {"epsilon": 0.09, "iterations": 10}
    kept, moved = (apgd(model, images, labels, perturb_all=each, **options) for each in (False, True))
    fooled = model(kept).argmax(1) != labels
    assert 0 < fooled.sum() < len(images)
    assert torch.equal(moved[fooled], kept[fooled])
    assert (moved != images).flatten(1).any(1).all()


def test_the_dlr_loss_by_hand():
    logits = torch.tensor([[1.0, 3.0, 0.0, 2.0]])
    losses = [difference_of_logits_ratio(logits, torch.tensor([label]), False).item() for label in range(4)]
    assert losses == pytest.approx([1.0, -0.5, 1.5, 0.5])  # over 3 - 1
    losses = [difference_of_logits_ratio(logits, torch.tensor([label]), True).item() for label in range(4)]
    assert losses == pytest.approx([-0.8, 0.4, -1.2, -0.4])  # over 3 - (1 + 0) / 2


def test_the_scale_of_the_logits_does_not_move_the_dlr_loss():
    logits, label = torch.tensor([[1.0, 3.0, 0.0, 2.0]]), torch.tensor([1])
    torch.testing.assert_close(
        difference_of_logits_ratio(1000 * logits, label, False), difference_of_logits_ratio(logits, label, False)
    )


@pytest.mark.parametrize(("targeted", "needed"), [(False, 3), (True, 4)])
def test_the_dlr_loss_needs_classes_enough(targeted, needed):
    image, label = torch.tensor([[[[0.6, 0.4, 0.2, 0.1]]]]), torch.tensor([1 if targeted else 0])
    with pytest.raises(ValueError, match=rf"loss 'dlr'.* needs {needed} classes, but the model has {needed - 1}"):
        apgd(Linear(torch.eye(needed - 1, 4)), image, label, targeted=targeted, loss="dlr")
    found = apgd(Linear(torch.eye(needed, 4)), image, label, targeted=targeted, loss="dlr")
    predicted = found.flatten()[:needed].argmax()
    assert predicted == 1 if targeted else predicted != 0


def test_restarts_are_for_what_has_not_been_turned():
    steps = []
    image, stubborn = torch.tensor([[[[0.6, 0.5]]]]), Linear(torch.zeros(2, 2), torch.tensor([1.0, 0.0]))
    for model in (Linear(torch.eye(2)), stubborn):
        apgd(model, image, torch.tensor([0]), iterations=4, restarts=3, on_step=steps.append)
    assert [(step.done, step.total) for step in steps[4:]] == [(done, 12) for done in range(1, 13)]


@pytest.mark.parametrize("loss", ["ce", "dlr"])
def test_it_fools_as_many_as_torchattacks(loss):
    model = zoo.load("mnist-table2-classical")
    images, labels = data.load("mnist", indices=range(24))
    ours = apgd(model, images, labels, epsilon=0.08, iterations=20, loss=loss)
    theirs = torchattacks.APGD(Doubled(model), eps=0.08, steps=20, loss=loss)(images, labels)
    successes = [int((model(found).argmax(1) != labels).sum()) for found in (ours, theirs)]
    assert 4 <= successes[1] <= 20
    assert abs(successes[0] - successes[1]) <= 1
