"""A file from outside -> a picture: a decoder that believes nothing.

The content says what a file is; its header is read before its pixels, and pixels are decoded only where their number
and the memory that they take are bounded. A JPEG is decoded at a smaller scale, so the photo of any phone is read in
the memory of a small picture. Nothing global changes.
"""

import io
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from kerckhoffs.checks import FileRefused

LARGEST_SIDE = 2048  # of a picture that has been read; larger ones are averaged down
SHOWN = 60  # characters of a file's name in a sentence
BAND = 1_000_000  # pixels that change their mode at once

MEGA = 1_000_000
MEGABYTES = 30  # of a file of any kind, at most
PIXELS_A_BYTE = 10_000  # an empty page in black and white has 8000; what declares more is a bomb
JPEG_SEGMENTS = 1000  # before the picture; a photo has some dozens, and each takes memory
JPEG_SCANS = 200  # a progressive photo has about ten, and each takes time
_MANY_SCANS = "the JPEG is progressive and too large for that; save it smaller, or as a baseline JPEG"
JPEG_KEPT = 80 * MEGA  # samples of a JPEG in several scans, which are all kept until the last; two bytes each

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def plain(picture: Image.Image) -> Image.Image:
    """A copy in L, RGB or RGBA, at most 2048 wide and high, upright, without anything but its pixels."""
    picture.load()
    try:
        turn = UPRIGHT.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a note that cannot be read says nothing, and its parser can raise almost anything
        turn = None
    numbers = picture.mode[0] in "IF"
    full = _full_scale(picture) if numbers else 255
    has_alpha = picture.has_transparency_data and not numbers
    mode = "RGBA" if has_alpha else "L" if numbers or picture.mode in ("1", "L") else "RGB"
    factor = -(-max(picture.size) // LARGEST_SIDE)
    small = Image.new(mode, (-(-picture.width // factor), -(-picture.height // factor)))
    for top, band in _bands(picture, factor):
        part = _eight_bits(band, full) if numbers else band if band.mode == mode else band.convert(mode)
        small.paste(part.reduce(factor) if factor > 1 else part, (0, top // factor))
    return small if turn is None else small.transpose(turn)


def _bands(picture: Image.Image, factor: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """A picture in bands of a multiple of `factor` rows, each with its top: what is made of one takes little memory."""
    rows = max(1, BAND // picture.width // factor) * factor
    for top in range(0, picture.height, rows):
        yield top, picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def _full_scale(picture: Image.Image) -> float:
    """What stands for white in integers or floats: 1 (floats), 255 or 65535, the first that none is above."""
    arrays = (np.asarray(band) for _, band in _bands(picture))
    ranges = [(float(values.min()), float(values.max())) for values in arrays]
    low, high = float(np.min(ranges)), float(np.max(ranges))
    if not 0 <= low <= high <= 65535:  # nor NaN
        raise FileRefused(f"the picture's values must lie in [0, 65535], but range from {low:g} to {high:g}")
    if picture.mode == "F" and high <= 1:
        return 1
    return 65535 if picture.mode.startswith("I;16") or high > 255 else 255


def _eight_bits(picture: Image.Image, full: float) -> Image.Image:
    values = np.asarray(picture)
    if full == 1:
        return Image.fromarray((values * 255).round().astype(np.uint8))
    return Image.fromarray((values // 257 if full > 255 else values).astype(np.uint8))


@dataclass(frozen=True)
class Format:
    """A kind of file: how it begins, who decodes it, what is looked at before that, and how large it may be."""

    magic: re.Pattern[bytes]
    decoder: Callable[[io.BytesIO], ImageFile.ImageFile]
    before: Callable[[bytes], bytes] = lambda data: data
    megabytes: float = 10
    megapixels: float = 16


def read(data: bytes, name: str) -> Image.Image:
    """Decode an uploaded file, of which nothing is believed: PNG, JPEG, WebP, BMP, or the first frame of a GIF.

    The content decides, not the name. The header is read first; pixels are decoded only if there are few enough
    (PNG, BMP and GIF: 16 megapixels; WebP, which takes most memory: 4; JPEG, which is decoded at a smaller scale:
    210, which the largest phones have), in at most about 200 MB. Nothing global changes.

    Args:
        data: the file's bytes, at most 10 MB (JPEG: 30 MB; GIF: 2 MB).
        name: what to call it in a sentence.

    Returns:
        The picture, decoded, upright, in mode L, RGB or RGBA, at most 2048 wide and high.

    Raises:
        FileRefused: whatever is wrong, with one sentence.
    """
    name = shown(name)
    form, picture = _open(data, name)
    with refusing(f"{name} is damaged or cut short and cannot be read as {form}"):
        if isinstance(picture, JpegImageFile):
            scale = next((each for each in (1, 2, 4) if max(picture.size) <= each * LARGEST_SIDE), 8)
            picture.draft(None, (max(1, picture.width // scale), max(1, picture.height // scale)))
        return plain(picture)


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
    with refusing(f"{name} is damaged or cut short and cannot be read as {form}"):
        data = format_.before(data)
        width, height = _webp_size(data) if form == "WebP" else (0, 0)  # its decoder reserves memory when it is made
        if width * height <= format_.megapixels * MEGA:
            picture = format_.decoder(io.BytesIO(data))
            width, height = picture.size
    if width * height > format_.megapixels * MEGA:
        raise FileRefused(
            f"{name} declares {width} x {height} pixels; a {form} may have {format_.megapixels:g} million"
        )
    if width * height > PIXELS_A_BYTE * len(data):
        raise FileRefused(f"{name} declares {width} x {height} pixels in {len(data)} bytes, which no picture does")
    return form, picture


@contextmanager
def refusing(sentence: str) -> Iterator[None]:
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
    """A JPEG, unless it has so many segments or scans that they are its purpose, or too much to keep in memory."""
    if data.count(b"\xff\xda") > JPEG_SCANS:
        raise ValueError("too many scans")
    at, kept, parts = 2, 0, 0
    for _ in range(JPEG_SEGMENTS):
        while data[at + 1] == 0xFF:  # padding
            at += 1
        if data[at] != 0xFF:
            raise ValueError("no marker")
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # the frame: size, and each part's sampling
            height, width, parts = *struct.unpack(">HH", data[at + 5 : at + 9]), data[at + 9]
            factors = [(each >> 4, each & 15) for each in data[at + 11 : at + 11 + 3 * parts : 3]]
            most = max(each[0] for each in factors) * max(each[1] for each in factors)
            progressive = marker & 3 == 2
            kept = width * height * sum(across * down for across, down in factors) // max(1, most)
        if marker == 0xDA:
            if kept > JPEG_KEPT and (progressive or data[at + 4] < parts):
                raise FileRefused(_MANY_SCANS)
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
    "JPEG": Format(re.compile(rb"\xff\xd8\xff"), JpegImageFile, _jpeg, megabytes=MEGABYTES, megapixels=210),
    "WebP": Format(re.compile(rb"RIFF....WEBPVP8[ LX]", re.DOTALL), WebPImageFile, megapixels=4),
    "BMP": Format(re.compile(rb"BM"), BmpImageFile),
    "GIF": Format(re.compile(rb"GIF8[79]a"), GifImageFile, megabytes=2),  # its comments are read block by block
}
