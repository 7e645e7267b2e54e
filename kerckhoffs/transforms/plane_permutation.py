"""A secret order of the pixels within each colour plane: one order for all channels, or one for each."""

import math
from dataclasses import replace

import numpy as np

from kerckhoffs.keys import Key
from kerckhoffs.transforms.base import Reordering, Shape, log2_orders
from kerckhoffs.transforms.permutation import PERMUTATION


class PixelPermutation(Reordering):
    """x'_c,i = x_c,argsort(k)_i: whole pixels move, all channels in the same order, so every pixel keeps its colour.

    Args:
        key: one value for every pixel, H * W of them.
        shape: (C, H, W) of one image.

    Raises:
        ValueError: if the key's length is not H * W.
    """

    thread_safe = True

    def __init__(self, key: Key, shape: Shape) -> None:
        super().__init__(key, shape, _pixels(shape))
        first = np.arange(shape[0])[:, None] * _pixels(shape)  # (C, 1): where each plane begins
        self.set_order((first + key.permutation()).ravel())


class ChannelPermutation(Reordering):
    """x'_c,i = x_c,argsort(k_c)_i: each channel in an order of its own, so values never leave their channel.

    Args:
        key: one value for every entry of an image, C * H * W of them: H * W for the first channel, then the next.
        shape: (C, H, W) of one image.

    Raises:
        ValueError: if the key's length is not C * H * W.
    """

    thread_safe = True

    def __init__(self, key: Key, shape: Shape) -> None:
        super().__init__(key, shape, math.prod(shape))
        first = np.arange(shape[0])[:, None] * _pixels(shape)
        self.set_order((first + np.argsort(key.values.reshape(shape[0], -1), axis=1, kind="stable")).ravel())


def _pixels(shape: Shape) -> int:
    return shape[1] * shape[2]


PIXEL_PERMUTATION = replace(
    PERMUTATION,
    id="permutation-pixels",
    name="Permutation of whole pixels",
    summary="The pixels in a secret order, the same in all channels: every pixel keeps its colour.",
    make=PixelPermutation,
    key_length=_pixels,
    entropy_bits=lambda shape: log2_orders(_pixels(shape)),
    source="Taran et al. 2018, section 4.3, read per channel",
)

CHANNEL_PERMUTATION = replace(
    PERMUTATION,
    id="permutation-channels",
    name="Permutation of each channel",
    summary="The values of each channel in a secret order of its own.",
    make=ChannelPermutation,
    entropy_bits=lambda shape: shape[0] * log2_orders(_pixels(shape)),
    source="Taran et al. 2018, section 4.3, read per channel",
)
