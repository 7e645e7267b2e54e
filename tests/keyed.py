"""Registered transforms for tests: each with the shapes that it fits, and images of the levels that it claims of."""

from functools import cache

import torch
from torch import Tensor

from kerckhoffs import transforms
from kerckhoffs.keys import Key
from kerckhoffs.transforms import TRANSFORMS, KeyedTransform, Shape

CANDIDATES: list[Shape] = [(1, 8, 4), (3, 4, 8), (1, 14, 7), (3, 7, 14), (1, 5, 6), (3, 9, 5)]


def fits(name: str, shape: Shape) -> bool:
    """Whether a transform takes images of the shape."""
    try:
        TRANSFORMS[name].key_length(shape)
    except ValueError:
        return False
    return True


def _tried(name: str) -> list[Shape]:
    """One shape of a single channel and one of three, the odd one where there is a choice."""
    fitting = [shape for shape in CANDIDATES if fits(name, shape)]
    return [next(shape for shape in fitting if shape[0] == 1), [shape for shape in fitting if shape[0] == 3][-1]]


SHAPES = {name: _tried(name) for name in TRANSFORMS}
CASES = [(name, shape) for name, shapes in SHAPES.items() for shape in shapes]


def key(name: str, shape: Shape, context: str = "first key") -> Key:
    return Key.derive(bytes(32), TRANSFORMS[name].key_length(shape), context)


@cache
def make(name: str, shape: Shape, context: str = "first key") -> KeyedTransform:
    return transforms.make(name, key(name, shape, context), shape)


def images(name: str, count: int, shape: Shape, seed: int = 0) -> Tensor:
    """Uniform in [0, 1], or on the levels that a transform's claims are made of."""
    drawn = torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))
    levels = TRANSFORMS[name].levels
    return drawn if levels is None else (drawn * (levels - 1)).round() / (levels - 1)
