"""What a network sees of an image and of its example, as pictures, and what has to be said of their scales."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kerckhoffs import plots
from kerckhoffs.ui.play.experiment import Reading

ROUNDING = 1e-4  # of a transform's arithmetic


@dataclass(frozen=True)
class Shown:
    """Image, perturbation and adversarial image as a network sees them.

    Args:
        note: what is to be said of their scales, where they are not those of the images themselves; "" if they are.
    """

    clean: plots.Picture
    perturbation: plots.Picture
    adversarial: plots.Picture
    note: str


def shown(reading: Reading, factor: float, upscale: int = 1) -> Shown:
    """The pictures; both images on the same scale.

    Args:
        factor: the gain of the perturbation, which this network's has too as long as it is not larger.
    """
    clean, adversarial = reading.clean_view[0], reading.adversarial_view[0]
    delta, ends = adversarial - clean, scale(reading.clean_view, reading.adversarial_view)
    note = ""
    if ends != (0.0, 1.0) or factor * float(delta.abs().max()) > 1 + ROUNDING:
        factor = plots.gain(delta)
        note = f"Full colour is a change of {1 / factor:.3f} here"
        note += "." if ends == (0.0, 1.0) else f", black is {number(ends[0])} and white {number(ends[1])}."
    return Shown(
        _tiled(plots.picture(clean, upscale, ends), reading),
        _tiled(plots.signed(delta, factor, upscale), reading),
        _tiled(plots.picture(adversarial, upscale, ends), reading),
        note,
    )


def _tiled(picture: plots.Picture, reading: Reading) -> plots.Picture:
    return picture if reading.tiles == (1, 1) else plots.tiled(picture, *reading.tiles)


def scale(*views: Tensor) -> tuple[float, float]:
    """The values to show as black and as white: 0 and 1, or the ends of what is seen where that leaves [0, 1]."""
    together = torch.cat(views)
    low, high = float(together.min()), float(together.max())
    inside = low >= -ROUNDING and high <= 1 + ROUNDING
    return (0.0, 1.0) if inside else (low, high)


def number(value: float) -> str:
    """A value for people."""
    return f"{value:.2f}".replace("-", "−")
