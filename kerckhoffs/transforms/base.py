"""What a keyed transform P(x, k) is to the rest of the project: an entry of the registry. All is public but the key.

A transform is an nn.Module from images (N, C, H, W) to what the network sees. It keeps nothing of the key in its
state_dict, so that saving a classifier never saves the key.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kerckhoffs.keys import Key

Shape = tuple[int, int, int]  # (C, H, W)
Distance = Literal["l0", "l2", "linf"]


@dataclass(frozen=True)
class Transform:
    """An entry of the registry: how to make a keyed transform, and what may be claimed of it.

    Each transform's file ends with its own; transforms/__init__.py lists them.

    Args:
        id: what it is called in code.
        name: for people.
        summary: what it does, in one sentence or two.
        make: makes the module from a key and the shape of an image.
        key_length: how many values its key has for images of a shape; a ValueError where it does not fit them.
        entropy_bits: log2 of the number of different transforms that its keys make for images of a shape.
        invertible: whether the module has an `inverse`.
        differentiable: "exact", or "straight-through" where the gradient is made up, as its module says.
        keeps: the distances between two images that are the same between what the network sees of them.
        absorbable: whether some first convolution can absorb it, so that the key adds nothing to what is learned.
        absorbed_by: which first layers do.
        keyless_attack: the strongest attack known that needs no key.
        source: where it was published.
        levels: if given, the number of brightness levels from 0 to 1 that images are rounded to; `invertible` and
            `keeps` are then claimed of images of these levels.
    """

    id: str
    name: str
    summary: str
    make: Callable[[Key, Shape], "KeyedTransform"]
    key_length: Callable[[Shape], int]
    entropy_bits: Callable[[Shape], float]
    invertible: bool
    differentiable: Literal["exact", "straight-through"]
    keeps: tuple[Distance, ...]
    absorbable: bool
    absorbed_by: str
    keyless_attack: str
    source: str
    levels: int | None = None

    def entropy_behind(self, key: Key, shape: Shape) -> float:
        """The entropy in bits of the transform that this key makes: no more than that of the key's own origin."""
        return min(self.entropy_bits(shape), key.entropy_bits)


class KeyedTransform(nn.Module):
    """What the modules share: a shape, a fingerprint, and nothing of the key that is printed or saved.

    Args:
        key: the secret.
        shape: (C, H, W) of one image.
        needed: the length that the key must have.

    Raises:
        ValueError: if the key has another length.
    """

    thread_safe = True  # a subclass must say it again (attacks/threads.py)

    def __init__(self, key: Key, shape: Shape, needed: int) -> None:
        super().__init__()
        check_key_length(key, needed, shape)
        self.shape = shape
        self.fingerprint = key.fingerprint

    def keep(self, name: str, values: Tensor) -> None:
        """Hold a tensor that moves with the module and is never saved."""
        self.register_buffer(name, values, persistent=False)

    def check(self, images: Tensor) -> None:
        """Refuse images that are not (N, C, H, W) of the transform's shape.

        Raises:
            ValueError: naming both shapes.
        """
        if images.ndim != 4 or tuple(images.shape[1:]) != tuple(self.shape):
            needed = ", ".join(str(side) for side in self.shape)
            raise ValueError(f"this transform takes images of shape (N, {needed}), but was given {tuple(images.shape)}")

    def extra_repr(self) -> str:
        """What print(model) shows: the key's public name."""
        return f"fingerprint={self.fingerprint!r}"


class Reordering(KeyedTransform):
    """The values of an image in a secret order, x'_i = x_order(i): a subclass sets `order` by `set_order`.

    Exact, invertible and differentiable: values only move, so distances between two images are the same before and
    after.
    """

    thread_safe = True
    order: Tensor
    inverse_order: Tensor

    def set_order(self, order: NDArray[np.int64]) -> None:
        """Hold the order, int64 (C * H * W,): from where each value comes."""
        self.keep("order", torch.from_numpy(order))
        self.keep("inverse_order", torch.argsort(self.order))

    def forward(self, images: Tensor) -> Tensor:
        """Reorder images (N, C, H, W) of the transform's shape; others raise ValueError."""
        self.check(images)
        return images.flatten(1).index_select(1, self.order).view(-1, *self.shape)

    def inverse(self, images: Tensor) -> Tensor:
        """Undo `forward`, exactly."""
        self.check(images)
        return images.flatten(1).index_select(1, self.inverse_order).view(-1, *self.shape)


def check_key_length(key: Key, needed: int, shape: Shape) -> None:
    """Refuse a key that does not fit images of the shape.

    Raises:
        ValueError: naming both lengths.
    """
    if len(key) != needed:
        raise ValueError(f"the key has {len(key)} values, but images of shape {tuple(shape)} need {needed}")


def log2_orders(count: int) -> float:
    """log2(count!): the entropy in bits of a secret order."""
    return math.lgamma(count + 1) / math.log(2)
