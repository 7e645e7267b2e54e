"""Images from strangers: a .npy file or JSON, made float32 (N, C, H, W) in [0, 1] or refused with a sentence.

Nothing is unpickled, and nothing is allocated that the bytes do not fill: a header's shape is compared with what is
wanted and with what is there, and lists are looked through, before there is an array.
"""

import io
import json
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor

from kerckhoffs.challenge.refusals import Refused
from kerckhoffs.challenge.wire import NPY
from kerckhoffs.checks import check_images

HEADER_BYTES = 4096  # of a .npy file; numpy writes 128
DIGITS = 26  # of a number in JSON, with what separates it: a float64 has 17, a sign, a point and an exponent
READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def longest(values: int, kind: str) -> int:
    """The most bytes that so many values can take."""
    return HEADER_BYTES + values * (8 if kind == NPY else DIGITS)


def read(body: bytes, kind: str, shape: tuple[int, int, int], most: int) -> Tensor:
    """The images of a body, float32 (N, C, H, W) in [0, 1].

    Args:
        kind: NPY or JSON; of the latter the list "images" of an object.
        shape: (C, H, W).
        most: of them.

    Raises:
        Refused: with 400 if the body is not of its kind, 413 if there are too many images, 422 if they are none.
    """
    found = _npy(body, shape, most) if kind == NPY else _listed(record(body), shape, most)
    with np.errstate(over="ignore"):
        images = torch.from_numpy(np.ascontiguousarray(found.astype(np.float32)))
    try:
        check_images(images)
    except ValueError as error:
        raise Refused(str(error)) from None
    return images


def record(body: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        Refused: with 400 if it is none.
    """
    try:
        found = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Refused(f"the body is not JSON: {why[:200]}", 400) from None
    if not isinstance(found, dict):
        raise Refused(f"the body must be a JSON object, but is {type(found).__name__}", 400)
    return found


def write(values: Tensor) -> bytes:
    """A tensor as a .npy file."""
    file = io.BytesIO()
    np.save(file, values.numpy(), allow_pickle=False)
    return file.getvalue()


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number in JSON")


def _listed(found: dict[str, Any], shape: tuple[int, int, int], most: int) -> NDArray[Any]:
    values = found.get("images")
    if not isinstance(values, list):
        raise Refused('the object must have a list "images": N images of C channels of H rows of W numbers')
    _check_shape((len(values), *shape), shape, most)
    for length in shape:
        if not all(isinstance(each, list) and len(each) == length for each in values):
            raise Refused("each image must be {} channels of {} rows of {} numbers, in lists".format(*shape))
        values = list(chain.from_iterable(values))
    if not {*map(type, values)} <= {int, float}:  # numpy would make text of all of them, or 1 of true
        raise Refused("the images must hold numbers and nothing else")
    try:
        return np.array(values, np.float64).reshape(-1, *shape)
    except OverflowError:
        raise Refused("the images must hold numbers from 0 to 1") from None


def _npy(body: bytes, shape: tuple[int, int, int], most: int) -> NDArray[Any]:
    file = io.BytesIO(body)
    try:
        version = npy.read_magic(file)
        reader = READERS[version]
        found, _, kind = reader(file, max_header_size=HEADER_BYTES)
    except KeyError:
        raise Refused(f"the .npy file has the version {version}, but must have 1.0 or 2.0", 400) from None
    except Exception:  # a hostile header can raise almost anything: tokenize's, ast's, the parser's errors
        raise Refused("the body is no .npy file: numpy.save writes one", 400) from None
    if kind.hasobject or kind.kind != "f" or kind.itemsize not in (4, 8):
        raise Refused(f"the images must be float32, but are {str(kind)[:40]}")
    _check_shape(found, shape, most)
    wanted = int(np.prod(found)) * kind.itemsize
    if len(body) - file.tell() != wanted:
        raise Refused(f"the .npy file should hold {wanted} bytes of values, but holds {len(body) - file.tell()}", 400)
    file.seek(0)
    values: NDArray[Any] = np.load(file, allow_pickle=False, max_header_size=HEADER_BYTES)
    return values


def _check_shape(found: tuple[int, ...], shape: tuple[int, int, int], most: int) -> None:
    if len(found) != 4 or tuple(found[1:]) != shape or found[0] < 1:
        needed = ", ".join(map(str, shape))
        raise Refused(f"the images must have shape (N, {needed}) with N at least 1, but have {str(found)[:100]}")
    if found[0] > most:
        raise Refused(f"a request may have {most} images, but this has {found[0]}; send them in several", 413)
