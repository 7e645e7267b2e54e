import numpy as np
import pytest
import scipy.fft
import torch

from kerckhoffs.keys import Key
from kerckhoffs.transforms import TRANSFORMS
from kerckhoffs.transforms.dct import DctSigns, dct_matrix
from tests import keyed

BANDS = {"horizontal": (0, 1), "vertical": (1, 0), "diagonal": (1, 1)}  # upper half of the rows, of the columns
every_band = pytest.mark.parametrize("band", [*BANDS, "high"])


def low(side: int) -> int:
    return (side + 1) // 2


def coefficients(images: torch.Tensor) -> np.ndarray:
    return scipy.fft.dctn(images.numpy().astype(np.float64), axes=(2, 3), norm="ortho")


@pytest.mark.parametrize("side", [1, 2, 5, 28])
def test_the_matrix_is_the_orthonormal_dct(side):
    assert np.allclose(dct_matrix(side), scipy.fft.dct(np.eye(side), axis=0, norm="ortho"))
    assert np.allclose(dct_matrix(side) @ dct_matrix(side).T, np.eye(side))


@every_band
@pytest.mark.parametrize("shape", [(1, 8, 4), (3, 7, 5)], ids=str)
def test_the_key_sets_the_signs_of_the_band_and_nothing_else(band, shape):
    name = f"dct-{band}"
    images = keyed.images(name, 3, shape)
    ratio = coefficients(keyed.make(name, shape)(images)) / coefficients(images)
    rows, columns = np.arange(shape[1]) >= low(shape[1]), np.arange(shape[2]) >= low(shape[2])
    inside = np.zeros(shape[1:], dtype=bool)
    for each, (row, column) in BANDS.items():
        if band in (each, "high"):
            inside |= (rows == bool(row))[:, None] & (columns == bool(column))
    assert np.allclose(ratio[..., ~inside], 1, atol=1e-3)
    signs = np.where(keyed.key(name, shape).values < 0, -1, 1).reshape(shape[0], -1)
    assert np.allclose(ratio[..., inside], signs, atol=1e-3)


@every_band
def test_a_perturbation_of_low_frequencies_passes_unchanged(band):
    name, shape = f"dct-{band}", (1, 28, 28)
    plane = np.zeros((1, *shape))
    plane[..., :14, :14] = np.random.default_rng(0).normal(size=(14, 14)) / 14
    change = torch.from_numpy(scipy.fft.idctn(plane, axes=(2, 3), norm="ortho")).float()
    transform, images = keyed.make(name, shape), keyed.images(name, 2, shape)
    assert torch.allclose(transform(images + change) - transform(images), change.expand(2, -1, -1, -1), atol=1e-5)


@every_band
def test_what_comes_out_leaves_the_unit_interval(band):
    seen = keyed.make(f"dct-{band}", (1, 28, 28))(keyed.images("permutation", 2, (1, 28, 28)).round())
    assert seen.min() < -0.1
    assert seen.max() > 1.1


def test_the_key_has_a_value_for_every_coefficient_of_every_channel():
    lengths = {band: TRANSFORMS[f"dct-{band}"].key_length((1, 28, 28)) for band in [*BANDS, "high"]}
    assert lengths == {"horizontal": 196, "vertical": 196, "diagonal": 196, "high": 588}
    assert TRANSFORMS["dct-high"].key_length((3, 32, 32)) == 3 * 3 * 256
    assert TRANSFORMS["dct-horizontal"].key_length((1, 7, 9)) == 4 * 4, "rows 0..3, columns 5..8"


@pytest.mark.parametrize("shape", [(1, 1, 28), (1, 2, 2), (3, 3, 2)], ids=str)
def test_a_band_of_fewer_than_four_coefficients_is_refused(shape):
    with pytest.raises(ValueError, match=r"have [03] coefficients in the diagonal band|have 1 coefficients"):
        DctSigns(Key([1.0, -1.0]), shape, band="diagonal")


def test_a_key_without_a_negative_value_changes_nothing():
    images = keyed.images("dct-high", 2, (1, 4, 4))
    assert torch.allclose(DctSigns(Key(np.arange(12.0)), (1, 4, 4), band="high")(images), images, atol=1e-6)
