"""A drawing or an upload -> what the model sees, 28x28 for MNIST.

`read` decodes a file that may be hostile (files.py), background.py finds the ink in any light, and `prepare` does to a
picture what its data set did to its own: MNIST's authors fitted each digit into 20x20 with its aspect kept, let the
fitting make the greys, and moved its centre of mass into the middle of 28x28 (http://yann.lecun.com/exdb/mnist).
MNIST's own samples come through the style "digit" to within one grey level, and 28x28 greys come through "whole" bit
by bit.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from kerckhoffs.checks import FileRefused, check_choice
from kerckhoffs.data import background
from kerckhoffs.data.background import Grey, Mask
from kerckhoffs.data.files import FORMATS, LARGEST_SIDE, MEGABYTES, SHOWN, declared, plain, read, refusing, shown

__all__ = ["DIGIT_SIDE", "FORMATS", "LARGEST_SIDE", "MEGABYTES", "SHOWN", "SIDE", "STYLES", "Prepared", "declared"]
__all__ += ["prepare", "read", "shown", "to_model_input"]

SIDE = 28
DIGIT_SIDE = 20
STYLES: dict[str, str] = {
    "digit": "what is drawn, fitted into 20x20 and centred by its mass, as MNIST's digits were",
    "whole": "the whole picture, fitted into 28x28",
}

FAINT = 0.1  # of the strongest ink: what is fainter may be a trace of JPEG, and does not count for the size
PAGE = 0.95  # of the outline of what is opaque, of one shade: a page and no strokes


@dataclass(frozen=True)
class Prepared:
    """What the model sees of a picture: `images`, float32 (1, C, H, W) in [0, 1]; `inverted`: it was turned over."""

    images: Tensor
    inverted: bool


def to_model_input(
    picture: Image.Image,
    *,
    invert: bool | None = None,
    style: str = "digit",
    shape: tuple[int, int, int] = (1, SIDE, SIDE),
) -> Tensor:
    """`prepare`, for who wants the image alone: float32 (1, *shape) in [0, 1]; raises ValueError likewise."""
    return prepare(picture, invert=invert, style=style, shape=shape).images


def prepare(
    picture: Image.Image,
    *,
    invert: bool | None = None,
    style: str = "digit",
    shape: tuple[int, int, int] = (1, SIDE, SIDE),
) -> Prepared:
    """Turn a picture of any size and mode into the model's input.

    It is turned upright as its EXIF says and laid on a page where it is transparent: its own, or the shade that its
    ink is not. "digit" takes what is drawn, in any light, for light ink on black, and the strongest ink for white.
    A set with one channel gets greys, light ink on dark; one with three gets colours as they are.

    Args:
        picture: a drawing or a photo; not changed.
        invert: whether to swap dark and light; by default, if the ink is darker than what is behind it ("digit"), or
            if most of the border is light ("whole"); colours are not swapped.
        style: a key of STYLES.
        shape: (C, H, W) of the data set's images, with 1 or 3 channels.

    Raises:
        ValueError: if it is no picture, cannot be decoded, or ("digit") shows nothing but one shade or several digits.
    """
    check_choice(style, STYLES, "style")
    if not isinstance(picture, Image.Image):
        raise ValueError(f"picture must be a PIL.Image.Image, but is a {type(picture).__name__}")
    if len(shape) != 3 or shape[0] not in (1, 3) or min(shape) < 1:
        raise ValueError(f"shape must be (C, H, W) with 1 or 3 channels, but is {tuple(shape)}")
    channels, height, width = shape
    with refusing("the picture is damaged, or of a kind that cannot be turned into greys"):
        levels, page = _flat(plain(picture), colours=channels == 3 and style == "whole")
    grey = levels[0]
    if invert is None:
        light = (
            background.light(grey, page) if style == "digit" else np.median(background.edge(grey)) >= background.LIGHT
        )
        inverted = bool(light) and len(levels) == 1
    else:
        inverted = bool(invert)
    if inverted:
        levels = [255 - each for each in levels]
    if style == "digit":
        levels = [_digit(background.ink(levels[0], page, paper=inverted), height, width)]
    else:
        levels = [_whole(each, height, width) for each in levels]
    pixels = torch.from_numpy(np.stack(levels) / 255).clamp(0, 1).expand(channels, -1, -1)
    return Prepared(pixels.contiguous()[None], inverted)


def _digit(ink: Grey, height: int, width: int) -> Grey:
    """Ink as MNIST prepared its digits: (H, W)."""
    strong = ink >= FAINT * ink.max()
    seen = background.side_by_side(strong)
    if seen > 1:
        raise FileRefused(f"one digit, please: {seen} were seen side by side")
    rows, columns = np.flatnonzero(strong.any(1)), np.flatnonzero(strong.any(0))
    longest = max(1, round(min(height, width) * DIGIT_SIDE / SIDE))
    small = _fit(ink, int(rows[0]), int(columns[0]), int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1, longest)
    small = small / small.max() * 255
    tall, wide = small.shape
    share = small / small.sum()
    centre = float(share.sum(1) @ np.arange(tall)), float(share.sum(0) @ np.arange(wide))
    top, left = round(height / 2 - centre[0]), round(width / 2 - centre[1])
    top, left = min(max(top, -1), height + 1 - tall), min(max(left, -1), width + 1 - wide)
    canvas = np.zeros((height + 2, width + 2), np.float32)  # for the frame around what was fitted
    canvas[top + 1 : top + 1 + tall, left + 1 : left + 1 + wide] = small
    return canvas[1:-1, 1:-1]


def _fit(ink: Grey, top: int, left: int, height: int, width: int, longest: int) -> Grey:
    """A part, with `longest` pixels for its longer side and its aspect kept, in a frame of a pixel around it."""
    rows, columns = (max(1, round(each * longest / max(height, width))) for each in (height, width))
    y, x = height / rows, width / columns  # a pixel of the result, in pixels of the ink
    margin = math.ceil(max(x, y))
    around = (left - x + margin, top - y + margin, left + width + x + margin, top + height + y + margin)
    return _resize(np.pad(ink, margin), columns + 2, rows + 2, around)


def _resize(grey: Grey, width: int, height: int, part: tuple[float, float, float, float] | None = None) -> Grey:
    """A pixel that covers many averages them; one that is less than one lies between its neighbours."""
    smaller = width < grey.shape[1] or height < grey.shape[0]
    method = Image.Resampling.BOX if smaller else Image.Resampling.BILINEAR
    return np.array(Image.fromarray(grey).resize((width, height), method, part))


def _whole(grey: Grey, height: int, width: int) -> Grey:
    """The whole picture, with its background beside it where its aspect is another: (H, W)."""
    scale = min(height / grey.shape[0], width / grey.shape[1])
    tall, wide = (max(1, round(each * scale)) for each in grey.shape)
    top, left = (height - tall) // 2, (width - wide) // 2
    canvas = np.full((height, width), np.median(background.edge(grey)), np.float32)
    canvas[top : top + tall, left : left + wide] = _resize(grey, wide, tall)
    return canvas


def _flat(picture: Image.Image, colours: bool) -> tuple[list[Grey], Mask | None]:
    """The levels of a plain picture, one array or three, and what belongs to its page where that has an outline.

    Transparency is believed where it shows an outline: around a page, which is what is opaque with all its outline of
    about one shade and ink within; or around strokes, which are laid on black if they are light, else on white.
    """
    grey: Grey = np.array(picture.convert("L"), np.float32)
    levels = [np.array(each, np.float32) for each in picture.convert("RGB").split()] if colours else [grey]
    if picture.mode != "RGBA":
        return levels, None
    alpha: Grey = np.array(picture.getchannel("A"), np.float32) / np.float32(255)
    if np.ptp(alpha) < 0.1:  # the same everywhere, it shows nothing
        return levels, None
    page = _page(grey, alpha)
    if page is not None:
        return [np.where(page, each, np.median(background.edge(each, page))) for each in levels], page
    ink = float((grey * alpha).sum()) / max(float(alpha.sum()), 1)
    under = 0 if ink >= background.LIGHT else 255
    return [(each * alpha + under * (1 - alpha)).astype(np.float32) for each in levels], None


def _page(grey: Grey, alpha: Grey) -> Mask | None:
    """What is surely inside a page with a transparent margin; None if what is opaque are strokes."""
    from scipy import ndimage  # a tenth of a second, and opaque pictures do without

    inset = 2 * round(max(grey.shape) / 200) + 3  # edges are mixed with what is beside them
    page: Mask = ndimage.minimum_filter(alpha, inset, mode="constant") > 0.98
    if not page.any():
        return None
    inside = grey[page]
    low, high = float(inside.min()), float(inside.max())
    outline = background.edge(grey, page) > (low + high) / 2
    share = float(outline.mean())
    one_shade = max(share, 1 - share) >= PAGE
    return page if high - low >= background.PAGE_CONTRAST and one_shade else None
