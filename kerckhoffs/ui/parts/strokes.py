"""A drawing as vector data: strokes of points, in an encoding that is small enough for a web address.

A stroke is its number of points and then x and y of each, a byte a number, on a canvas of 256 x 256; the bytes of
all strokes are written in base64url without padding. canvas.js writes the same encoding.
"""

import base64
import binascii

from PIL import Image, ImageDraw

SIDE = 256
INK = 22  # the stroke's width: a tenth of a digit's height, as in MNIST
MAX_POINTS = 1200
SMOOTH = 2  # drawn larger and reduced, so that edges are soft

Strokes = list[list[tuple[int, int]]]


def decode(text: str) -> Strokes:
    """Read an encoded drawing, which may come from anywhere.

    Raises:
        ValueError: if it is malformed or holds more than MAX_POINTS points.
    """
    if len(text) > 4 * MAX_POINTS:
        raise ValueError(f"a drawing has at most {MAX_POINTS} points, but this one is {len(text)} characters long")
    try:
        payload = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"the drawing is not in the encoding of a drawing: {text[:20]!r}") from error
    strokes: Strokes = []
    while payload:
        points, rest = payload[1 : 1 + 2 * payload[0]], payload[1 + 2 * payload[0] :]
        if not points or len(points) < 2 * payload[0]:
            raise ValueError("the drawing is not in the encoding of a drawing: a stroke is cut off")
        strokes.append(list(zip(points[::2], points[1::2], strict=True)))
        payload = rest
    if sum(map(len, strokes)) > MAX_POINTS:
        raise ValueError(f"a drawing has at most {MAX_POINTS} points, but this one has {sum(map(len, strokes))}")
    return strokes


def encode(strokes: Strokes) -> str:
    """Write strokes of 1 to 255 points each."""
    payload = b"".join(bytes([len(stroke), *(value for point in stroke for value in point)]) for stroke in strokes)
    return base64.urlsafe_b64encode(payload).decode().rstrip("=")


def picture(strokes: Strokes) -> Image.Image:
    """White ink on black, 8 bits, SIDE x SIDE."""
    large = Image.new("L", (SIDE * SMOOTH, SIDE * SMOOTH))
    pen = ImageDraw.Draw(large)
    radius = INK * SMOOTH / 2
    for stroke in strokes:
        points = [(x * SMOOTH, y * SMOOTH) for x, y in stroke]
        pen.line(points, fill=255, width=INK * SMOOTH)
        for x, y in points:  # round ends and joints
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return large.resize((SIDE, SIDE), Image.Resampling.BOX)
