import pytest
import torch
import torchattacks
from hypothesis import given
from hypothesis import strategies as st

from kerckhoffs import data, zoo
from kerckhoffs.attacks import fab
from kerckhoffs.attacks.fab import to_hyperplane
from tests.linear import Linear
from tests.peers import Single


@given(st.integers(0, 2**31), st.floats(-4, 4))
def test_the_step_to_a_hyperplane_is_the_smallest_in_the_box_that_arrives(seed, rise):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(1, 1, 2, 3, generator=generator)
    x[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    slope = torch.randn(x.shape, generator=generator)
    slope[0, 0, 1, 0] = 0
    found = to_hyperplane(x, slope, torch.tensor([rise]))

    def best(radius):
        """The most that a step of this size can give in the direction of the rise."""
        ends = torch.stack([(x - radius).clamp_min(0), (x + radius).clamp_max(1)]).double() - x.double()
        return float((ends * slope.double()).amax(0).sum() if rise > 0 else -(ends * slope.double()).amin(0).sum())

    radius, given = float(found.abs().max()), float((slope.double() * found.double()).sum())
    assert (x + found).min() >= -1e-6
    assert (x + found).max() <= 1 + 1e-6
    if abs(rise) <= best(1.0):
        assert given == pytest.approx(rise, abs=1e-5)
        assert best(radius) == pytest.approx(abs(rise), abs=1e-5), "with less it would not arrive"
    else:
        assert abs(given) == pytest.approx(best(1.0), abs=1e-5)


def test_of_several_classes_it_finds_the_nearest_unless_that_is_not_among_the_likeliest():
    """Class 1 is the likeliest wrong one, and pixel 0 has 0.4 to go; class 2 trails by more, and pixel 1 has 0.1."""
    model = Linear(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 10.0]]), torch.tensor([0.0, -0.9, -6.0]))
    image, label = torch.full((1, 1, 1, 2), 0.5), torch.tensor([0])
    for found, size in ((fab(model, image, label), 0.1), (fab(model, image, label, classes=1), 0.4)):
        assert float((found - image).abs().max()) == pytest.approx(size, rel=0.01)
        assert model(found).argmax(1) != 0


@pytest.mark.parametrize("model_id", ["mnist-table1-classical", "mnist-table1-keyed"])
def test_its_examples_are_as_small_as_torchattacks(model_id):
    model = zoo.load(model_id)
    images, labels = data.load("mnist", indices=range(6))
    ours = fab(model, images, labels, iterations=10, classes=3)
    peer = torchattacks.FAB(Single(model), eps=1.0, steps=10, multi_targeted=True, n_classes=10)

    def sizes(found):
        assert (model(found).argmax(1) != labels).all()
        return (found - images).abs().amax((1, 2, 3))

    smallest = torch.full((6,), torch.inf)
    for rank in (2, 3, 4):  # with an epsilon that all examples keep, its own loop would end after the first class
        peer.target_class = rank
        smallest = torch.minimum(smallest, sizes(peer.attack_single_run_targeted(images, labels)))
    torch.testing.assert_close(sizes(ours), smallest, rtol=0.03, atol=0)
