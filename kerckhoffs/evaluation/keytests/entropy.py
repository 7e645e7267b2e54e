"""What a key is worth on images: the orders that can be told apart by what they make of them.

Let K be uniform over the N! orders of N places, and D a set of images. Two orders are equivalent on D if P(x, K) is the
same for every x in D. That is so exactly if they differ by exchanging places whose values are equal in every image of
D. Let m_1, m_2, ... be the numbers of places in each class of such: each order then has prod m_i! equivalent ones,
itself among them, so there are N! / prod m_i! classes of equal size, and the Shannon entropy and the min-entropy of
what is seen of K on D are both

    log2 N! - sum log2 m_i!

bits: nobody can learn more of the key from these images, and nobody has to, to see them as the network does. On other
images, those of an attacker for example, the places tell apart again.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kerckhoffs.checks import check_choice, check_images
from kerckhoffs.keys import Key
from kerckhoffs.transforms import TRANSFORMS, Shape
from kerckhoffs.transforms.base import log2_orders
from kerckhoffs.transforms.blocks import block_places
from kerckhoffs.transforms.dct import Band, band_mask, dct_matrix

NEGLIGIBLE = 1e-5  # a coefficient of images in [0, 1] that is nothing but rounding


@dataclass(frozen=True)
class Effective:
    """What a key is worth on some images.

    Args:
        bits: its effective entropy.
        black: places that are 0 in every image.
        places: of an image.
        images: how many.
    """

    bits: float
    black: int
    places: int
    images: int


def effective(transform: str, images: Tensor, key: Key | None = None) -> Effective | None:
    """The effective entropy of a transform's key on images; None where it is not computed.

    Exact for the permutations, block-wise shuffling, negation and DCT signs (whose coefficients count as 0 below 1e-5).
    A key that was derived from a secret is worth no more than the secret.

    Args:
        transform: a key of TRANSFORMS.
        images: float32 (N, C, H, W) in [0, 1].
        key: the key, for its origin; one drawn value by value by default.

    Raises:
        ValueError: on an unknown transform, or images that are none or do not fit it.
    """
    check_choice(transform, TRANSFORMS, "transform")
    check_images(images)
    shape: Shape = (images.shape[1], images.shape[2], images.shape[3])
    bits = _bits(transform, images, shape)
    if bits is None:
        return None
    if key is not None and key.secret_bits is not None:
        bits = min(bits, float(key.secret_bits))
    black = int((images.flatten(1).amax(0) == 0).sum())
    return Effective(bits, black, math.prod(shape), len(images))


def _bits(transform: str, images: Tensor, shape: Shape) -> float | None:
    kind, _, which = transform.partition("-")
    if kind in _BITS:
        return _BITS[kind](images, shape, which)
    return None


def orders(columns: Tensor) -> float:
    """log2 of the orders of P places that can be told apart: log2 P! - sum log2 m_i!.

    Args:
        columns: (M, P), what each of the places holds in each of M images.
    """
    alike = Counter(
        hashlib.sha256((column + 0.0).numpy().tobytes()).digest()  # + 0: there are two zeros
        for column in columns.T
    )
    return log2_orders(columns.shape[1]) - sum(map(log2_orders, alike.values()))


def _permutation(images: Tensor, shape: Shape, which: str) -> float:
    if which == "pixels":
        return orders(images.reshape(-1, shape[1] * shape[2]))
    if which == "channels":
        return sum(orders(images[:, channel].flatten(1)) for channel in range(shape[0]))
    return orders(images.flatten(1))


def _shuffle(images: Tensor, shape: Shape, side: str) -> float:
    return orders(_blocks(images, shape, int(side)))


def _negation(images: Tensor, shape: Shape, side: str) -> float:
    """Only places that hold 1/2 in all blocks of all images are the same negated.

    Of L places h are such. A half that holds j of the other L - h has C(h, L/2 - j) equivalent ones, so the entropy is
    log2 C(L, L/2) less the mean of the logarithm of that, over j, which is hypergeometric.
    """
    blocks = _blocks(images, shape, int(side))
    length = blocks.shape[1]
    unseen, half = int((blocks == 0.5).all(0).sum()), length // 2
    halves, lost = math.comb(length, half), 0.0
    for seen in range(max(0, half - unseen), min(half, length - unseen) + 1):
        alike = math.comb(unseen, half - seen)
        lost += math.comb(length - unseen, seen) * alike / halves * math.log2(alike)
    return math.log2(halves) - lost


def _signs(images: Tensor, shape: Shape, band: Band) -> float:
    """A bit for each coefficient of the band that is not 0 in all images: the sign of 0 cannot be seen."""
    rows, columns = (torch.from_numpy(dct_matrix(side)) for side in shape[1:])
    largest: NDArray[np.float64] = np.zeros(shape)
    for some in images.split(1000):
        plane = rows @ some.double() @ columns.T
        largest = np.maximum(largest, plane.abs().amax(0).numpy())
    return float((largest[:, band_mask(shape, band)] > NEGLIGIBLE).sum())


def _blocks(images: Tensor, shape: Shape, side: int) -> Tensor:
    """All blocks of all images, (N * blocks, C * M * M)."""
    places = torch.from_numpy(block_places(shape, side))
    return images.flatten(1)[:, places].reshape(-1, places.shape[1])


_BITS: dict[str, Callable[[Tensor, Shape, str], float]] = {
    "permutation": _permutation,
    "shuffle": _shuffle,
    "negation": _negation,
    "dct": lambda images, shape, which: _signs(images, shape, which),  # type: ignore[arg-type]  # one of its bands
}
