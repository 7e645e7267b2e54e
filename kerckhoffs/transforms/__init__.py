"""Keyed transforms P(x, k), one file each. To add one, write its file and list its entry here.

Menus and contract tests walk the registry. transforms/base.py says what a transform is.
"""

from torch import nn

from kerckhoffs.checks import check_choice
from kerckhoffs.keys import Key
from kerckhoffs.transforms.base import Shape, Transform, check_key_length
from kerckhoffs.transforms.permutation import PERMUTATION, Permutation

__all__ = ["TRANSFORMS", "Permutation", "Shape", "Transform", "check_key_length", "make"]

TRANSFORMS: dict[str, Transform] = {transform.id: transform for transform in (PERMUTATION,)}


def make(transform: str, key: Key, shape: Shape) -> nn.Module:
    """Make a registered transform for images of the shape (C, H, W).

    Raises:
        ValueError: on an unknown transform or a key of the wrong length.
    """
    check_choice(transform, TRANSFORMS, "transform")
    return TRANSFORMS[transform].make(key, shape)
