"""An image as text, short enough for a web address: 8 bits a value, compressed, in base64url without padding."""

import base64
import binascii
import math
import zlib

import numpy as np
import torch
from torch import Tensor

Shape = tuple[int, int, int]  # (C, H, W)


def encode(image: Tensor) -> str:
    """Write an image (1, C, H, W) in [0, 1], rounded to 8 bits."""
    levels = (image.detach() * 255).round().to(torch.uint8).numpy().tobytes()
    return base64.urlsafe_b64encode(zlib.compress(levels, 9)).decode().rstrip("=")


def decode(text: str, shape: Shape) -> Tensor:
    """Read it back: float32 (1, C, H, W) in [0, 1].

    Raises:
        ValueError: if it is not an image of this shape; nothing larger is ever unpacked.
    """
    count = math.prod(shape)
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        levels = zlib.decompressobj().decompress(packed, count + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise ValueError(f"the picture is not in the encoding of a picture: {text[:20]!r}") from error
    if len(levels) != count:
        raise ValueError(f"the picture is not one of {' x '.join(str(side) for side in shape[1:])} pixels")
    return torch.from_numpy(np.frombuffer(levels, np.uint8).astype(np.float32).reshape(1, *shape)) / 255


def size(shape: Shape) -> str:
    """The size of an image for people: "28 × 28"."""
    return f"{shape[2]} × {shape[1]}"
