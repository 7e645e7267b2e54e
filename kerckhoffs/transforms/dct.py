"""Secret signs in a part of the discrete cosine transform's plane: KDA's transform, one channel of it."""

import math
from functools import partial
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kerckhoffs.keys import Key
from kerckhoffs.transforms.base import KeyedTransform, Shape, Transform

Band = Literal["horizontal", "vertical", "diagonal", "high"]

_FEWEST = 4  # coefficients: from here on a key of N values has at least 2^N orders, one for every choice of signs


class DctSigns(KeyedTransform):
    """x' = IDCT(s * DCT(x)) in every channel, s = a secret 1 or -1 on the band and 1 elsewhere.

    DCT is the orthonormal two-dimensional DCT-II of the whole plane, so P is orthogonal and its own inverse: it keeps
    l2 distances, and neither l0 nor linf. **What comes out leaves [0, 1].** The mean and all that lies outside the band
    pass unchanged.

    Args:
        key: one value for every coefficient of the band of every channel; a negative one turns the sign.
        shape: (C, H, W) of one image. The lower half of an odd side has one frequency more than the upper.
        band: "horizontal" (the quarter of the upper half of the horizontal and the lower half of the vertical
            frequencies), "vertical" (the other way round), "diagonal" (both upper halves), or "high" (all three).

    Raises:
        ValueError: if the band has fewer than 4 coefficients, or the key another length.
    """

    thread_safe = True
    signs: Tensor
    rows: Tensor
    columns: Tensor

    def __init__(self, key: Key, shape: Shape, *, band: Band) -> None:
        super().__init__(key, shape, _key_length(shape, band))
        self.band = band
        signs = np.ones(shape, dtype=np.float32)
        signs[:, band_mask(shape, band)] = np.where(key.values < 0, -1, 1).reshape(shape[0], -1)
        self.keep("signs", torch.from_numpy(signs))
        self.keep("rows", torch.from_numpy(dct_matrix(shape[1])).float())
        self.keep("columns", torch.from_numpy(dct_matrix(shape[2])).float())

    def forward(self, images: Tensor) -> Tensor:
        """Turn the signs in images (N, C, H, W) of the transform's shape; others raise ValueError."""
        self.check(images)
        rows, columns = self.rows.to(images.dtype), self.columns.to(images.dtype)
        plane = rows @ images @ columns.T  # (N, C, H, W): the coefficients
        seen: Tensor = rows.T @ (plane * self.signs.to(images.dtype)) @ columns
        return seen

    def inverse(self, images: Tensor) -> Tensor:
        """Undo `forward`, up to rounding."""
        return self.forward(images)


def dct_matrix(side: int) -> NDArray[np.float64]:
    """The orthonormal DCT-II as a matrix: float64 (side, side), one row for every frequency from 0."""
    frequency, place = np.arange(side)[:, None], np.arange(side)
    matrix = math.sqrt(2 / side) * np.cos(math.pi * (2 * place + 1) * frequency / (2 * side))
    matrix[0] /= math.sqrt(2)
    return matrix


def band_mask(shape: Shape, band: Band) -> NDArray[np.bool_]:
    """Where the band lies in the plane: bool (H, W), True on its coefficients."""
    vertical = np.arange(shape[1])[:, None] >= (shape[1] + 1) // 2  # upper half of the frequencies down the columns
    horizontal = np.arange(shape[2]) >= (shape[2] + 1) // 2
    return {
        "horizontal": horizontal & ~vertical,
        "vertical": vertical & ~horizontal,
        "diagonal": horizontal & vertical,
        "high": horizontal | vertical,
    }[band]


def _key_length(shape: Shape, band: Band) -> int:
    count = shape[0] * int(band_mask(shape, band).sum())
    if count < _FEWEST:
        raise ValueError(
            f"images of shape {tuple(shape)} have {count} coefficients in the {band} band, but at least {_FEWEST} are "
            "needed: choose larger images"
        )
    return count


def _entry(band: Band) -> Transform:
    where = "all but the low-frequency quarter" if band == "high" else f"the {band} high-frequency quarter"
    return Transform(
        id=f"dct-{band}",
        name=f"DCT signs, {band}",
        summary=f"Secret signs on {where} of every channel's cosine transform; what comes out leaves [0, 1].",
        make=partial(DctSigns, band=band),
        key_length=partial(_key_length, band=band),
        entropy_bits=partial(_key_length, band=band),  # one bit for every sign
        invertible=True,
        differentiable="exact",
        keeps=("l2",),
        absorbable=False,
        absorbed_by="No convolution, since every value that comes out depends on the whole plane; a first fully "
        "connected layer does.",
        keyless_attack="A perturbation of low frequencies lies outside the band and passes unchanged, so it needs no "
        "key; nor do attacks that read the answers alone.",
        source='Taran et al., "Defending against adversarial attacks by randomized diversification", CVPR 2019',
    )


DCT_SIGNS = tuple(_entry(band) for band in get_args(Band))
