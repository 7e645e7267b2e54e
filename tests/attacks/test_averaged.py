import pytest
import torch
from torch import nn

from kerckhoffs.attacks import fgsm
from kerckhoffs.attacks.averaged import Averaged


def linear(weights: list[list[float]]) -> nn.Module:
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor(weights))
    return model.eval().requires_grad_(False)


FIRST, SECOND = linear([[1.0, 0.0], [0.0, 0.0]]), linear([[0.0, 2.0], [0.0, 0.0]])
IMAGES, LABELS = torch.full((1, 1, 1, 2), 0.5), torch.tensor([0])


def test_the_logits_are_the_mean():
    assert Averaged([FIRST, SECOND])(IMAGES).tolist() == [[0.75, 0.0]]
    assert torch.equal(Averaged([FIRST])(IMAGES), FIRST(IMAGES))


def test_the_probabilities_are_the_mean():
    read = Averaged([FIRST, SECOND], of="probabilities")(IMAGES).exp()
    torch.testing.assert_close(read, (FIRST(IMAGES).softmax(1) + SECOND(IMAGES).softmax(1)) / 2)
    assert torch.equal(Averaged([FIRST], of="probabilities")(IMAGES), FIRST(IMAGES).log_softmax(1))


def test_a_member_that_is_surer_weighs_more_in_the_logits_and_no_vote_outweighs_the_others_in_the_probabilities():
    sure, other = linear([[0.0, 0.0], [90.0, 90.0]]), linear([[3.0, 3.0], [0.0, 0.0]])
    assert Averaged([sure, other, other])(IMAGES).argmax(1) == 1
    assert Averaged([sure, other, other], of="probabilities")(IMAGES).argmax(1) == 0


def test_the_mean_of_log_probabilities_would_be_no_other_way():
    """Why there is none: it differs from the mean of the logits by a constant for each image."""
    images = torch.rand(5, 1, 1, 2, generator=torch.Generator().manual_seed(0))
    of_logs = torch.stack([model(images).log_softmax(1) for model in (FIRST, SECOND)]).mean(0)
    apart = of_logs - Averaged([FIRST, SECOND])(images)
    torch.testing.assert_close(apart[:, 0], apart[:, 1])
    assert (of_logs.exp().sum(1) < 1).all(), "and it is no distribution, so no logits have it as log-softmax"


def test_what_is_crafted_on_the_mean_moves_what_each_model_reads():
    made = fgsm(Averaged([FIRST, SECOND]), IMAGES, LABELS, epsilon=0.2, perturb_all=True)
    torch.testing.assert_close(made, torch.full_like(made, 0.3))
    alone = fgsm(FIRST, IMAGES, LABELS, epsilon=0.2, perturb_all=True)
    torch.testing.assert_close(alone, torch.tensor([[[[0.3, 0.5]]]]))


def test_it_is_in_the_mode_of_its_models_and_no_model_is_none():
    assert not Averaged([FIRST, SECOND]).training
    assert Averaged([nn.Linear(2, 2)]).training
    with pytest.raises(ValueError, match="at least one"):
        Averaged([])
    with pytest.raises(ValueError, match="unknown mean 'losses'; choose one of: logits, probabilities"):
        Averaged([FIRST], of="losses")
