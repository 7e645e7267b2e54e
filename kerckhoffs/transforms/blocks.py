"""Blocks of M x M x C values, all under the same key: what the block-wise transforms share."""

import math

import numpy as np
from numpy.typing import NDArray

from kerckhoffs.transforms.base import Shape

BLOCKS = (2, 4, 7)  # the sides M on offer: all of them divide the 28 of MNIST

PUBLISHED = 'AprilPyone and Kiya, "Block-wise Image Transformation with Secret Key", IEEE TIFS 2021 (arXiv 2010.00801)'
BYPASS = (
    "Parametric bypass (Rusu et al. 2022): the attacker trains a network of their own in the transform's place and "
    "attacks through it; attacks that read the answers alone need no key."
)


def block_length(shape: Shape, side: int) -> int:
    """How many values a block has, M * M * C.

    Raises:
        ValueError: if the image is not made of whole blocks.
    """
    if shape[1] % side or shape[2] % side or not math.prod(shape):
        raise ValueError(
            f"images of shape {tuple(shape)} are not made of whole blocks of {side} x {side}: choose a block whose "
            f"side divides {shape[1]} and {shape[2]}"
        )
    return side * side * shape[0]


def block_places(shape: Shape, side: int) -> NDArray[np.int64]:
    """Where the values of each block lie in the flat image: int64 (blocks, C * M * M), each in the order (C, M, M)."""
    length = block_length(shape, side)
    channels, height, width = shape
    places = np.arange(math.prod(shape)).reshape(channels, height // side, side, width // side, side)
    return places.transpose(1, 3, 0, 2, 4).reshape(-1, length)


def chosen_half(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The half of the places, rounded down, that the key's values choose: those of the smallest values."""
    return np.argsort(values, kind="stable")[: len(values) // 2]


def chosen_mask(values: NDArray[np.float64], shape: Shape, side: int) -> NDArray[np.bool_]:
    """Which values of an image (C, H, W) lie on the half of their block that the key's values choose."""
    mask = np.zeros(math.prod(shape), dtype=bool)
    mask[block_places(shape, side)[:, chosen_half(values)]] = True
    return mask.reshape(shape)


def log2_halves(length: int) -> float:
    """log2 of the number of ways to choose half of the places of a block."""
    return math.log2(math.comb(length, length // 2))
