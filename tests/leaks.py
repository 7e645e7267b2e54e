"""Looks for a key, or a part of it, in whatever an attacker may see: text, pages, files, what goes over the wire."""

import base64
import io
import re

import numpy as np
from PIL import Image

DIGITS = 8  # of a key's value behind the point: no other number has them by chance
RUN = 5  # entries of the permutation in a row
BINARY = {"values": ("<f8", "<f4"), "order": ("<i8", "<i4", "<i2")}
WINDOW = 4  # entries in a row, as bytes, begun at every WINDOWth: seven in a row are always seen


def traces(seen, key):
    """What of a key is in these bytes, in words; empty where nothing is."""
    found = [f"the value {number.decode()}" for number in _decimals(seen) & _decimals(_text(key.values))]
    if _runs(_numbers(seen)) & (_runs(key.permutation()) | _runs(np.argsort(key.permutation()))):
        found.append("a part of the permutation, in digits")
    packed = re.findall(rb"[A-Za-z0-9+/]{24,}={0,2}", seen.replace(b"-", b"+").replace(b"_", b"/"))
    for where, content in (("bytes", seen), ("base64", b"\n".join(map(_unpacked, packed)))):
        found += [f"{name} as {kind} in {where}" for name, kind, part in _windows(key) if part in content]
    return found


def _text(values):
    return " ".join(f"{value:.17f}" for value in values).encode()


def _decimals(text):
    return set(re.findall(rb"(?<!\d)\d\.\d{%d}" % DIGITS, text))


def _numbers(text):
    return [int(number) for number in re.findall(rb"\d+", text) if len(number) < 7]


def _runs(numbers):
    return set(zip(*(numbers[start:] for start in range(RUN)), strict=False))


def _unpacked(text):
    text = text.rstrip(b"=")
    return base64.b64decode(text[: len(text) - (len(text) % 4 == 1)] + b"=" * (-len(text) % 4))


def _windows(key):
    sources = {"values": key.values, "order": key.permutation()}
    for name, kinds in BINARY.items():
        for kind in kinds:
            for start in range(0, len(key) - WINDOW, WINDOW):
                yield name, kind, sources[name][start : start + WINDOW].astype(kind).tobytes()


def places(put_in, came_out, key):
    """How many places of the permutation pictures give away, beyond chance: 0, or the most that one of them gives.

    Whoever chose the images compares: a place of a picture is taken for the place of the image that it follows most
    closely, over all images, rising or falling.

    Args:
        put_in: the images, (N, H * W).
        came_out: for each kind of picture, as it stands on a page, those of the N images: (N, H * W).
    """
    order = key.permutation()
    guesses = [_follows(_levelled(picture), _levelled(put_in)) for picture in came_out]
    hits = [int((guess == truth).sum()) for guess in guesses for truth in (order, np.argsort(order))]
    return max((each for each in hits if each > CHANCE), default=0)


def neighbours(came_out, key, sides):
    """How many places are told a neighbour behind P, beyond chance: 0, or the most that one kind of picture tells.

    A network reads neighbouring places together. So whoever sees changes that its gradients made takes for neighbours
    what changes together, and needs no image of their own choice.

    Args:
        came_out: as for `places`.
        sides: (H, W).
    """
    rows, columns = np.divmod(np.argsort(key.permutation()), sides[1])
    hits = []
    for picture in came_out:
        levels = _levelled(picture)
        alike = levels.T @ levels
        np.fill_diagonal(alike, -np.inf)
        best = alike.argmax(1)
        apart = abs(rows - rows[best]) + abs(columns - columns[best])
        hits.append(int(((apart == 1) & levels.any(0)).sum()))
    return max((each for each in hits if each > NEIGHBOURS_BY_CHANCE), default=0)


CHANCE = 12  # right guesses: one is expected of any guess that does not know the key (Poisson), 13 in one of 10^10
NEIGHBOURS_BY_CHANCE = 25  # 4 are expected, and they come in pairs


def _levelled(values):
    """(N, P) with mean 0 and length 1 in each column; zeros where nothing changes."""
    values = np.asarray(values, dtype=np.float64)
    values = values - values.mean(0)
    length = np.linalg.norm(values, axis=0)
    return values / np.where(length > 1e-9, length, np.inf)


def _follows(out, put_in):
    """For each place of a picture the place of the images that it follows most closely; -1 where it never changes."""
    likeness = np.abs(out.T @ put_in)
    return np.where(likeness.max(1) > 1e-9, likeness.argmax(1), -1)


def pictures_in(text):
    """All pictures that a text holds as data: URIs, as arrays (H, W) or (H, W, 3), in their order."""
    found = re.findall(rb"data:image/png;base64,([A-Za-z0-9+/=]+)", text)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in found]
