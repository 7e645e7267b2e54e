"""Images as pictures: whole pixels, exact greys and colours, and no chart library.

Colours are Okabe and Ito's, which colour-blind people can tell apart, and never carry a meaning alone.
"""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

OKABE_ITO = ["#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
BEFORE, AFTER = "#8a8f98", "#d55e00"
RAISED, LOWERED = np.array([213, 94, 0.0]), np.array([0, 114, 178.0])  # vermilion, blue
BETWEEN = np.array([0, 158, 115], dtype=np.uint8)  # bluish green
UPSCALE = 8  # whole pixels, so that a picture is never blurred

Picture = NDArray[np.uint8]


def picture(image: Tensor, upscale: int = UPSCALE, ends: tuple[float, float] = (0.0, 1.0)) -> Picture:
    """An image (1, H, W) or (3, H, W), rounded to 8 bits: uint8 (H, W) or (H, W, 3), each side * upscale.

    Args:
        ends: the values that are shown as black and as white.
    """
    low, high = ends
    shares = ((image.detach() - low) / (high - low)).clamp(0, 1)
    pixels = (shares * 255).round().to("cpu").numpy().astype(np.uint8)
    return _enlarged(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0), upscale)


def gain(perturbation: Tensor) -> float:
    """The factor that makes the largest change fill the colour scale; 1 where nothing changed."""
    largest = float(perturbation.abs().max())
    return 1 / largest if largest > 0 else 1.0


def signed(perturbation: Tensor, factor: float, upscale: int = UPSCALE) -> Picture:
    """A perturbation (1, H, W) as uint8 RGB: white is no change, orange brighter, blue darker.

    One of three channels (3, H, W) is shown as it is: mid-grey is no change, in each colour.

    Args:
        factor: multiplies it first; 1 / factor is the change that gets the full colour.
    """
    amount = (perturbation.detach() * factor).clamp(-1, 1).to("cpu").numpy().transpose(1, 2, 0)  # (H, W, C)
    if amount.shape[2] == 1:
        levels = 255 + np.abs(amount) * (np.where(amount > 0, RAISED, LOWERED) - 255)
    else:
        levels = 127.5 * (1 + amount)
    return _enlarged(levels.round().astype(np.uint8), upscale)


def tiled(pixels: Picture, rows: int, columns: int) -> Picture:
    """A picture with green lines between its tiles: no picture here has another green."""
    coloured = pixels if pixels.ndim == 3 else pixels[:, :, None].repeat(3, 2)
    height, width = coloured.shape[0] // rows, coloured.shape[1] // columns
    for row in range(1, rows):
        coloured = np.insert(coloured, row * (height + 1) - 1, BETWEEN, 0)
    for column in range(1, columns):
        coloured = np.insert(coloured, column * (width + 1) - 1, BETWEEN, 1)
    return coloured


def outlined(pixels: Picture, mask: NDArray[np.bool_]) -> Picture:
    """A grey picture with a green line around what the mask (H, W) marks, inside it.

    The picture is a whole multiple of the mask's size.
    """
    scale = pixels.shape[0] // mask.shape[0]
    large = np.pad(mask.repeat(scale, 0).repeat(scale, 1), 1)
    inner = large[:-2, 1:-1] & large[2:, 1:-1] & large[1:-1, :-2] & large[1:-1, 2:]
    coloured = pixels[:, :, None].repeat(3, 2)
    coloured[large[1:-1, 1:-1] & ~inner] = BETWEEN
    return coloured


def _enlarged(pixels: Picture, upscale: int) -> Picture:
    return pixels.repeat(upscale, 0).repeat(upscale, 1)


def png(picture: Picture) -> bytes:
    """A picture as a PNG file, pixel by pixel."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def data_uri(picture: Picture) -> str:
    """A picture as an address that holds it, for HTML, CSS and SVG."""
    return "data:image/png;base64," + base64.b64encode(png(picture)).decode()
