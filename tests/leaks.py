"""Looks for a key, or a part of it, in whatever an attacker may see: text, pages, files, what goes over the wire."""

import base64
import re

import numpy as np

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
