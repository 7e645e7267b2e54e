"""Ink on paper in any light: what of a picture is drawn, and what is behind it.

What is behind the ink is what an opening leaves, the lightest surface below the picture that has nothing narrower
than a third of it: light that falls off, a hand's shadow, the shade of paper, but no stroke. Ruled lines go on to the
edges of a picture and strokes do not, so what the edges show beside the background does not count as ink.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kerckhoffs.checks import FileRefused

LIGHT = 128  # an edge of this grey and above is light
FAINTEST = 24  # grey levels between the background and the strongest ink
PAGE_CONTRAST = 64  # grey levels between a page and the ink on it
NOISE = 6  # times the edge's median deviation are background; none if the edge is even
EVEN = 0.98  # of an edge within 2 grey levels: the background has one shade
WORKED = 512  # the longer side of a photo when its background is looked for
WIDEST = 1 / 3  # of the longer side: what is narrower may be a stroke
CLUTTER = 0.6  # of the strongest ink: what is stronger at the edge is ink that is cut off, no line
SPECK = 0.02  # of the largest part: what is smaller is dust
FAINT_PART = 0.4  # of the strongest ink: a part that has nothing stronger is no stroke
LINED = 40  # pixels: what is smaller shows no ruled lines
TILTS = np.tan(np.radians(np.arange(-8, 8.01, 0.25)))  # of ruled lines
TALL = 0.5  # of the tallest part: what is shorter is a part of a digit
APART = 0.08  # of the tallest part's height: what is nearer may be a broken stroke

Grey = NDArray[np.float32]  # (H, W), from 0 to 255
Mask = NDArray[np.bool_]  # (H, W)


def edge(grey: Grey, seen: Mask | None = None) -> Grey:
    """The pixels at the picture's border, or at that of what is `seen` of it."""
    if seen is None:
        return np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])
    inside = np.pad(seen, 1)
    inside = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    return grey[seen & ~inside]


def light(grey: Grey, seen: Mask | None = None) -> bool:
    """Whether the background, as the edge shows it, is lighter than the ink: the ink is what is farther from it."""
    middle = float(np.median(edge(grey, seen)))
    values = grey if seen is None else grey[seen]
    below, above = middle - float(values.min()), float(values.max()) - middle
    return middle >= LIGHT if max(below, above) < FAINTEST else below > above


def ink(grey: Grey, seen: Mask | None = None, *, paper: bool = False) -> Grey:
    """How far each pixel stands out from what is behind it.

    Args:
        grey: ink lighter than its background.
        seen: the pixels that belong to the picture; all by default.
        paper: whether the picture was turned over: dark ink takes a share of the light that falls on it.

    Returns:
        (H, W), from 0 up; of a photo, at most 512 wide and high.

    Raises:
        FileRefused: if nothing stands out.
    """
    if np.ptp(grey if seen is None else grey[seen]) < FAINTEST:
        raise FileRefused("there is nothing to read: the picture is empty, or all of about one shade")
    rim = edge(grey, seen)
    background = float(np.median(rim))
    if light(grey, seen):  # it is not the edge that is behind this ink
        found = grey if seen is None else np.where(seen, grey, 0)
    elif seen is None and (np.abs(rim - background) <= 2).mean() >= EVEN:
        found = np.clip(grey - background - NOISE * float(np.median(np.abs(rim - background))), 0, None)
    else:
        found = _photo(grey, seen, paper)
    if found.max() < FAINTEST:
        raise FileRefused("there is nothing to read: no ink stands out from the background")
    return found


def _photo(grey: Grey, seen: Mask | None, paper: bool) -> Grey:
    """Ink on a background that is not the same everywhere."""
    from scipy import ndimage  # a tenth of a second, and drawings do without

    factor = math.ceil(max(grey.shape) / WORKED)
    if factor > 1:
        grey = np.array(Image.fromarray(grey).reduce(factor))
        if seen is not None:
            seen = np.array(Image.fromarray(seen.astype(np.float32)).reduce(factor)) > 0.99
    side = max(3, round(max(grey.shape) * WIDEST))
    smooth = ndimage.median_filter(grey, 3, mode="nearest")
    if seen is not None:
        smooth = np.where(seen, smooth, 255)
    behind = ndimage.minimum_filter(smooth, side, mode="nearest")
    if seen is not None:
        behind = np.where(ndimage.binary_dilation(seen, iterations=1) | (behind < 255), behind, 0)
    behind = ndimage.maximum_filter(behind, side, mode="nearest")
    found = grey - np.minimum(behind, smooth)
    if paper:
        found *= 255 / np.maximum(255 - behind, FAINTEST)
    if seen is not None:
        found[~seen] = 0
    found = _without_lines(found)
    rim = edge(found, seen)
    middle = float(np.median(rim))
    floor = middle + NOISE * float(np.median(np.abs(rim - middle)))
    if rim.max() <= CLUTTER * found.max():
        floor = max(floor, float(rim.max()))
    found = np.clip(found - floor, 0, None)
    return _parts(found)


def _parts(found: Grey) -> Grey:
    """Without dust and without what is faint everywhere."""
    from scipy import ndimage

    parts, count = ndimage.label(found > 0.1 * found.max(), np.ones((3, 3)))
    numbers = np.arange(1, count + 1)
    if count < 2:
        return found
    mass, peak = ndimage.sum_labels(found, parts, numbers), ndimage.maximum(found, parts, numbers)
    strong = peak >= FAINT_PART * found.max()
    kept = np.concatenate([[True], strong & (mass >= SPECK * mass[strong].max())])
    left: Grey = np.where(kept[parts], found, 0).astype(np.float32)
    return left


def _without_lines(found: Grey) -> Grey:
    """Without lines from edge to edge, level or upright or tilted by up to 8 degrees."""
    return _without_rows(_without_rows(found).T).T


def _without_rows(found: Grey) -> Grey:
    """Without what most of a row has, along the tilt under which rows have most: no stroke goes on so far."""
    height, width = found.shape
    if min(height, width) < LINED:
        return found
    rows, columns = np.arange(height)[:, None], np.arange(0, width, max(1, width // 128))
    rank = round(0.3 * len(columns))  # seven in ten have at least as much
    best, lines = 0.0, None
    for tilt in TILTS:
        shifts = np.round((columns - width // 2) * tilt).astype(int)
        values = found[np.clip(rows + shifts, 0, height - 1), columns]
        profile = np.partition(values, rank, axis=1)[:, rank]
        profile = np.clip(profile - np.median(profile), 0, None)
        if (score := float((profile**2).sum())) > best:
            best, lines = score, (profile, tilt)
    if lines is None:
        return found
    profile, tilt = lines
    shifts = np.round((np.arange(width) - width // 2) * tilt).astype(int)
    left: Grey = np.clip(found - profile[np.clip(rows - shifts, 0, height - 1)], 0, None).astype(np.float32)
    return left


def side_by_side(strong: Mask) -> int:
    """How many shapes stand beside each other: parts about as tall as the tallest, with a gap that no pen leaves.

    Args:
        strong: where there is ink.
    """
    columns: Mask = np.asarray(strong.any(0))
    inside = columns[columns.argmax() : len(columns) - columns[::-1].argmax()]
    if inside.all() and inside.size < strong.any(1).sum():  # joined, and no wider than it is high
        return 1
    from scipy import ndimage

    factor = math.ceil(max(strong.shape) / 256)
    if factor > 1:
        strong = np.array(Image.fromarray(strong.astype(np.float32)).reduce(factor)) > 0
    rows = strong.any(1)
    reach = max(1, round(APART * int(rows.sum()) / 2))
    near = ndimage.maximum_filter(np.pad(strong, reach), 2 * reach + 1)
    boxes = [(y.start, y.stop, x.start, x.stop) for y, x in ndimage.find_objects(ndimage.label(near)[0])]
    tallest = max(boxes, key=lambda box: box[1] - box[0])
    counted, end = 0, -math.inf
    for top, bottom, left, right in sorted(boxes, key=lambda box: box[2]):
        level = min(bottom, tallest[1]) - max(top, tallest[0]) >= TALL * (tallest[1] - tallest[0])
        if level and end - left < (right - left) / 2:
            counted, end = counted + 1, right
    return counted
