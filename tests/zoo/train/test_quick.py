"""Convolutions in another way, with the same results."""

import pytest
import torch
from torch import nn

from kerckhoffs.data import DATASETS
from kerckhoffs.zoo import networks
from kerckhoffs.zoo.networks import NETWORKS
from kerckhoffs.zoo.train.quick import QuickConv2d, quicken

CONVOLUTIONS = {
    "strided, padded": (nn.Conv2d(1, 6, 8, stride=2, padding=3), (1, 28, 28)),
    "strided, three channels": (nn.Conv2d(3, 6, 4, stride=4), (3, 12, 8)),
    "strided, uneven padding": (nn.Conv2d(2, 6, (4, 2), stride=2, padding=(1, 2)), (2, 8, 10)),
    "strided, a side that is not whole": (nn.Conv2d(1, 6, 4, stride=2), (1, 9, 8)),
    "strided, a kernel that is not whole": (nn.Conv2d(1, 6, 3, stride=2), (1, 8, 8)),
    "two strides": (nn.Conv2d(1, 6, 4, stride=(2, 4)), (1, 8, 8)),
    "strided, many channels": (nn.Conv2d(5, 6, 4, stride=2), (5, 8, 8)),
    "as large as the image": (nn.Conv2d(7, 6, (5, 4)), (7, 5, 4)),
    "as large as the image, padded": (nn.Conv2d(7, 6, 4, padding=1), (7, 4, 4)),
    "neither": (nn.Conv2d(3, 6, 3), (3, 8, 8)),
}
OTHERS = {
    "no bias": nn.Conv2d(2, 4, 2, stride=2, bias=False),
    "groups": nn.Conv2d(2, 4, 2, stride=2, groups=2),
    "dilation": nn.Conv2d(2, 4, 2, stride=2, dilation=2),
    "mirrored": nn.Conv2d(2, 4, 2, stride=2, padding=1, padding_mode="reflect"),
    "same": nn.Conv2d(2, 4, 3, padding="same"),
}


@pytest.mark.parametrize(("convolution", "shape"), CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_results_and_gradients_are_those_of_the_plain_convolution(convolution, shape):
    quick = nn.Conv2d(1, 1, 1)
    quick.__dict__ = {**convolution.__dict__}
    quick = quicken(quick)
    assert type(quick) is QuickConv2d
    assert type(convolution) is nn.Conv2d
    images = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    results = []
    for each in (convolution, quick):
        inputs = images.clone().requires_grad_()
        out = each(inputs)
        weights = torch.linspace(-1, 1, out.numel()).view(out.shape)
        results.append((out, *torch.autograd.grad((weights * out).sum(), [inputs, *each.parameters()])))
    for plain, other in zip(*results, strict=True):
        torch.testing.assert_close(other, plain, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("convolution", OTHERS.values(), ids=OTHERS)
def test_what_is_not_plain_is_left_alone(convolution):
    assert type(quicken(convolution)) is nn.Conv2d


def test_a_subclass_is_left_alone():
    class Own(nn.Conv2d):
        pass

    assert type(quicken(Own(1, 1, 2))) is Own


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_quickened_as_a_whole_and_is_afterwards_as_it_was(name):
    network = networks.build(name, "mnist").eval()
    kinds, names = [type(each) for each in network.modules()], list(network.state_dict())
    images = torch.rand(4, *DATASETS["mnist"].shape, generator=torch.Generator().manual_seed(0))
    plain = network(images)
    assert quicken(network) is network
    assert nn.Conv2d not in {type(each) for each in network.modules()}
    assert list(network.state_dict()) == names
    torch.testing.assert_close(network(images), plain, atol=1e-5, rtol=1e-4)
    quicken(network, on=False)
    assert [type(each) for each in network.modules()] == kinds
    assert torch.equal(network(images), plain)
