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
