"""Measures: distances between images, and the interval of an error."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from torch import Tensor

CHANGED = 1e-4  # a pixel counts as changed beyond this; rounding and a tanh round trip stay below it


@dataclass(frozen=True)
class Distances:
    """Sizes of perturbations, each (N,): l0 in pixels, l2, and linf in grey levels of [0, 1]."""

    l0: Tensor
    l2: Tensor
    linf: Tensor


def distances(images: Tensor, adversarial: Tensor) -> Distances:
    """Measure adversarial - images, both (N, C, H, W); a pixel is changed if any of its channels is.

    Raises:
        ValueError: if the shapes differ.
    """
    if images.shape != adversarial.shape:
        shapes = tuple(images.shape), tuple(adversarial.shape)
        raise ValueError(f"images and adversarial must have the same shape, but have {shapes[0]} and {shapes[1]}")
    delta = adversarial - images
    changed = delta.abs().amax(1) > CHANGED  # (N, H, W)
    return Distances(
        l0=changed.flatten(1).sum(1),
        l2=delta.flatten(1).norm(dim=1),
        linf=delta.flatten(1).abs().amax(1),
    )


def wilson(wrong: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of an error of `wrong` among `total` independent examples, in [0, 1].

    The shares p for which |wrong / total - p| <= z sqrt(p (1 - p) / total), z the normal quantile of the level (Wilson
    1927).

    Raises:
        ValueError: unless 0 <= wrong <= total, total >= 1 and 0 < level < 1.
    """
    if not 0 <= wrong <= total or total < 1:
        raise ValueError(f"wrong must be between 0 and total, but is {wrong} of {total}")
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, but is {level}")
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    middle = (wrong + z2 / 2) / (total + z2)
    half = sqrt(z2 * (wrong * (total - wrong) / total + z2 / 4)) / (total + z2)
    return middle - half if wrong else 0.0, middle + half if wrong < total else 1.0
