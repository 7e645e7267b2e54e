import pytest
import torch
from torch import nn

from kerckhoffs.attackers.recovery import recover

SHAPE, CLASSES = (1, 5, 5), 6


@pytest.fixture(scope="module")
def permuted():
    """Images whose pixels differ in what they say of the class, a network that reads them exactly right in another
    order, and that order."""
    generator = torch.Generator().manual_seed(0)
    chances = 0.1 + 0.8 * torch.rand(CLASSES, 25, generator=generator)  # of ink, by class and pixel
    labels = torch.randint(CLASSES, (3000,), generator=generator)
    images = torch.bernoulli(chances[labels], generator=generator)
    order = torch.randperm(25, generator=generator)
    network = nn.Sequential(nn.Flatten(), nn.Linear(25, CLASSES))
    with torch.no_grad():  # Bayes' rule for independent pixels
        network[1].weight.copy_((chances / (1 - chances)).log()[:, order])
        network[1].bias.copy_((1 - chances).log().sum(1))
    return network.eval().requires_grad_(False), images.view(-1, *SHAPE), labels, order


def test_the_order_is_found_where_the_weights_tell_it(permuted):
    network, images, labels, order = permuted
    found = recover(network, images, labels, seed=0, iterations=400)
    assert sorted(found.tolist()) == list(range(25))
    assert int((found == order).sum()) >= 20
    best, read = (network(images.flatten(1)[:, each].view(-1, *SHAPE)).argmax(1) == labels for each in (order, found))
    assert read.float().mean() > best.float().mean() - 0.02


def test_it_is_the_same_with_the_same_seed_and_can_be_stopped(permuted):
    network, images, labels, _ = permuted
    first, second = (recover(network, images, labels, seed=3, iterations=20) for _ in range(2))
    assert torch.equal(first, second)
    shares = []
    recover(network, images, labels, seed=3, iterations=20, on_step=lambda share: shares.append(share) or share >= 0.2)
    assert shares == [0.05, 0.1, 0.15, 0.2]


def test_what_makes_no_sense_is_refused(permuted):
    network, images, labels, _ = permuted
    with pytest.raises(ValueError, match="must be at least 1"):
        recover(network, images, labels, seed=0, iterations=0)
    with pytest.raises(ValueError, match="as many labels as images"):
        recover(network, images, labels[:-1], seed=0)
