"""Block-wise negation: 1 - x at a secret half of the places of every block."""

from functools import partial

import torch
from torch import Tensor

from kerckhoffs.keys import Key
from kerckhoffs.transforms.base import KeyedTransform, Shape, Transform
from kerckhoffs.transforms.blocks import BLOCKS, BYPASS, PUBLISHED, block_length, chosen_mask, log2_halves


class Negation(KeyedTransform):
    """x' = 1 - x on the half of every block that the key chooses, rounded down, and x elsewhere. Stays in [0, 1].

    A small block has few halves: one of 2 x 2 in grey has 6, which an attacker tries one by one.

    Its own inverse. The difference between two images changes its sign at most, so distances are kept.

    Args:
        key: one value for every entry of a block, M * M * C of them; those of the smallest are negated.
        shape: (C, H, W) of one image, of whole blocks.
        side: M.

    Raises:
        ValueError: if the image is not made of whole blocks, or the key's length is not M * M * C.
    """

    thread_safe = True
    mask: Tensor

    def __init__(self, key: Key, shape: Shape, *, side: int) -> None:
        super().__init__(key, shape, block_length(shape, side))
        self.keep("mask", torch.from_numpy(chosen_mask(key.values, shape, side)))

    def forward(self, images: Tensor) -> Tensor:
        """Negate images (N, C, H, W) of the transform's shape; others raise ValueError."""
        self.check(images)
        return torch.where(self.mask, 1 - images, images)

    def inverse(self, images: Tensor) -> Tensor:
        """Undo `forward`, up to the rounding of 1 - x."""
        return self.forward(images)


def _entry(side: int) -> Transform:
    return Transform(
        id=f"negation-{side}",
        name=f"Block-wise negation, {side} x {side}",
        summary=f"Bright for dark at a secret half of the places of every block of {side} x {side} pixels.",
        make=partial(Negation, side=side),
        key_length=partial(block_length, side=side),
        entropy_bits=lambda shape: log2_halves(block_length(shape, side)),
        invertible=True,
        differentiable="exact",
        keeps=("l0", "l2", "linf"),
        absorbable=True,
        absorbed_by=f"A convolution or patch embedding without padding whose stride and kernel are multiples of {side} "
        "learns the same functions with the signs of its weights and its bias changed, so the key adds nothing.",
        keyless_attack=BYPASS,
        source=PUBLISHED,
    )


NEGATIONS = tuple(_entry(side) for side in BLOCKS)
