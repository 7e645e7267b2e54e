import pytest
import torch

from kerckhoffs import data, zoo
from kerckhoffs.attacks.fmn import fmn_l0, fmn_l2, fmn_linf
from kerckhoffs.attacks.geometry import norms, project
from tests.linear import Linear, boundaries, random_linear

ATTACKS = {0: fmn_l0, 2: fmn_l2, torch.inf: fmn_linf}
NAMES = {0: "l0", 2: "l2", torch.inf: "linf"}
every_norm = pytest.mark.parametrize("p", [0, 2, torch.inf])


@pytest.mark.parametrize("p", [2, torch.inf])
def test_it_finds_the_boundaries_of_a_linear_model(p):
    """The margin follows the highest other logit, so now and then it ends at a boundary that is not the nearest."""
    model, images = random_linear(classes=5)
    labels = model(images).argmax(1)
    adversarial = ATTACKS[p](model, images, labels)
    reached = model(adversarial).argmax(1)
    assert (reached != labels).all()
    distance, size = boundaries(model, images, labels, NAMES[p]), norms(adversarial - images, p)
    ratio = size / distance.amin(1)
    assert ratio.min() >= 1 - 1e-4
    assert ratio.median() <= 1.05 if p == 2 else ratio.median() <= 1.1
    assert ratio.max() <= 1.25


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("p", [2, torch.inf])
def test_it_finds_the_only_boundary_of_two_classes(p, targeted):
    model, images = random_linear(classes=2)
    labels = model(images).argmax(1)
    adversarial = ATTACKS[p](model, images, 1 - labels if targeted else labels, targeted=targeted)
    assert torch.equal(model(adversarial).argmax(1), 1 - labels)
    ratio = norms(adversarial - images, p) / boundaries(model, images, labels, NAMES[p]).amin(1)
    assert 1 - 1e-4 <= ratio.min() <= ratio.max() <= 1.05


@pytest.mark.parametrize("depth", [0.5, 1.0, 2.0])
def test_it_finds_the_fewest_pixels(depth):
    model, images = random_linear(classes=2, depth=depth)
    labels = model(images).argmax(1)
    fewest = boundaries(model, images, labels, "l0").amin(1)
    assert fewest.max() >= {0.5: 2, 1.0: 3, 2.0: 5}[depth]
    assert torch.equal(norms(fmn_l0(model, images, labels, iterations=300) - images, 0), fewest)


def test_a_pixel_of_three_channels_counts_once():
    """One pixel with three channels is enough, or two values in two pixels."""
    weight = torch.tensor([[0.6, 0.6, 0.0, 0.0, 0.6, 0.0]])  # (channel, pixel): 0.6 0.6 | 0 0 | 0.6 0
    model = Linear(torch.cat([0 * weight, weight]), torch.tensor([0.9, 0.0]))
    images = torch.zeros(1, 3, 1, 2)
    adversarial = fmn_l0(model, images, torch.tensor([0]))
    assert model(adversarial).argmax(1).item() == 1
    assert (adversarial != images).any(1).sum().item() == 1


@every_norm
def test_where_the_box_is_in_the_way(p):
    """Pixel 0 can rise by 0.1 and pixel 2 fall by 0.05; the logit must rise by 1.5."""
    weight = torch.tensor([[0.0, 0.0, 0.0, 0.0], [3.0, 1.0, -1.0, 2.0]])
    image = torch.tensor([[[[0.9, 0.5, 0.05, 0.0]]]])
    model = Linear(weight, torch.tensor([0.0, -float(weight[1] @ image.flatten()) - 1.5]))
    adversarial = ATTACKS[p](model, image, torch.tensor([0]), iterations=300)
    # 0.3 and 0.05 from the walls; the rest is 1.15: over (1, 2) in l2, over 1 + 2 in linf. Pixel 3 alone in l0.
    optimum = {0: 1.0, 2: (0.1**2 + 0.05**2 + 1.15**2 / 5) ** 0.5, torch.inf: 1.15 / 3}[p]
    assert float(norms(adversarial - image, p)) == pytest.approx(optimum, rel=0.05)
    assert model(adversarial).argmax(1).item() == 1


def test_the_first_radius_is_the_distance_of_the_boundary():
    """A linear model says where its boundary is: the first step ends on it."""
    model, image = Linear(torch.tensor([[3.0, 0.0], [0.0, 4.0]])), torch.tensor([[[[0.8, 0.2]]]])  # margin 1.6
    seen = []
    fmn_l2(model, image, torch.tensor([0]), iterations=2, on_step=lambda step: seen.append(step.current - image))
    torch.testing.assert_close(seen[0].flatten(), torch.tensor([-0.6, 0.8]) * 1.6 / 5)
    seen.clear()
    fmn_linf(model, image, torch.tensor([0]), iterations=2, on_step=lambda step: seen.append(step.current - image))
    torch.testing.assert_close(seen[0].flatten(), torch.tensor([-1.0, 1.0]) * 1.6 / 7)


def test_projections_by_hand():
    delta = torch.tensor([[[[3.0, -4.0, 0.5]]]]).repeat(2, 1, 1, 1)
    radius = torch.tensor([2.0, 10.0])
    assert project(delta, radius, torch.inf).flatten(1).tolist() == [[2.0, -2.0, 0.5], [3.0, -4.0, 0.5]]
    torch.testing.assert_close(project(delta, radius, 2)[0], delta[0] * 2 / 25.25**0.5)
    assert torch.equal(project(delta, radius, 2)[1], delta[1])
    assert project(delta, radius, 0).flatten(1).tolist() == [[3.0, -4.0, 0.0], [3.0, -4.0, 0.5]]
    level = torch.full((1, 2, 2, 2), 0.1)
    assert norms(project(level, torch.tensor([3.0]), 0), 0).tolist() == [3.0], "ties too give e pixels, not more"
    assert project(torch.zeros(1, 1, 1, 2), torch.tensor([0.0]), 2).tolist() == [[[[0.0, 0.0]]]]


def test_more_iterations_and_a_smaller_gamma_matter():
    model = zoo.load("mnist-table2-classical")
    images, labels = data.load("mnist", indices=range(4))
    size = {
        options: float(norms(fmn_l2(model, images, labels, iterations=options[0], gamma=options[1]) - images, 2).mean())
        for options in ((10, 0.05), (60, 0.05), (10, 0.5))
    }
    assert size[60, 0.05] < 0.97 * size[10, 0.05]
    assert size[10, 0.5] != size[10, 0.05]
