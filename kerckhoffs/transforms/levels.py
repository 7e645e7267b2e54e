"""Block-wise level map: at a secret half of the places of every block, brightness goes through a secret table."""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from kerckhoffs.keys import Key
from kerckhoffs.transforms.base import KeyedTransform, Shape, Transform, log2_orders
from kerckhoffs.transforms.blocks import BLOCKS, BYPASS, PUBLISHED, block_length, chosen_mask, log2_halves

LEVELS = 256  # of an image of 8 bits
CODES = 1000  # 0..999, of which the table uses 256
WINDOW = 8


class LevelMap(KeyedTransform):
    """x' = table(round(255 x)) / t at the places that the key chooses, 255 x / t elsewhere, t = the table's largest.

    The table is a secret one-to-one map of the 256 levels into 0..999, as the published transform has it by
    format-preserving encryption (FFX). Stays in [0, 1]. **A value between two levels counts as the nearest of them**
    (and one outside [0, 1] as the nearest end) at the chosen places; elsewhere it is scaled and not rounded. The
    published code cuts the fraction off, everywhere.

    The map has no gradient, so `forward` gives it one, for honest attacks by who holds the key: the slope of the line
    through the codes 8 levels below and above (fewer at the ends of the scale).

    Args:
        key: one value for every entry of a block, M * M * C of them (those of the smallest, half of them rounded down,
            are the places), then 1000, whose order is the table: the first 256 of it.
        shape: (C, H, W) of one image, of whole blocks.
        side: M.

    Raises:
        ValueError: if the image is not made of whole blocks, or the key's length is not M * M * C + 1000.
    """

    thread_safe = True
    mask: Tensor
    codes: Tensor
    slopes: Tensor
    largest: Tensor
    levels: Tensor

    def __init__(self, key: Key, shape: Shape, *, side: int) -> None:
        super().__init__(key, shape, _key_length(shape, side))
        places, table = np.split(key.values, [block_length(shape, side)])
        codes = np.argsort(table, kind="stable")[:LEVELS]
        below, above = np.maximum(np.arange(LEVELS) - WINDOW, 0), np.minimum(np.arange(LEVELS) + WINDOW, LEVELS - 1)
        slopes = (codes[above] - codes[below]) / (above - below) * (LEVELS - 1) / codes.max()
        nearest = np.abs(np.arange(CODES)[:, None] - codes).argmin(axis=1)  # (1000,): back from a code to its level
        self.keep("mask", torch.from_numpy(chosen_mask(places, shape, side)))
        self.keep("codes", torch.from_numpy(codes))
        self.keep("slopes", torch.from_numpy(slopes).float())
        self.keep("largest", torch.tensor(codes.max()))
        self.keep("levels", torch.from_numpy(nearest))

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) of the transform's shape; others raise ValueError."""
        self.check(images)
        level = (images.detach().clamp(0, 1) * (LEVELS - 1)).round().long()
        mapped = (self.codes[level] / self.largest).to(images.dtype)
        mapped = mapped + self.slopes.to(images.dtype)[level] * (images - images.detach())  # + 0, with the gradient
        return torch.where(self.mask, mapped, images * ((LEVELS - 1) / self.largest).to(images.dtype))

    def inverse(self, images: Tensor) -> Tensor:
        """Undo `forward`, up to the rounding to 256 levels. What is no code counts as the nearest one."""
        self.check(images)
        code = (images.detach().clamp(0, 1) * self.largest).round().long()
        level = (self.levels[code] / (LEVELS - 1)).to(images.dtype)
        return torch.where(self.mask, level, images * (self.largest / (LEVELS - 1)).to(images.dtype))


def _key_length(shape: Shape, side: int) -> int:
    return block_length(shape, side) + CODES


def _entropy_bits(shape: Shape, side: int) -> float:
    return log2_halves(block_length(shape, side)) + log2_orders(CODES) - log2_orders(CODES - LEVELS)


def _entry(side: int) -> Transform:
    return Transform(
        id=f"levels-{side}",
        name=f"Block-wise level map, {side} x {side}",
        summary=f"Brightness goes through a secret table at a secret half of the places of every block of {side} x "
        f"{side} pixels.",
        make=partial(LevelMap, side=side),
        key_length=partial(_key_length, side=side),
        entropy_bits=partial(_entropy_bits, side=side),
        invertible=True,
        differentiable="straight-through",
        keeps=("l0",),
        absorbable=False,
        absorbed_by="No layer, since the map is not linear; but what lies outside the chosen half is only scaled, so a "
        "network can learn to read that alone.",
        keyless_attack=BYPASS,
        source=PUBLISHED,
        levels=LEVELS,
    )


LEVEL_MAPS = tuple(_entry(side) for side in BLOCKS)
