"""A secret rotation or reflection of the whole image: the natural generalisation of a permutation."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kerckhoffs.keys import MASTER_LENGTH, SECRET_BYTES, Key
from kerckhoffs.transforms.base import KeyedTransform, Shape, Transform

ENTROPY_BITS = 8 * SECRET_BYTES
MAX_VALUES = 3072  # of an image, 3 x 32 x 32: Q has the square of it, and its QR takes the cube


class Projection(KeyedTransform):
    """y = Q x for an image of N = C * H * W values, Q a secret orthogonal N x N matrix, uniform among them all.

    Q is the orthogonal factor of a Gaussian matrix, with its columns' signs set by the diagonal of the triangular one,
    which makes it uniform (Haar) and unique (Mezzadri 2007). The N * N Gaussian values come from the key's 64 by
    `Key.child`, a row each, so **Q is worth 256 bits, however large it is**. Made in float64, applied in
    float32.

    It keeps l2 distances, and neither l0 nor linf, for it mixes all pixels. **What comes out leaves [0, 1].**

    Args:
        key: 64 values.
        shape: (C, H, W) of one image, of 2 to 3072 values.

    Raises:
        ValueError: if the image is too large or too small, or the key's length is not 64.
    """

    thread_safe = True
    matrix: Tensor

    def __init__(self, key: Key, shape: Shape) -> None:
        super().__init__(key, shape, _key_length(shape))
        self.keep("matrix", torch.from_numpy(_orthogonal(key, math.prod(shape))).float())

    def forward(self, images: Tensor) -> Tensor:
        """Project images (N, C, H, W) of the transform's shape; others raise ValueError."""
        self.check(images)
        return (images.flatten(1) @ self.matrix.to(images.dtype).T).view(-1, *self.shape)

    def inverse(self, images: Tensor) -> Tensor:
        """Undo `forward`, up to rounding."""
        self.check(images)
        return (images.flatten(1) @ self.matrix.to(images.dtype)).view(-1, *self.shape)


def _orthogonal(key: Key, side: int) -> NDArray[np.float64]:
    gaussian = np.stack([key.child(side, f"projection, row {row}").values for row in range(side)])
    orthogonal, triangular = np.linalg.qr(gaussian)
    return np.asarray(orthogonal * np.sign(np.diag(triangular)), dtype=np.float64)


def _key_length(shape: Shape) -> int:
    if not 2 <= math.prod(shape) <= MAX_VALUES:
        raise ValueError(
            f"images of shape {tuple(shape)} have {math.prod(shape)} values, but a projection takes 2 to {MAX_VALUES}"
        )
    return MASTER_LENGTH


PROJECTION = Transform(
    id="projection",
    name="Orthogonal projection",
    summary="The image turned by a secret orthogonal matrix that mixes all pixels; what comes out leaves [0, 1].",
    make=Projection,
    key_length=_key_length,
    entropy_bits=lambda shape: float(ENTROPY_BITS if _key_length(shape) else 0),
    invertible=True,
    differentiable="exact",
    keeps=("l2",),
    absorbable=False,
    absorbed_by="No convolution, since every value that comes out depends on the whole image; a first fully connected "
    "layer does, whatever the matrix.",
    keyless_attack="None is published; attacks that read the answers alone need no key, and l2 distances, which they "
    "minimise, are the same on both sides.",
    source='Uniform orthogonal matrices: Mezzadri, "How to generate random matrices", Notices of the AMS 2007',
)
