"""A set and a network for tests of training, so small that an epoch takes milliseconds."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from kerckhoffs import data
from kerckhoffs.data import DATASETS, Dataset
from kerckhoffs.defences import DEFENCES
from kerckhoffs.keys import Key
from kerckhoffs.zoo.networks import NETWORKS, Network
from kerckhoffs.zoo.train import Recipe, pool
from kerckhoffs.zoo.train.pool import Member

SHAPE, CLASSES = (1, 8, 8), 4
SIZES = {"train": 48, "validation": 24, "test": 16}
QUICK = Recipe(epochs=3, batch_size=12, learning_rate=0.01, average=0.5, shift=1)  # 4 steps an epoch
TRAININGS = {
    "classical": QUICK,
    "keyed": QUICK,
    "kda": QUICK,
    "noise": QUICK,
    "keyed-distilled": replace(QUICK, temperature=20.0),
    "keyed-adversarial": replace(QUICK, epsilon=0.1, attack_steps=2),
    "keyed-ensemble-adversarial": replace(QUICK, epsilon=0.1),
}
"""A defence of every way of training, with a recipe for it."""
POOL = (Member((5,), epochs=1), Member("tiny", epochs=2), Member("tiny", "keyed", 1))


def quarters(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noise with one bright spot, whose quarter of the image is the class: (N, 1, 8, 8), (N,)."""
    labels = torch.arange(count) % CLASSES
    generator = torch.Generator().manual_seed(seed)
    images = 0.3 * torch.rand(count, *SHAPE, generator=generator)
    places = torch.randint(3, (count, 2), generator=generator)
    for image, label, (row, column) in zip(images, labels.tolist(), places.tolist(), strict=True):
        top, left = 4 * (label // 2) + row, 4 * (label % 2) + column
        image[:, top : top + 2, left : left + 2] += 0.6
    return images, labels


def bright_blocks(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Of the size of MNIST: noise with one bright block, whose place says the class: two rows of five places."""
    labels = torch.arange(count) % 10
    images = 0.2 * torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(seed))
    for image, label in zip(images, labels.tolist(), strict=True):
        top, left = 14 * (label // 5) + 4, 5 * (label % 5) + 2
        image[:, top : top + 6, left : left + 4] += 0.8
    return images, labels


SETS = {split: quarters(count, seed) for seed, (split, count) in enumerate(SIZES.items())}


def tiny(dataset: Dataset) -> nn.Sequential:
    """Two convolutions and dropout, as small as can be."""
    return nn.Sequential(
        nn.Conv2d(dataset.shape[0], 4, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 6, 2, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(24, len(dataset.classes)),
    )


def plain(dataset: Dataset) -> nn.Sequential:
    """One dense layer."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(dataset.shape), len(dataset.classes)))


def register(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make "quarters" a set, "tiny" and "plain" networks, and the pool three small ones."""
    known = DATASETS["mnist"]
    entry = replace(known, id="quarters", name="Quarters", shape=SHAPE, classes=tuple("abcd"), sizes=SIZES)
    monkeypatch.setitem(DATASETS, "quarters", entry)
    monkeypatch.setitem(NETWORKS, "tiny", Network("tiny", "Tiny", "2 conv, 1 dense", "Two small convolutions.", tiny))
    monkeypatch.setitem(NETWORKS, "plain", Network("plain", "Plain", "1 dense", "One dense layer.", plain))
    monkeypatch.setattr(pool, "POOL", POOL)

    def load(dataset: str, split: str = "test") -> tuple[Tensor, Tensor]:
        images, labels = SETS[split]
        return images.clone(), labels.clone()

    monkeypatch.setattr(data, "load", load)


def keys(defence: str, context: str = "tests of training") -> tuple[Key, ...]:
    """As many and as long as the defence needs."""
    lengths = DEFENCES[defence].key_lengths(SHAPE)
    return tuple(Key.derive(bytes(32), length, f"{context} {number}") for number, length in enumerate(lengths))


def weights(model: nn.Module) -> Tensor:
    """All of them in one row."""
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
