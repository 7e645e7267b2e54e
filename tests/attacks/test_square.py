import pytest
import torch
import torchattacks
from torch import nn

from kerckhoffs import data, zoo
from kerckhoffs.attacks.square import _one_square, _side, square
from tests.linear import Linear


class Counting(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model
        self.unused = nn.Parameter(torch.zeros(1))  # torchattacks looks for the device of a parameter
        self.asked = 0

    def forward(self, images):
        self.asked += len(images)
        return self.model(images)


class Never(nn.Module):
    """Class 0, more surely the brighter the image."""

    def forward(self, images):
        brightness = images.flatten(1).sum(1)
        return torch.stack([10 + brightness, 0 * brightness], 1)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_a_linear_model_is_taken_to_the_corner_of_the_box():
    weight = torch.tensor([[1.0, -1.0, 1.0, -1.0], [0.0, 0.0, 0.0, 0.0]])
    image = torch.tensor([[[[0.6, 0.5], [0.5, 0.5]]]])  # margin 0.1; every pixel must move by 0.026 to flip it
    adversarial = square(Linear(weight), image, torch.tensor([0]), epsilon=0.03, max_queries=500, generator=seeded(0))
    torch.testing.assert_close(adversarial, torch.tensor([[[[0.57, 0.53], [0.47, 0.53]]]]))


def test_the_kept_image_of_perturb_all_has_the_lowest_loss_and_epsilon_everywhere():
    image = torch.full((1, 1, 3, 3), 0.5)
    labels = torch.tensor([0])
    assert torch.equal(square(Never(), image, labels, max_queries=200), image)
    moved = square(Never(), image, labels, epsilon=0.2, max_queries=200, perturb_all=True)
    torch.testing.assert_close(moved, torch.full_like(image, 0.3))


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.3, 1.0])
def test_no_pixel_moves_by_more_than_epsilon_to_the_last_bit(epsilon):
    images = torch.rand(5, 3, 6, 4, generator=seeded(3))
    labels = torch.zeros(5, dtype=torch.int64)
    moved = square(Never(), images, labels, epsilon=epsilon, max_queries=60, perturb_all=True)
    assert float((moved - images).abs().double().max()) <= epsilon
    assert moved.min() >= 0
    assert moved.max() <= 1


def test_the_squares_shrink_on_the_papers_schedule():
    x = torch.zeros(1, 1, 100, 100)
    assert [_side(x, 0.8, step / 10_000) for step in (0, 11, 51, 201, 8001)] == [89, 63, 45, 32, 4]
    assert _side(torch.zeros(1, 1, 2, 2), 0.0, 0.5) == 1


def test_a_proposal_is_one_square_of_one_sign_and_never_idle():
    x = torch.full((200, 1, 6, 7), 0.5)
    best = torch.where(torch.rand(x.shape, generator=seeded(0)) < 0.5, x + 0.25, x - 0.25)
    moved = _one_square(x, best, 0.25, 1, seeded(1))
    changed = moved != best
    assert (changed.flatten(1).sum(1) == 1).all(), "a single pixel has one value that is not its own"
    moved = _one_square(x, x, 0.25, 3, seeded(2))
    changed = moved != x
    assert (changed.any(2).sum(2) == 3).all()
    assert (changed.any(3).sum(2) == 3).all()
    assert (changed.flatten(1).sum(1) == 9).all()
    where = changed.flatten(1).float().argmax(1)
    assert len(where.unique()) == 20, "the square starts at any of 4 x 5 places"
    assert set(moved.unique().tolist()) == {0.25, 0.5, 0.75}


@pytest.mark.parametrize("max_queries", [1, 2, 37])
def test_the_budget_is_used_and_kept(max_queries):
    model = Counting(Never())
    images = torch.full((3, 1, 4, 4), 0.5)
    square(model, images, torch.zeros(3, dtype=torch.int64), max_queries=max_queries)
    assert model.asked == 3 * max_queries


def test_an_image_that_is_done_asks_no_more():
    weight = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    model = Counting(Linear(weight - torch.tensor([[0.0, 0.0], [0.9, 0.9]])))
    steps = []
    images = torch.tensor([[[[0.0, 0.0]]]])
    square(model, images, torch.tensor([0]), epsilon=0.5, max_queries=500, on_step=steps.append)
    assert model.asked < 10
    assert steps[-1].done == model.asked
    assert steps[-1].total == 500


@pytest.mark.parametrize("targeted", [False, True])
def test_it_fools_as_many_as_torchattacks_for_the_same_queries(targeted):
    model = zoo.load("mnist-table2-classical")
    images, labels = data.load("mnist", indices=range(16))
    goal = (labels + 1) % 10 if targeted else labels
    epsilon, queries = (0.2, 150) if targeted else (0.15, 150)

    def successes(found):
        predicted = model(found).argmax(1)
        return int(((predicted == goal) if targeted else (predicted != goal)).sum())

    ours = square(model, images, goal, targeted=targeted, epsilon=epsilon, max_queries=queries, generator=seeded(0))
    peer = torchattacks.Square(
        Counting(model).eval(),
        eps=epsilon,
        n_queries=queries,
        p_init=0.8,
        loss="ce" if targeted else "margin",
        resc_schedule=True,
    )
    if targeted:
        peer.set_mode_targeted_by_function(lambda images, labels: labels)
    assert successes(ours) >= successes(peer(images, goal)) - 2
