import pytest
import torch
from torch import nn

from kerckhoffs.attacks import hop_skip_jump
from kerckhoffs.attacks.boundary import DIRECTIONS, _noise
from kerckhoffs.attacks.hop_skip_jump import HALVINGS, LEAST_PROBES, _Walk
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
    assert torch.equal(walk.find_starts((images, labels), lambda: False), rows)
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


class ReadsMarks(Linear):
    """Class 1 + m where one of its marks, single bright pixels, stands alone; else class 0. No noise is alone."""

    def __init__(self):
        super().__init__(torch.zeros(2, 1))

    def forward(self, images):
        self.queries += len(images)
        flat = images.flatten(1)
        alone = (flat > 0.5) & (flat.sum(1, keepdim=True) < 1.5)
        return torch.cat([torch.full((len(flat), 1), 0.5), alone.float()], 1)


def marks(*places):
    return nn.functional.one_hot(torch.tensor(places), 16).float().view(-1, 1, 4, 4)


DARK, AIMS = torch.full((2, 1, 4, 4), 0.02), torch.tensor([4, 8])  # classes 4 and 8 are the marks at 3 and 7


def test_where_noise_gives_no_start_it_starts_from_training_images_of_the_class_it_aims_at():
    model, training = ReadsMarks(), (marks(0, 3, 7, 9), torch.tensor([1, 4, 8, 10]))
    assert torch.equal(hop_skip_jump(model, DARK, AIMS, targeted=True, max_queries=200), DARK)
    made = hop_skip_jump(model, DARK, AIMS, targeted=True, max_queries=200, training=training)
    assert model(made).argmax(1).tolist() == AIMS.tolist()
    assert (sizes(made, DARK, "l2") < 0.6).all(), "it has walked on from there"
    untargeted = hop_skip_jump(model, DARK, torch.zeros(2, dtype=torch.int64), max_queries=200, training=training)
    assert (model(untargeted).argmax(1) != 0).all()


def test_training_images_of_other_classes_cost_no_query_and_the_nearest_comes_first():
    images, labels = torch.cat([marks(3), 0.8 * marks(3), marks(9)]), torch.tensor([4, 4, 10])
    asked = []

    class Asked(ReadsMarks):
        def forward(self, shown):
            asked.extend(shown)
            return super().forward(shown)

    hop_skip_jump(Asked(), DARK[:1], AIMS[:1], targeted=True, max_queries=60, training=(images, labels))
    assert torch.equal(asked[1 + DIRECTIONS], images[1])  # after the clean image and the noise
    assert not any(torch.equal(each, images[2]) for each in asked)


def test_without_training_images_it_starts_from_the_others_that_it_attacks():
    images, model = torch.cat([DARK, marks(3)]), ReadsMarks()
    aims = torch.tensor([4, 4, 8])
    made = hop_skip_jump(model, images, aims, targeted=True, max_queries=100)
    assert model(made).argmax(1).tolist() == [4, 4, 4]
    assert torch.equal(made[2:], images[2:])


@pytest.mark.parametrize("max_queries", [1, 5, 200])
def test_a_start_that_was_not_found_is_told_apart_from_a_failed_attack(max_queries):
    images, aims = torch.cat([DARK, marks(8)]), torch.tensor([4, 8, 9])  # the last one is read as its aim already
    steps = []
    training = marks(3), torch.tensor([4])
    hop_skip_jump(
        ReadsMarks(), images, aims, targeted=True, max_queries=max_queries, training=training, on_step=steps.append
    )
    assert steps[0].no_start.tolist() == [True, True, False]
    assert steps[-1].no_start.tolist() == [max_queries < 200, True, False]


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
