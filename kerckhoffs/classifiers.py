"""The paper's networks: Table 1 (attacked with FGSM) and Table 2 (attacked with Carlini-Wagner).

They map images (N, 1, 28, 28) in [0, 1] to logits (N, 10). The tables give filters and kernels only; strides,
padding and the dropout rate are those of the public code that the paper names (CleverHans' basic network for
Table 1, Carlini and Wagner's for Table 2). To add a network, write its function and its entry in CLASSIFIERS.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from kerckhoffs.checks import check_choice
from kerckhoffs.data import DATASETS


def table1(dataset: str) -> nn.Sequential:
    """Paper, Table 1: three convolutions with strides 2, 2, 1, the first padded by 3, and one dense layer."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 8, stride=2, padding=3),  # (N, 64, 14, 14)
        nn.ReLU(),
        nn.Conv2d(64, 128, 6, stride=2),  # (N, 128, 5, 5)
        nn.ReLU(),
        nn.Conv2d(128, 128, 5),  # (N, 128, 1, 1)
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128, len(DATASETS[dataset].classes)),
    )


def table2(dataset: str) -> nn.Sequential:
    """Paper, Table 2: four 3x3 convolutions without padding, two poolings, three dense layers, dropout 0.5.

    "32/64", "64/128" and "200/256" in the paper's table are the widths for MNIST and for Fashion-MNIST.
    """
    first, second, hidden = (32, 64, 200) if dataset == "mnist" else (64, 128, 256)
    return nn.Sequential(
        nn.Conv2d(1, first, 3),  # (N, first, 26, 26)
        nn.ReLU(),
        nn.Conv2d(first, first, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),  # (N, first, 12, 12)
        nn.Conv2d(first, second, 3),
        nn.ReLU(),
        nn.Conv2d(second, second, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),  # (N, second, 4, 4)
        nn.Flatten(),
        nn.Linear(second * 16, hidden),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, len(DATASETS[dataset].classes)),
    )


@dataclass(frozen=True)
class Classifier:
    """An entry of the registry: a network that can be built for a dataset."""

    id: str
    name: str
    summary: str
    build: Callable[[str], nn.Sequential]


CLASSIFIERS: dict[str, Classifier] = {
    "table1": Classifier("table1", "Table 1", "The paper's network for FGSM: 3 convolutions, 1 dense layer.", table1),
    "table2": Classifier("table2", "Table 2", "The paper's network for CW: 4 convolutions, 3 dense layers.", table2),
}


def build(classifier: str, dataset: str) -> nn.Sequential:
    """Build an untrained network of CLASSIFIERS for a set of data.DATASETS.

    Raises:
        ValueError: on an unknown network or set.
    """
    check_choice(classifier, CLASSIFIERS, "classifier")
    check_choice(dataset, DATASETS, "dataset")
    return CLASSIFIERS[classifier].build(dataset)
