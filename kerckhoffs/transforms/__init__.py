"""Keyed transforms P(x, k), one file each. To add one, write its file and list its entry here.

Menus and contract tests walk the registry. transforms/base.py says what a transform is.
"""

from kerckhoffs.checks import check_choice
from kerckhoffs.keys import Key
from kerckhoffs.transforms.base import KeyedTransform, Shape, Transform, check_key_length
from kerckhoffs.transforms.dct import DCT_SIGNS
from kerckhoffs.transforms.levels import LEVEL_MAPS
from kerckhoffs.transforms.negation import NEGATIONS
from kerckhoffs.transforms.permutation import PERMUTATION, Permutation
from kerckhoffs.transforms.plane_permutation import CHANNEL_PERMUTATION, PIXEL_PERMUTATION
from kerckhoffs.transforms.projection import PROJECTION
from kerckhoffs.transforms.shuffle import SHUFFLES

__all__ = ["TRANSFORMS", "KeyedTransform", "Permutation", "Shape", "Transform", "check_key_length", "make"]

TRANSFORMS: dict[str, Transform] = {
    transform.id: transform
    for transform in (
        PERMUTATION,
        PIXEL_PERMUTATION,
        CHANNEL_PERMUTATION,
        *SHUFFLES,
        *NEGATIONS,
        *LEVEL_MAPS,
        *DCT_SIGNS,
        PROJECTION,
    )
}


def make(transform: str, key: Key, shape: Shape) -> KeyedTransform:
    """Make a registered transform for images of the shape (C, H, W).

    Raises:
        ValueError: on an unknown transform, a shape that it does not fit, or a key of the wrong length.
    """
    check_choice(transform, TRANSFORMS, "transform")
    return TRANSFORMS[transform].make(key, shape)
