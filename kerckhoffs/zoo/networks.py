"""The paper's networks, Table 1 (attacked with FGSM) and 2 (attacked with Carlini-Wagner), and three simpler ones.

They map images (N, C, H, W) in [0, 1] to logits (N, K). The tables give filters and kernels only; strides, padding
and the dropout rate are those of the public code that the paper names (CleverHans' basic network for Table 1, Carlini
and Wagner's for Table 2). The sizes in the comments are those for 28 x 28. To add a network, write its function and
its entry in NETWORKS.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from kerckhoffs.checks import check_choice
from kerckhoffs.data import DATASETS, Dataset

FLOAT32: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}  # whatever torch's defaults are


def table1(dataset: Dataset, width: int = 64) -> nn.Sequential:
    """Paper, Table 1: three convolutions with strides 2, 2, 1, the first padded by 3, and one dense layer.

    Args:
        width: filters of the first convolution; the others have twice as many.
    """
    convolutions = (
        nn.Conv2d(dataset.shape[0], width, 8, stride=2, padding=3, **FLOAT32),  # (N, width, 14, 14)
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 6, stride=2, **FLOAT32),  # (N, 2 width, 5, 5)
        nn.ReLU(),
        nn.Conv2d(2 * width, 2 * width, 5, **FLOAT32),  # (N, 2 width, 1, 1)
        nn.ReLU(),
        nn.Flatten(),
    )
    return nn.Sequential(*convolutions, nn.Linear(_features(convolutions, dataset), len(dataset.classes), **FLOAT32))


def table2(dataset: Dataset) -> nn.Sequential:
    """Paper, Table 2: four 3x3 convolutions without padding, two poolings, three dense layers, dropout 0.5.

    "32/64", "64/128" and "200/256" in the paper's table are the widths for MNIST and for Fashion-MNIST; any other set
    gets the wider ones.
    """
    first, second, hidden = (32, 64, 200) if dataset.id == "mnist" else (64, 128, 256)
    convolutions = (
        nn.Conv2d(dataset.shape[0], first, 3, **FLOAT32),  # (N, first, 26, 26)
        nn.ReLU(),
        nn.Conv2d(first, first, 3, **FLOAT32),
        nn.ReLU(),
        nn.MaxPool2d(2),  # (N, first, 12, 12)
        nn.Conv2d(first, second, 3, **FLOAT32),
        nn.ReLU(),
        nn.Conv2d(second, second, 3, **FLOAT32),
        nn.ReLU(),
        nn.MaxPool2d(2),  # (N, second, 4, 4)
        nn.Flatten(),
    )
    return nn.Sequential(
        *convolutions,
        nn.Linear(_features(convolutions, dataset), hidden, **FLOAT32),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(hidden, hidden, **FLOAT32),
        nn.ReLU(),
        nn.Linear(hidden, len(dataset.classes), **FLOAT32),
    )


def half(dataset: Dataset) -> nn.Sequential:
    """Table 1 with half the filters in every layer: a quarter of the weights, for defences of many networks."""
    return table1(dataset, 32)


def mlp(dataset: Dataset, widths: tuple[int, ...] = (512, 512)) -> nn.Sequential:
    """Dense layers alone: what it can learn does not depend on the order of the pixels.

    Args:
        widths: of the hidden layers.
    """
    sizes = (math.prod(dataset.shape), *widths)
    hidden = [
        layer
        for before, after in zip(sizes, widths, strict=False)
        for layer in (nn.Linear(before, after, **FLOAT32), nn.ReLU())
    ]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(sizes[-1], len(dataset.classes), **FLOAT32))


def linear(dataset: Dataset) -> nn.Sequential:
    """One dense layer: the gradient is the same for every image that is read as the same class."""
    return mlp(dataset, ())


def _features(convolutions: tuple[nn.Module, ...], dataset: Dataset) -> int:
    """How many numbers a dense layer gets from these layers."""
    image = torch.zeros(1, *dataset.shape, **FLOAT32)
    try:
        with torch.inference_mode():
            return int(nn.Sequential(*convolutions)(image).shape[1])
    except RuntimeError as error:
        raise ValueError(f"images of shape {dataset.shape} are too small for this network") from error


@dataclass(frozen=True)
class Network:
    """An entry of the registry: an architecture that can be built for a data set.

    Args:
        layers: what it is, in two words for a menu.
        summary: what it is, in a sentence.
    """

    id: str
    name: str
    layers: str
    summary: str
    build: Callable[[Dataset], nn.Sequential]


NETWORKS: dict[str, Network] = {
    network.id: network
    for network in (
        Network(
            "table1",
            "Table 1",
            "3 conv, 1 dense",
            "The paper's network for FGSM: 3 convolutions, 1 dense layer.",
            table1,
        ),
        Network(
            "table2",
            "Table 2",
            "4 conv, 3 dense",
            "The paper's network for CW: 4 convolutions, 3 dense layers.",
            table2,
        ),
        Network(
            "half",
            "Table 1, half as wide",
            "3 conv, 1 dense",
            "The paper's network for FGSM with half the filters: where a defence needs many networks.",
            half,
        ),
        Network(
            "mlp",
            "MLP",
            "3 dense",
            "A fully connected network, of an attacker who does not know the design: it does not care about the order "
            "of pixels.",
            mlp,
        ),
        Network(
            "linear",
            "Linear",
            "1 dense",
            "One dense layer, of an attacker who knows next to nothing: the weakest network that learns anything.",
            linear,
        ),
    )
}


def build(network: str, dataset: str) -> nn.Sequential:
    """Build an untrained network of NETWORKS for a set of data.DATASETS.

    Raises:
        ValueError: on an unknown network or set, or one whose images are too small for the network.
    """
    check_choice(network, NETWORKS, "network")
    check_choice(dataset, DATASETS, "dataset")
    return NETWORKS[network].build(DATASETS[dataset])
