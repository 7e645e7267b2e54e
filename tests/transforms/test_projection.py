import numpy as np
import pytest
import torch

from kerckhoffs.keys import MASTER_LENGTH, Key
from kerckhoffs.transforms import TRANSFORMS
from kerckhoffs.transforms.projection import Projection
from tests import keyed


@pytest.mark.parametrize("shape", [(1, 1, 2), (1, 8, 4), (3, 4, 8)], ids=str)
def test_the_matrix_is_orthogonal(shape):
    matrix = keyed.make("projection", shape).matrix.double()
    assert torch.allclose(matrix @ matrix.T, torch.eye(len(matrix), dtype=torch.float64), atol=1e-6)


def test_an_image_is_multiplied_by_the_matrix():
    transform, images = keyed.make("projection", (3, 4, 8)), keyed.images("projection", 2, (3, 4, 8))
    seen = np.stack([transform.matrix.numpy() @ image.numpy().ravel() for image in images])
    assert np.allclose(transform(images).flatten(1).numpy(), seen, atol=1e-6)


def test_the_matrices_are_uniform_among_the_orthogonal_ones():
    """In the plane: every entry is the sine of a uniform angle, and half of them are reflections.

    Without the signs of the triangular factor's diagonal the first column would lie on one side only.
    """
    keys = [Key.derive(bytes(32), MASTER_LENGTH, str(number)) for number in range(400)]
    matrices = torch.stack([Projection(key, (1, 1, 2)).matrix for key in keys]).double()
    for row in range(2):
        for column in range(2):
            uniform = matrices[:, row, column].asin().add(np.pi / 2).div(np.pi).sort().values
            steps = (torch.arange(400) + 0.5) / 400
            assert (uniform - steps).abs().max() < 1.63 / 20, "Kolmogorov and Smirnov's bound at 1 percent"
    assert 0.4 < (torch.linalg.det(matrices) > 0).double().mean() < 0.6


def test_every_value_of_the_key_matters_to_its_last_bit():
    key = keyed.key("projection", (1, 1, 2))
    matrix = Projection(key, (1, 1, 2)).matrix
    for place in (0, MASTER_LENGTH - 1):
        values = key.values.copy()
        values[place] = np.nextafter(values[place], np.inf)
        assert not torch.allclose(Projection(Key(values), (1, 1, 2)).matrix, matrix, atol=1e-3)


def test_the_key_is_short_and_its_entropy_is_that_of_the_hash():
    for shape in [(1, 28, 28), (3, 32, 32)]:
        assert TRANSFORMS["projection"].key_length(shape) == MASTER_LENGTH
        assert TRANSFORMS["projection"].entropy_bits(shape) == 256


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 33, 33)], ids=str)
def test_an_image_that_is_too_small_or_too_large_is_refused(shape):
    with pytest.raises(ValueError, match=r"but a projection takes 2 to 3072$"):
        TRANSFORMS["projection"].key_length(shape)


def test_what_comes_out_leaves_the_unit_interval():
    assert keyed.make("projection", (1, 8, 4))(torch.ones(1, 1, 8, 4)).min() < 0
