import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kerckhoffs.attacks import one_pixel
from kerckhoffs.attacks.one_pixel import _children, _first, _paint
from tests.linear import Linear


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def needle(side, pixel, gain=3.0):
    """A model that one pixel alone can turn: it must rise from 0.2 to 0.8."""
    weight = torch.zeros(2, side * side)
    weight[1, pixel] = gain
    return Linear(weight, torch.tensor([0.8 * gain, 0.0])), torch.full((1, 1, side, side), 0.2)


@pytest.mark.parametrize("pixel", [0, 17, 35])
def test_it_finds_the_one_pixel_that_matters(pixel):
    model, image = needle(6, pixel)
    adversarial = one_pixel(model, image, torch.tensor([0]), population=40, max_queries=2001)
    changed = (adversarial != image).flatten().nonzero().flatten()
    assert changed.tolist() == [pixel]
    assert adversarial.flatten()[pixel] > 0.8


def test_it_stops_asking_at_the_first_success():
    model, image = needle(3, 4)
    one_pixel(model, image, torch.tensor([0]), population=40, max_queries=40_401)
    assert model.queries < 1000


@given(st.integers(4, 12), st.integers(0, 2**32))
def test_a_child_is_one_other_and_half_the_difference_of_two_more(population, seed):
    parents = 0.5 + 0.25 * torch.eye(population)
    shares = (_children(parents.view(1, population, 1, population), seeded(seed)).view(population, -1) - 0.5) / 0.25
    for own, child in enumerate(shares):
        assert sorted(child[child != 0].tolist()) == [-0.5, 0.5, 1.0]
        assert child[own] == 0


def test_the_first_candidates_cover_the_image_and_are_grey_on_average():
    genes = _first((1, 4000, 1), torch.zeros(1, 3, 5, 7), seeded(0))
    assert genes.shape == (1, 4000, 1, 5)
    assert genes.min() >= 0
    assert genes.max() <= 1
    assert len((genes[0, :, 0, 0] * 5).long().unique()) == 5
    assert len((genes[0, :, 0, 1] * 7).long().unique()) == 7
    assert genes[..., 2:].mean() == pytest.approx(0.5, abs=0.02)
    assert (genes[..., 2:] == 0).float().mean() == pytest.approx(0.159, abs=0.02), "N(0.5, 0.5) clipped at 0"


def test_genes_are_painted_on_their_pixels():
    genes = torch.tensor([[[0.0, 0.99, 0.7, 0.8], [1.0, 0.0, 0.1, 0.2]]])  # row, column, two channels
    painted = _paint(torch.full((1, 2, 2, 3), 0.5), genes)
    expected = torch.full((1, 2, 2, 3), 0.5)
    expected[0, :, 0, 2] = torch.tensor([0.7, 0.8])
    expected[0, :, 1, 0] = torch.tensor([0.1, 0.2])
    assert torch.equal(painted, expected)


def test_the_fittest_is_kept_where_nothing_succeeds():
    weight = torch.zeros(2, 9)
    weight[1, 4] = 1.0
    model, image = Linear(weight, torch.tensor([5.0, 0.0])), torch.full((1, 1, 3, 3), 0.2)
    tried = one_pixel(model, image, torch.tensor([0]), population=20, max_queries=601, perturb_all=True)
    assert (tried != image).flatten().nonzero().flatten().tolist() == [4]
    assert tried.flatten()[4] == 1
    assert torch.equal(one_pixel(model, image, torch.tensor([0]), population=20, max_queries=601), image)


@pytest.mark.parametrize("max_queries", [1, 2, 5, 21, 22, 61])
def test_no_query_beyond_the_budget(max_queries):
    model, image = Linear(torch.zeros(2, 9), torch.tensor([5.0, 0.0])), torch.full((3, 1, 3, 3), 0.2)
    one_pixel(model, image, torch.zeros(3, dtype=torch.int64), population=20, max_queries=max_queries)
    assert model.queries <= 3 * max_queries
    assert model.queries >= 3 * (1 + (max_queries - 1) // 20 * 20)


def test_a_lead_that_scores_cannot_show_is_still_a_success():
    """Logits of 1e-3 that differ by 2e-8: the log-probabilities are equal in float32."""
    model = Linear(torch.tensor([[0.0], [3e-8]]), torch.tensor([1e-3, 1e-3 - 5e-9]))
    image = torch.zeros(1, 1, 1, 1)
    assert model(image).argmax(1).item() == 0
    adversarial = one_pixel(model, image, torch.tensor([0]), population=20, max_queries=41)
    assert model(adversarial).log_softmax(1).diff().item() == 0
    assert model(adversarial).argmax(1).item() == 1
