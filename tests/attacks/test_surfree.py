import math

import pytest
import torch
from torch import nn

from kerckhoffs.attacks import surfree
from kerckhoffs.attacks.oracle import Oracle
from kerckhoffs.attacks.surfree import _cosines, _Walk
from tests.linear import boundaries, random_linear, sizes


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def walk_on(model, images, labels, band=1.0):
    walk = _Walk(Oracle(model, "labels", len(images)), images, labels, False, seeded(0))
    walk.prepare(band)
    return walk


def test_cosines_are_orthonormal_and_begin_with_the_lowest():
    basis = _cosines(6, 0.5)
    torch.testing.assert_close(basis @ basis.T, torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(basis[0], torch.full((6,), 6**-0.5, dtype=torch.float64))
    assert _cosines(1, 0.01).tolist() == [[1.0]]


def test_a_turn_ends_on_the_circle_over_the_way_to_the_boundary_and_nearer():
    model, images = random_linear(classes=2, count=3)
    labels, rows = model(images).argmax(1), torch.arange(3)
    walk = walk_on(model, images, labels)
    walk.find_starts((images, labels), lambda: False)
    before, distance = walk.point.clone(), walk.distance.clone()
    moved = False
    for _ in range(5):
        walk.turn(rows)
        assert (walk.distance <= distance + 1e-6).all()
        assert walk.oracle.fooled(walk.point, rows, labels, False).all()
        for row in rows[walk.distance < distance]:
            centre = (images[row] + before[row]) / 2
            assert float((walk.point[row] - centre).norm()) == pytest.approx(float(distance[row]) / 2, rel=1e-3)
            moved = True
        before, distance = walk.point.clone(), walk.distance.clone()
    assert moved


def stuck(count=1):
    """On the boundary where it is nearest, so that every turn fails."""
    model, images = random_linear(classes=2, count=count)
    labels, rows = model(images).argmax(1), torch.arange(count)
    walk = walk_on(model, images, labels)
    away = nn.functional.normalize(model.weight[1 - labels] - model.weight[labels]).view_as(images)
    walk.move(rows, images + 1.0001 * boundaries(model, images, labels, "l2").amin(1)[:, None, None, None] * away)
    return walk, rows


def test_directions_are_of_length_1_and_orthogonal_to_the_way_out_and_to_each_other():
    walk, rows = stuck(2)
    for _ in range(6):
        walk.turn(rows)
        assert (walk.sideways * walk.outward).flatten(1).sum(1).abs().max() < 1e-5
    remembered = walk.memory[:, 1:7]
    torch.testing.assert_close(remembered @ remembered.mT, torch.eye(6).expand(2, 6, 6), atol=1e-4, rtol=0)


def test_low_frequencies_alone_make_low_frequencies():
    model, images = random_linear(classes=2, count=2, side=8)
    labels, rows = model(images).argmax(1), torch.arange(2)
    walk = walk_on(model, images, labels, band=0.25)
    high, wide = walk.bases
    walk.point = (images + high.T @ torch.ones(2, 1, 2, 2) @ wide / 10).clamp(0, 1)
    walk.outward = walk.point - images
    made = walk._direction(rows)
    torch.testing.assert_close(high.T @ (high @ made @ wide.T) @ wide, made, atol=1e-5, rtol=0)


def test_it_comes_nearer_with_more_queries_and_to_the_nearest_point():
    model, images = random_linear(classes=2, count=4)
    labels = model(images).argmax(1)
    optimum = boundaries(model, images, labels, "l2").amin(1)
    few, many = (
        (sizes(surfree(model, images, labels, max_queries=queries, band=1.0), images, "l2") / optimum)
        for queries in (200, 3000)
    )
    assert many.max() <= 1.1
    assert many.max() < few.max()


@pytest.mark.parametrize("max_queries", [1, 2, 8, 40, 201])
def test_no_query_beyond_the_budget(max_queries):
    model, images = random_linear(classes=2, count=3)
    labels = model(images).argmax(1)
    model.queries = 0
    surfree(model, images, labels, max_queries=max_queries)
    assert model.queries <= 3 * max_queries
    assert max_queries < 200 or model.queries == 3 * max_queries


def test_the_widest_angle_shrinks_with_failures():
    walk, rows = stuck()
    for _ in range(4):
        walk.turn(rows)
    assert float(walk.widest) == pytest.approx(math.radians(30) * 0.98**4)
    assert walk.oracle.queries.tolist() == [4 * 6]
