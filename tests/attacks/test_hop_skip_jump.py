import pytest
import torch
from torch import nn

from kerckhoffs.attacks import hop_skip_jump
from kerckhoffs.attacks.hop_skip_jump import HALVINGS, LEAST_PROBES, _noise, _Walk
from kerckhoffs.attacks.oracle import Oracle
from tests.linear import Linear, boundaries, random_linear, sizes


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def walk_on(model, images, labels, max_queries=None):
    return _Walk(Oracle(model, "labels", len(images), max_queries), images, labels, False, seeded(0))


def test_the_normal_is_that_of_a_linear_model():
    model, images = random_linear(classes=2, count=2)
    labels, rows = model(images).argmax(1), torch.arange(2)
    walk = walk_on(model, images, labels)
    assert torch.equal(walk.find_starts(lambda: False), rows)
    walk.bisect(rows, walk.bisections)
    normal = walk.normal(rows, torch.tensor([2000, 4000])).flatten(1)
    true = nn.functional.normalize(model.weight[1 - labels] - model.weight[labels])
    cosines = (normal * true).sum(1)
    assert cosines.min() > 0.97
    assert cosines[1] > cosines[0], "more probes tell more"


def test_a_bisection_ends_on_the_adversarial_side_of_the_boundary():
    model, image = Linear(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([0.7, 0.0])), torch.zeros(1, 1, 1, 2)
    walk = walk_on(model, image, torch.tensor([0]))
    walk.move(torch.tensor([0]), torch.ones(1, 1, 1, 2))
    walk.bisect(torch.tensor([0]), 10)
    assert 0.7 < float(walk.point[0, 0, 0, 0]) <= 0.7 + 2**-10
    assert walk.oracle.queries.tolist() == [10]
    assert float(walk.distance) == pytest.approx(0.7 * 2**0.5, abs=0.002)


def test_it_walks_to_the_nearest_point_of_the_boundary():
    model, images = random_linear(classes=2, count=4)
    labels = model(images).argmax(1)
    optimum = boundaries(model, images, labels, "l2").amin(1)
    few, many = (
        (sizes(hop_skip_jump(model, images, labels, max_queries=queries), images, "l2") / optimum)
        for queries in (300, 5000)
    )
    assert many.max() <= 1.05
    assert many.max() < few.max()


def test_without_a_start_the_image_comes_back_and_the_queries_are_bounded():
    class Never(Linear):
        def forward(self, images):
            return super().forward(images) + torch.tensor([1000.0, 0.0])

    model, images = Never(torch.zeros(2, 4)), torch.full((2, 1, 2, 2), 0.5)
    assert torch.equal(hop_skip_jump(model, images, torch.zeros(2, dtype=torch.int64)), images)
    assert model.queries == 2 * (1 + 500)


@pytest.mark.parametrize("max_queries", [1, 2, 8, 40, 200, 1001])
def test_no_query_beyond_the_budget(max_queries):
    model, images = random_linear(classes=2, count=3)
    labels = model(images).argmax(1)
    model.queries = 0
    hop_skip_jump(model, images, labels, max_queries=max_queries, initial_probes=10)
    assert model.queries <= 3 * max_queries
    assert max_queries < 200 or model.queries > 3 * (max_queries - HALVINGS - LEAST_PROBES - 20)


def test_noise_has_every_grain():
    images = torch.zeros(2, 1, 8, 8)
    grains = [_noise(images, number, seeded(number)) for number in range(8)]
    assert [len(each[0].unique()) for each in grains[:4]] == [64, 16, 4, 1]
    assert all(set(each.unique().tolist()) <= {0.0, 1.0} for each in grains[4:])
    assert not torch.equal(grains[0][0], grains[0][1])


def test_where_most_probes_agree_only_what_differs_from_their_mean_counts():
    """Half a probe's length inside: 5 of 6 probes say yes, and their sum alone points nearly anywhere."""
    model, image = random_linear(classes=2, count=1, side=10)
    label, row = model(image).argmax(1), torch.tensor([0])
    true = nn.functional.normalize(model.weight[1 - label] - model.weight[label]).view_as(image)
    walk = walk_on(model, image, label)
    distance = boundaries(model, image, label, "l2").amin(1)
    walk.move(row, image + distance * true)
    walk.move(row, walk.point + 1.5 * distance / 100 / 10 * true)  # probes are distance / 100 long
    assert float((walk.normal(row, torch.tensor([400])) * true).sum()) > 0.6
