"""A drawing or an upload -> the 28x28 that the model sees.

`read` decodes a file that may be hostile. `prepare` does to a picture what its data set did to its own: MNIST's
authors fitted each digit into 20x20 with its aspect kept, let the fitting make the greys, and moved its centre of
mass into the middle of 28x28 (http://yann.lecun.com/exdb/mnist). MNIST's own samples come through the style "digit"
to within one grey level, and 28x28 greys come through "whole" bit by bit.
"""

import io
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile
from torch import Tensor

from kerckhoffs.checks import FileRefused, check_choice

SIDE = 28
DIGIT_SIDE = 20
STYLES: dict[str, str] = {
    "digit": "what is drawn, fitted into 20x20 and centred by its mass, as MNIST's digits were",
    "whole": "the whole picture, fitted into 28x28",
}

LARGEST_SIDE = 2048  # of a picture that has been read; larger ones are averaged down
SHOWN = 60  # characters of a file's name in a sentence
LIGHT = 128  # a border of this grey and above is a light background
FAINT = 0.1  # of the strongest ink: what is fainter may be a trace of JPEG, and does not count for the size
FAINTEST = 24  # grey levels between the background and the strongest ink
NOISE = 6  # times the border's median deviation are background; none if the border is even

MEGA = 1_000_000
MEGABYTES = 10  # of a file, at most
JPEG_SEGMENTS = 1000  # before the picture; a photo has some dozens, and each takes memory
JPEG_SCANS = 200  # a progressive photo has about ten, and each takes time

Grey = NDArray[np.float32]  # (H, W), from 0 to 255


@dataclass(frozen=True)
class Prepared:
    """What the model sees of a picture: `images`, float32 (1, 1, 28, 28) in [0, 1]; `inverted`: it was turned over."""

    images: Tensor
    inverted: bool


def to_model_input(picture: Image.Image, *, invert: bool | None = None, style: str = "digit") -> Tensor:
    """`prepare`, for who wants the image alone: float32 (1, 1, 28, 28) in [0, 1]; raises ValueError likewise."""
    return prepare(picture, invert=invert, style=style).images


def prepare(picture: Image.Image, *, invert: bool | None = None, style: str = "digit") -> Prepared:
    """Turn a picture of any size and mode into the model's input: light ink on black.

    It is turned upright as its EXIF says, laid on the shade that its ink is not where it is transparent, and made
    grey. "digit" also takes the background, as its border shows it, for black, and the strongest ink for white.

    Args:
        picture: a drawing or a photo; not changed.
        invert: whether to swap dark and light; by default, if most of the border is light.
        style: a key of STYLES.

    Raises:
        ValueError: if it is no picture, cannot be decoded, or ("digit") shows nothing but one shade.
    """
    check_choice(style, STYLES, "style")
    if not isinstance(picture, Image.Image):
        raise ValueError(f"picture must be a PIL.Image.Image, but is a {type(picture).__name__}")
    with _refusing("the picture is damaged, or of a kind that cannot be turned into greys"):
        grey = _grey(_plain(picture))
    inverted = bool(np.median(_border(grey)) >= LIGHT) if invert is None else bool(invert)
    if inverted:
        grey = 255 - grey
    pixels = _digit(grey) if style == "digit" else _whole(grey)
    return Prepared(torch.from_numpy(pixels / 255).clamp(0, 1).reshape(1, 1, SIDE, SIDE), inverted)


def _border(grey: Grey) -> Grey:
    return np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])


def _digit(grey: Grey) -> Grey:
    """What differs from the background, as MNIST prepared its digits: (28, 28)."""
    if np.ptp(grey) < FAINTEST:
        raise ValueError("there is nothing to read: the picture is empty, or all of about one shade")
    border = _border(grey)
    floor = background = float(np.median(border))
    floor += NOISE * float(np.median(np.abs(border - background)))
    if background >= LIGHT:  # it is not the border that is behind this ink
        floor = 0
    ink = np.clip(grey - floor, 0, None)
    if ink.max() < FAINTEST:
        raise ValueError("there is nothing to read: no ink stands out from the background")
    strong = ink >= FAINT * ink.max()
    rows, columns = np.flatnonzero(strong.any(1)), np.flatnonzero(strong.any(0))
    small = _fit(ink, int(rows[0]), int(columns[0]), int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1)
    small = small / small.max() * 255
    height, width = small.shape
    share = small / small.sum()
    centre = float(share.sum(1) @ np.arange(height)), float(share.sum(0) @ np.arange(width))
    top, left = round(SIDE / 2 - centre[0]), round(SIDE / 2 - centre[1])
    top, left = min(max(top, -1), SIDE + 1 - height), min(max(left, -1), SIDE + 1 - width)
    canvas = np.zeros((SIDE + 2, SIDE + 2), np.float32)  # for the frame around what was fitted
    canvas[top + 1 : top + 1 + height, left + 1 : left + 1 + width] = small
    return canvas[1:-1, 1:-1]


def _fit(ink: Grey, top: int, left: int, height: int, width: int) -> Grey:
    """A part, with 20 pixels for its longer side and its aspect kept, in a frame of a pixel of what is around it."""
    rows, columns = (max(1, round(each * DIGIT_SIDE / max(height, width))) for each in (height, width))
    y, x = height / rows, width / columns  # a pixel of the result, in pixels of the ink
    margin = math.ceil(max(x, y))
    around = (left - x + margin, top - y + margin, left + width + x + margin, top + height + y + margin)
    return _resize(np.pad(ink, margin), columns + 2, rows + 2, around)


def _resize(grey: Grey, width: int, height: int, part: tuple[float, float, float, float] | None = None) -> Grey:
    """A pixel that covers many averages them; one that is less than one lies between its neighbours."""
    smaller = width < grey.shape[1] or height < grey.shape[0]
    method = Image.Resampling.BOX if smaller else Image.Resampling.BILINEAR
    return np.array(Image.fromarray(grey).resize((width, height), method, part))


def _whole(grey: Grey) -> Grey:
    """The whole picture, with its background beside it where it is no square: (28, 28)."""
    height, width = (max(1, round(each * SIDE / max(grey.shape))) for each in grey.shape)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    canvas = np.full((SIDE, SIDE), np.median(_border(grey)), np.float32)
    canvas[top : top + height, left : left + width] = _resize(grey, width, height)
    return canvas


def _grey(picture: Image.Image) -> Grey:
    """Greys of a plain picture. What is transparent becomes black under light ink and white under dark ink."""
    grey: Grey = np.array(picture.convert("L"), np.float32)
    if picture.mode != "RGBA":
        return grey
    alpha: Grey = np.array(picture.getchannel("A"), np.float32) / np.float32(255)
    ink = float((grey * alpha).sum()) / max(float(alpha.sum()), 1)
    under = 0 if ink >= LIGHT else 255
    return (grey * alpha + under * (1 - alpha)).astype(np.float32)


UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _plain(picture: Image.Image) -> Image.Image:
    """A copy in L, RGB or RGBA, at most 2048 wide and high, upright, without anything but its pixels."""
    picture.load()
    try:
        turn = UPRIGHT.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a note that cannot be read says nothing, and its parser can raise almost anything
        turn = None
    if picture.mode[0] in "IF":
        picture = _eight_bits(picture)
    mode = "RGBA" if picture.has_transparency_data else "L" if picture.mode in ("1", "L") else "RGB"
    if picture.mode != mode:
        picture = picture.convert(mode)
    factor = -(-max(picture.size) // LARGEST_SIDE)
    picture = picture.reduce(factor) if factor > 1 else picture.copy()
    if turn is not None:
        picture = picture.transpose(turn)
    picture.info = {}
    return picture


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Integers or floats as 8 bits: their range is [0, 1] (floats), [0, 255] or [0, 65535], the first that holds."""
    values = np.asarray(picture)
    low, high = float(values.min()), float(values.max())
    if not 0 <= low <= high <= 65535:  # nor NaN
        raise FileRefused(f"the picture's values must lie in [0, 65535], but range from {low:g} to {high:g}")
    if picture.mode == "F" and high <= 1:
        return Image.fromarray((values * 255).round().astype(np.uint8))
    sixteen = picture.mode.startswith("I;16") or high > 255
    return Image.fromarray((values // 257 if sixteen else values).astype(np.uint8))


@dataclass(frozen=True)
class Format:
    """A kind of file: how it begins, who decodes it, what is looked at before that, and how large it may be."""

    magic: re.Pattern[bytes]
    decoder: Callable[[io.BytesIO], ImageFile.ImageFile]
    before: Callable[[bytes], bytes] = lambda data: data
    megabytes: float = MEGABYTES
    megapixels: float = 16


def read(data: bytes, name: str) -> Image.Image:
    """Decode an uploaded file, of which nothing is believed: PNG, JPEG, WebP, BMP, or the first frame of a GIF.

    The content decides, not the name. The header is read first; pixels are decoded only if there are few enough
    (16 megapixels; WebP, which takes most memory, 4), in at most about 200 MB. Nothing global changes.

    Args:
        data: the file's bytes, at most 10 MB (GIF: 2 MB).
        name: what to call it in a sentence.

    Returns:
        The picture, decoded, upright, in mode L, RGB or RGBA, at most 2048 wide and high.

    Raises:
        FileRefused: whatever is wrong, with one sentence.
    """
    name = shown(name)
    form, picture = _open(data, name)
    with _refusing(f"{name} is damaged or cut short and cannot be read as {form}"):
        if isinstance(picture, JpegImageFile):
            picture.draft(None, (LARGEST_SIDE // 2, LARGEST_SIDE // 2))  # decodes at a smaller scale what is large
        return _plain(picture)


def declared(data: bytes, name: str) -> tuple[int, int]:
    """The width and height that a file declares in its header; raises FileRefused where `read` would."""
    return _open(data, shown(name))[1].size


def shown(name: object) -> str:
    """A file's name as a sentence may hold it: what can be printed, at most 60 characters."""
    printable = "".join(each for each in str(name) if each.isprintable()).strip()
    if len(printable) > SHOWN:
        printable = f"{printable[: SHOWN // 2]}…{printable[1 - SHOWN // 2 :]}"
    return printable or "the file"


def _open(data: bytes, name: str) -> tuple[str, ImageFile.ImageFile]:
    """The format, and the picture with its header read and nothing decoded.

    Image.open is not asked: it warns about large pictures by a filter that all threads share.
    """
    if not data:
        raise FileRefused(f"{name} is empty")
    form = next((each for each, format_ in FORMATS.items() if format_.magic.match(data)), None)
    if form is None:
        raise FileRefused(f"{name} is no picture of a kind that is read here: {', '.join(FORMATS)}")
    format_ = FORMATS[form]
    if len(data) > format_.megabytes * MEGA:
        raise FileRefused(f"{name} has {len(data) / MEGA:.1f} MB; a {form} may have {format_.megabytes:g}")
    with _refusing(f"{name} is damaged or cut short and cannot be read as {form}"):
        data = format_.before(data)
        width, height = _webp_size(data) if form == "WebP" else (0, 0)  # its decoder reserves memory when it is made
        if width * height <= format_.megapixels * MEGA:
            picture = format_.decoder(io.BytesIO(data))
            width, height = picture.size
    if width * height > format_.megapixels * MEGA:
        raise FileRefused(
            f"{name} declares {width} x {height} pixels; a {form} may have {format_.megapixels:g} million"
        )
    return form, picture


@contextmanager
def _refusing(sentence: str) -> Iterator[None]:
    """Whatever a decoder raises (MemoryError, struct.error, zlib.error, ...) becomes one sentence."""
    try:
        yield
    except FileRefused:
        raise
    except Exception as error:
        raise FileRefused(sentence) from error


def _png(data: bytes) -> bytes:
    """A PNG with only the chunks that make its picture: texts can be bombs of their own, and animations warn."""
    kept, at, kind = bytearray(data[:8]), 8, b""
    while kind != b"IEND":
        kind, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4])
        if end > len(data):
            raise EOFError("no IEND")
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"eXIf", b"IEND"):
            kept += data[at:end]
        at = end
    return bytes(kept)


def _jpeg(data: bytes) -> bytes:
    """A JPEG, unless it has so many segments or scans that they are its purpose."""
    if data.count(b"\xff\xda") > JPEG_SCANS:
        raise ValueError("too many scans")
    at = 2
    for _ in range(JPEG_SEGMENTS):
        while data[at + 1] == 0xFF:  # padding
            at += 1
        if data[at] != 0xFF:
            raise ValueError("no marker")
        if data[at + 1] == 0xDA:
            return data
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    raise ValueError("too many segments")


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of a WebP, read as its decoder will read them."""
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


FORMATS: dict[str, Format] = {
    "PNG": Format(re.compile(rb"\x89PNG\r\n\x1a\n"), PngImageFile, _png),
    "JPEG": Format(re.compile(rb"\xff\xd8\xff"), JpegImageFile, _jpeg),
    "WebP": Format(re.compile(rb"RIFF....WEBPVP8[ LX]", re.DOTALL), WebPImageFile, megapixels=4),
    "BMP": Format(re.compile(rb"BM"), BmpImageFile),
    "GIF": Format(re.compile(rb"GIF8[79]a"), GifImageFile, megabytes=2),  # its comments are read block by block
}
