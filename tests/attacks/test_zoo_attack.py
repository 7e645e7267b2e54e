import pytest
import torch

from kerckhoffs.attacks.base import Pursuit
from kerckhoffs.attacks.oracle import Oracle
from kerckhoffs.attacks.zoo_attack import H, _Descent, zoo
from tests.linear import Linear, boundaries, random_linear, sizes


def descent_on(model, images, labels, coordinates, targeted=False):
    pursuit = Pursuit(model, images, labels, targeted, None)
    oracle = Oracle(model, "scores", len(pursuit), spent=1)
    generator = torch.Generator().manual_seed(0)
    return _Descent(oracle, pursuit, targeted, 0.1, coordinates, generator), oracle


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("start", [0.0, 0.5, 1.0])
def test_differences_are_the_slopes_of_the_margin_also_at_the_walls(targeted, start):
    weight = torch.tensor([[1.0, -2.0, 0.5], [0.3, 0.2, -1.0]])
    model, images = Linear(weight, torch.tensor([9.0, 0.0])), torch.full((2, 1, 1, 3), start)
    labels = torch.tensor([1, 1]) if targeted else torch.tensor([0, 0])
    descent, oracle = descent_on(model, images, labels, 3, targeted)
    picked = torch.tensor([[0, 1, 2], [2, 0, 1]])
    found = descent._differences(torch.tensor([0, 1]), picked)
    torch.testing.assert_close(found, (weight[0] - weight[1])[picked], atol=0.01, rtol=0)
    assert oracle.queries.tolist() == [7, 7]


def test_no_query_leaves_the_box():
    seen = []

    class Watched(Linear):
        def forward(self, images):
            seen.append(images)
            return super().forward(images)

    model = Watched(torch.tensor([[1.0, -1.0], [0.0, 0.0]]), torch.tensor([2.0, 0.0]))
    zoo(model, torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([0]), max_queries=200)
    asked = torch.cat(seen)
    assert len(asked) > 100
    assert asked.min() >= 0
    assert asked.max() <= 1
    assert any(torch.allclose(each.flatten(), torch.tensor([H, 1.0])) for each in asked)


def test_a_step_by_hand():
    """Adam's first step is the learning rate in the direction of the slope, whatever the slope."""
    model, images = Linear(torch.tensor([[1.0, -2.0, 0.0], [0.0, 0.0, 0.0]]), torch.tensor([1.0, 0.0])), None
    images = torch.full((1, 1, 1, 3), 0.5)
    descent, oracle = descent_on(model, images, torch.tensor([0]), 3)
    assert descent.step(torch.tensor([0]), torch.tensor([10.0])).tolist() == [False]
    torch.testing.assert_close(descent.x, torch.tensor([[0.4, 0.6, 0.5]]), atol=1e-4, rtol=0)
    assert oracle.queries.tolist() == [1 + 1 + 6]


def test_where_the_model_is_fooled_only_the_known_slope_of_the_distance_counts():
    model, images = Linear(torch.tensor([[1.0, 0.0], [0.0, 1.0]])), torch.tensor([[[[0.6, 0.5]]]])
    descent, oracle = descent_on(model, images, torch.tensor([0]), 2)
    descent.x[0] = torch.tensor([0.3, 0.8])
    assert descent.step(torch.tensor([0]), torch.tensor([10.0])).tolist() == [True]
    torch.testing.assert_close(descent.x, torch.tensor([[0.4, 0.7]]), atol=1e-4, rtol=0)
    assert oracle.queries.tolist() == [2]


def test_a_few_coordinates_at_a_time_are_enough():
    model, images = random_linear(classes=2, side=4, scale=3.0, count=4)
    labels = model(images).argmax(1)
    options = {"coordinates": 4, "learning_rate": 0.03, "binary_search_steps": 3, "max_queries": 4000}
    ratio = sizes(zoo(model, images, labels, **options), images, "l2") / boundaries(model, images, labels, "l2").amin(1)
    assert ratio.max() <= 1.1


@pytest.mark.parametrize("max_queries", [1, 2, 3, 30, 401])
def test_no_query_beyond_the_budget(max_queries):
    model, images = Linear(torch.zeros(2, 9), torch.tensor([5.0, 0.0])), torch.full((3, 1, 3, 3), 0.2)
    zoo(model, images, torch.zeros(3, dtype=torch.int64), max_queries=max_queries)
    assert model.queries <= 3 * max_queries
    assert max_queries < 30 or model.queries > 3 * max_queries / 2


@pytest.mark.parametrize(("away", "moves"), [(0.15, 0.1), (0.25, -0.1)])
def test_distance_and_margin_balance_where_the_objective_says(away, moves):
    """d/dx of x^2 + 0.4 (5 - x) is 0 at 0.2."""
    model = Linear(torch.tensor([[0.0], [1.0]]), torch.tensor([5.0, 0.0]))
    descent, _ = descent_on(model, torch.zeros(1, 1, 1, 1), torch.tensor([0]), 1)
    descent.x[0] = away
    descent.step(torch.tensor([0]), torch.tensor([0.4]))
    assert float(descent.x) == pytest.approx(away + moves, abs=1e-4)
