from itertools import islice

import pytest
import torch
from torch import nn

from kerckhoffs.attacks import rays
from kerckhoffs.attacks.rays import _blocks
from tests.linear import Linear, boundaries, random_linear, sizes


def test_every_level_covers_the_image_in_blocks_half_as_long():
    blocks = list(islice(_blocks(6), 1 + 1 + 2 + 4 + 6 + 2))
    assert blocks[:4] == [(0, 0), (0, 6), (0, 3), (3, 6)]
    assert blocks[4:8] == [(0, 1), (1, 3), (3, 4), (4, 6)]
    assert blocks[8:14] == [(place, place + 1) for place in range(6)], "no empty block costs a query"
    assert blocks[14:] == [(0, 3), (3, 6)], "and again, but the whole image"


def test_it_finds_the_signs_of_a_linear_model():
    model, images = random_linear(classes=2, count=4)
    labels = model(images).argmax(1)
    made = rays(model, images, labels, max_queries=1500)
    away = (model.weight[1 - labels] - model.weight[labels]).view_as(images)
    agree = ((made - images).sign() == away.sign()).float().mean()
    assert agree > 0.9
    optimum = boundaries(model, images, labels, "linf").amin(1)
    assert (sizes(made, images, "linf") / optimum).max() < 1.02


def test_a_flip_that_does_not_help_costs_one_query():
    """Once the ray is the best there is, every block is one bad query."""
    model, image = Linear(torch.tensor([[0.0] * 4, [1.0] * 4]), torch.tensor([1.2, 0.0])), torch.zeros(1, 1, 1, 4)
    steps = []
    rays(model, image, torch.tensor([0]), max_queries=60, on_step=steps.append)
    first, *others = steps
    assert float(first.best.amax()) == pytest.approx(0.3, abs=1e-3)
    assert all(later.queries[0] - first.queries[0] == number for number, later in enumerate(others, 1))
    assert others[-1].bad_queries[0] - first.bad_queries[0] == len(others)


class OnlyHalf(nn.Module):
    """Class 1 where the left half of the image is bright and the right one dark."""

    def forward(self, images):
        left, right = images.chunk(2, 3)
        bright = (left > 0.6).flatten(1).all(1) & (right < 0.4).flatten(1).all(1)
        return torch.stack([~bright, bright], 1).float()


def test_where_the_first_rays_fool_nothing_it_says_so_and_turns_others():
    image, steps = torch.full((1, 1, 1, 4), 0.5), []
    made = rays(OnlyHalf(), image, torch.tensor([0]), max_queries=100, on_step=steps.append)
    assert steps[0].no_start.tolist() == [True]
    assert steps[-1].no_start.tolist() == [False]
    torch.testing.assert_close(made, torch.tensor([[[[0.6, 0.6, 0.4, 0.4]]]]), atol=2e-3, rtol=0)


@pytest.mark.parametrize("max_queries", [1, 2, 8, 40, 201])
def test_the_budget_is_spent_and_kept(max_queries):
    model, images = random_linear(classes=2, count=3)
    labels = model(images).argmax(1)
    model.queries = 0
    rays(model, images, labels, max_queries=max_queries)
    assert model.queries == 3 * max_queries
