import pytest
import torch

from kerckhoffs.attacks.ddn import ddn
from kerckhoffs.attacks.geometry import cosine, unit
from tests.linear import Linear, boundaries, random_linear, sizes


def test_it_finds_the_nearest_boundary_of_a_linear_model():
    model, images = random_linear(classes=5, scale=10)
    labels = model(images).argmax(1)
    adversarial = ddn(model, images, labels)
    assert (model(adversarial).argmax(1) != labels).all()
    ratio = sizes(adversarial, images, "l2") / boundaries(model, images, labels, "l2").amin(1)
    assert ratio.min() >= 1
    assert ratio.max() <= 1.05


def test_it_reaches_a_target_at_the_distance_of_its_boundary():
    model, images = random_linear(classes=2, scale=10)
    predicted = model(images).argmax(1)
    adversarial = ddn(model, images, 1 - predicted, targeted=True)
    assert torch.equal(model(adversarial).argmax(1), 1 - predicted)
    assert (sizes(adversarial, images, "l2") / boundaries(model, images, predicted, "l2").amin(1)).max() <= 1.05


def test_the_first_steps_by_hand():
    """Up the log-odds is (-1, 1) / sqrt 2; 0.8 / sqrt 2 = 0.566 in that direction is enough."""
    model, image = Linear(torch.eye(2)), torch.tensor([[[[0.95, 0.15]]]])
    seen = []
    ddn(
        model,
        image,
        torch.tensor([0]),
        iterations=3,
        initial_norm=0.3,
        gamma=0.5,
        on_step=lambda step: seen.append(step.current),
    )
    length = [float(sizes(each, image, "l2")) for each in seen]
    assert length == pytest.approx([0.45, 0.675, 0.3375])  # fails and grows, succeeds and shrinks
    expected = torch.tensor([[[[-1.0, 1.0]]]]) / 2**0.5
    torch.testing.assert_close(unit(seen[0] - image), expected)


def test_the_norm_grows_no_further_than_the_farthest_corner():
    """Class 1 is behind pixel 0 alone at 1; a norm of a thousand would not come back in time."""
    model, image = (
        Linear(torch.tensor([[0.0, 0.0], [1.0, 0.1]]), torch.tensor([0.9, 0.0])),
        torch.full((1, 1, 1, 2), 0.1),
    )
    adversarial = ddn(model, image, torch.tensor([0]), iterations=30, initial_norm=1000.0)
    assert float(sizes(adversarial, image, "l2")) < 0.9


def test_a_confident_model_still_gives_a_direction():
    """exp(-500) is 0 in float32 and in float64: the cross-entropy here is flat."""
    model, image = Linear(torch.tensor([[1000.0, 0.0], [0.0, 1000.0]])), torch.tensor([[[[0.8, 0.3]]]])
    adversarial = ddn(model, image, torch.tensor([0]))
    assert float(sizes(adversarial, image, "l2")) == pytest.approx(0.5 / 2**0.5, rel=0.01)


def test_more_iterations_find_less():
    model, images = random_linear(classes=5, scale=10)
    labels = model(images).argmax(1)
    few, many = (sizes(ddn(model, images, labels, iterations=count), images, "l2") for count in (15, 150))
    assert many.mean() < few.mean()


def test_cosine_starts_at_the_first_and_ends_at_the_last():
    assert [cosine(1.0, 0.2, part) for part in (0, 0.5, 1)] == pytest.approx([1.0, 0.6, 0.2])


def test_unit_keeps_zeros_and_the_direction_of_tiny_numbers():
    delta = torch.zeros(3, 1, 1, 2)
    delta[1], delta[2] = torch.tensor([3e-30, 4e-30]), torch.tensor([3.0, 4.0])
    expected = torch.tensor([[0.0, 0.0], [0.6, 0.8], [0.6, 0.8]]).view(3, 1, 1, 2)
    torch.testing.assert_close(unit(delta), expected)
