"""A 28x28 picture as text, short enough for a web address: 8 bits a pixel, compressed, in base64url without padding."""

import base64
import binascii
import math
import zlib

import numpy as np
import torch
from torch import Tensor

SHAPE = (1, 1, 28, 28)
COUNT = math.prod(SHAPE)


def encode(image: Tensor) -> str:
    """Write an image (1, 1, 28, 28) in [0, 1], rounded to 8 bits."""
    levels = (image.detach() * 255).round().to(torch.uint8).numpy().tobytes()
    return base64.urlsafe_b64encode(zlib.compress(levels, 9)).decode().rstrip("=")


def decode(text: str) -> Tensor:
    """Read it back: float32 (1, 1, 28, 28) in [0, 1].

    Raises:
        ValueError: if it is not such a picture; nothing larger is ever unpacked.
    """
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        levels = zlib.decompressobj().decompress(packed, COUNT + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise ValueError(f"the picture is not in the encoding of a picture: {text[:20]!r}") from error
    if len(levels) != COUNT:
        raise ValueError("the picture is not one of 28 x 28 pixels")
    return torch.from_numpy(np.frombuffer(levels, np.uint8).astype(np.float32).reshape(SHAPE)) / 255
