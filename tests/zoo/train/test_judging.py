import math
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from kerckhoffs.zoo.train import error_rate, judging
from kerckhoffs.zoo.train.judging import Score


def test_the_error_rate_is_the_share_of_wrong_predictions_over_all_batches():
    images = torch.zeros(1001, 1, 1, 10)
    labels = torch.arange(1001) % 10
    images[torch.arange(1001), 0, 0, labels] = 1
    labels[[0, 499, 500, 999, 1000]] = (labels[[0, 499, 500, 999, 1000]] + 1) % 10
    assert error_rate(nn.Flatten(), images, labels) == 5 / 1001
    assert error_rate(nn.Flatten(), images[1:499], labels[1:499]) == 0
    assert error_rate(nn.Flatten(), images[:1], labels[:1]) == 1


def test_a_score_is_the_errors_and_the_loss_of_what_it_was_given():
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 2.0], [2.0, 0.0]]).view(4, 1, 1, 2)
    right, wrong = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
    clean = logits, torch.tensor([0, 1, 1, 1])
    found = judging.score(nn.Flatten(), clean)
    assert (found.attacked_error, found.error) == (0, 0.25)
    assert found.loss == pytest.approx((3 * right + wrong) / 4)
    found = judging.score(nn.Flatten(), clean, (logits[:2], torch.tensor([1, 0])))
    assert (found.attacked_error, found.error) == (1, 0.25)
    assert found.loss == pytest.approx((3 * right + wrong) / 4), "the loss is that of the clean samples"


def test_scores_are_compared_by_attacked_error_then_clean_error_then_loss():
    ranked = [Score(0, 0.5, 9), Score(0.1, 0.1, 5), Score(0.1, 0.2, 1), Score(0.1, 0.2, 2), Score(0.2, 0, 0)]
    assert sorted([ranked[number] for number in (3, 0, 4, 2, 1)]) == ranked


@pytest.mark.parametrize("around", [nullcontext, lambda: torch.autocast("cpu", torch.bfloat16)])
def test_judging_is_in_float32_whatever_is_switched_on_around_it(around):
    class Plain(nn.Module):
        def forward(self, images):
            assert not torch.is_autocast_enabled("cpu")
            return images.flatten(1)

    with around():
        assert judging.score(Plain(), (torch.eye(2).view(2, 1, 1, 2), torch.tensor([0, 1]))).error == 0
