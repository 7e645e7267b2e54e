"""Block-wise shuffling: the values of every block of M x M x C in the same secret order."""

from functools import partial

from kerckhoffs.keys import Key
from kerckhoffs.transforms.base import Reordering, Shape, Transform, log2_orders
from kerckhoffs.transforms.blocks import BLOCKS, BYPASS, PUBLISHED, block_length, block_places


class Shuffle(Reordering):
    """b'_i = b_argsort(k)_i for every block b of M x M x C values, read in the order (C, M, M).

    A small block has few orders: one of 2 x 2 in grey has 24, which an attacker tries one by one.

    Args:
        key: one value for every entry of a block, M * M * C of them.
        shape: (C, H, W) of one image, of whole blocks.
        side: M.

    Raises:
        ValueError: if the image is not made of whole blocks, or the key's length is not M * M * C.
    """

    thread_safe = True

    def __init__(self, key: Key, shape: Shape, *, side: int) -> None:
        super().__init__(key, shape, block_length(shape, side))
        places = block_places(shape, side)  # (blocks, C * M * M)
        order = places.ravel().copy()
        order[places] = places[:, key.permutation()]
        self.set_order(order)


def _entry(side: int) -> Transform:
    return Transform(
        id=f"shuffle-{side}",
        name=f"Block-wise shuffling, {side} x {side}",
        summary=f"The values of every block of {side} x {side} pixels, colours included, in one secret order.",
        make=partial(Shuffle, side=side),
        key_length=partial(block_length, side=side),
        entropy_bits=lambda shape: log2_orders(block_length(shape, side)),
        invertible=True,
        differentiable="exact",
        keeps=("l0", "l2", "linf"),
        absorbable=True,
        absorbed_by=f"A convolution or patch embedding without padding whose stride and kernel are multiples of {side} "
        "learns the same functions with its weights in another order, so the key adds nothing.",
        keyless_attack=BYPASS,
        source=PUBLISHED,
    )


SHUFFLES = tuple(_entry(side) for side in BLOCKS)
