"""What a keyed transform P(x, k) is to the rest of the project: an entry of the registry. All is public but the key.

A transform is an nn.Module from images (N, C, H, W) to what the network sees. It keeps nothing of the key in its
state_dict, so that saving a classifier never saves the key.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from kerckhoffs.keys import Key

Shape = tuple[int, int, int]  # (C, H, W)


@dataclass(frozen=True)
class Transform:
    """An entry of the registry: how to make a keyed transform, and what may be claimed of it.

    Each transform's file ends with its own; transforms/__init__.py lists them.
    """

    id: str
    name: str
    summary: str
    make: Callable[[Key, Shape], nn.Module]
    key_length: Callable[[Shape], int]
    invertible: bool
    source: str


def check_key_length(key: Key, needed: int, shape: Shape) -> None:
    """Refuse a key that does not fit images of the shape.

    Raises:
        ValueError: naming both lengths.
    """
    if len(key) != needed:
        raise ValueError(f"the key has {len(key)} values, but images of shape {tuple(shape)} need {needed}")
