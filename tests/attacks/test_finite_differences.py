import pytest
import torch
from torch import nn

from kerckhoffs import data, zoo
from kerckhoffs.attacks import fgsm, finite_differences
from tests.linear import Linear

ONE = torch.tensor([0])


class Hill(nn.Module):
    """Class 1 is most likely where pixel 0 is 0.3, and pixel 1 is 1; class 0 always leads. Refuses what is no image."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def forward(self, images):
        assert images.min() >= 0
        assert images.max() <= 1
        self.asked += images.flatten(1).tolist()
        x, y = images.flatten(1).T
        return torch.stack([0 * x + 30, y - 10 * (x - 0.3).square()], 1)


def picture(*pixels):
    return torch.tensor([[[list(pixels)]]])


@pytest.mark.parametrize("sided", ["one", "two"])
@pytest.mark.parametrize("targeted", [False, True])
def test_one_step_on_a_keyed_network_is_fgsms_but_for_slopes_next_to_0(sided, targeted):
    model = zoo.load("mnist-table1-keyed")
    images, labels = data.load("mnist", indices=range(2))
    goal = (labels + 1) % 10 if targeted else labels
    options = {"targeted": targeted, "epsilon": 0.1, "perturb_all": True}
    expected = fgsm(model, images, goal, **options)
    found = finite_differences(model, images, goal, iterations=1, sided=sided, **options)
    assert (found == expected).float().mean() > 0.95


def test_one_side_sees_what_is_there_after_the_step_and_two_what_is_here():
    """From 0.29 the hill rises, but 0.05 further on it is lower than here, and 0.05 back lower still."""
    image, options = picture(0.29, 0.5), {"epsilon": 0.1, "iterations": 1, "delta": 0.05, "perturb_all": True}
    torch.testing.assert_close(finite_differences(Hill(), image, ONE, sided="one", **options), picture(0.19, 0.6))
    torch.testing.assert_close(finite_differences(Hill(), image, ONE, sided="two", **options), picture(0.39, 0.6))


@pytest.mark.parametrize(("sided", "queries"), [("one", [1, 2, 1]), ("two", [1, 4, 1])])
def test_a_step_takes_one_query_a_value_and_side_and_one_to_judge(sided, queries):
    model, steps = Hill(), []
    finite_differences(model, picture(0.2, 0.2), ONE, iterations=3, sided=sided, on_step=steps.append)
    look, gradient, judged = queries
    assert len(model.asked) == look + 3 * (gradient + judged) == int(steps[-1].queries)
    assert steps[-1].done == steps[-1].total == len(model.asked)


@pytest.mark.parametrize("sided", ["one", "two"])
def test_at_the_walls_of_the_box_the_difference_is_taken_inside(sided):
    options = {"epsilon": 0.1, "iterations": 1, "sided": sided, "perturb_all": True}
    away = finite_differences(Hill(), picture(0.0, 1.0), ONE, **options)
    torch.testing.assert_close(away, picture(0.1, 1.0))
    towards = finite_differences(Hill(), picture(0.0, 1.0), ONE, targeted=True, **options)
    torch.testing.assert_close(towards, picture(0.0, 0.9))


def test_it_stops_asking_for_an_image_that_fools():
    model, steps = Linear(torch.eye(3)), []
    images = torch.cat([picture(0.51, 0.5, 0.0), picture(1.0, 0.0, 0.0)])
    finite_differences(model, images, torch.tensor([0, 0]), epsilon=0.1, iterations=4, on_step=steps.append)
    assert steps[-1].queries.tolist() == [1 + 4, 1 + 4 * 4]


def test_a_confident_model_still_gives_a_direction():
    """p_0 is 1 in float32, and its difference 0; that of the other class's logarithm is not."""
    model = Linear(torch.tensor([[40.0, 40.0], [-40.0, 0.0]]))
    found = finite_differences(model, picture(0.9, 0.9), ONE, epsilon=0.1, iterations=1, perturb_all=True)
    torch.testing.assert_close(found, picture(0.8, 0.8))


def test_the_margin_moves_two_classes_only():
    options = {"epsilon": 0.1, "iterations": 1, "perturb_all": True}
    found = finite_differences(Linear(torch.eye(3)), picture(0.9, 0.5, 0.3), ONE, loss="margin", **options)
    torch.testing.assert_close(found[..., :2], picture(0.8, 0.6))
    found = finite_differences(Linear(torch.eye(3)), picture(0.9, 0.5, 0.3), ONE, loss="ce", **options)
    torch.testing.assert_close(found, picture(0.8, 0.6, 0.4))
