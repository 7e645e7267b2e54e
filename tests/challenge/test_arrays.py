"""Images from strangers."""

import io
import json
import os
import struct
import time
import tracemalloc

import numpy as np
import pytest
import torch

from kerckhoffs.challenge import arrays
from kerckhoffs.challenge.refusals import Refused
from kerckhoffs.challenge.wire import JSON, NPY

SHAPE, MOST = (1, 4, 3), 5
IMAGES = torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(0))


def npy(values, **options):
    file = io.BytesIO()
    np.save(file, values, **options)
    return file.getvalue()


def listed(values):
    return json.dumps({"images": values}).encode()


def read(body, kind=NPY):
    return arrays.read(body, kind, SHAPE, MOST)


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_floats_in_any_order_of_bytes_and_axes_are_read(kind, order):
    found = read(npy(np.asarray(IMAGES.numpy(), dtype=kind, order=order)))
    assert found.dtype == torch.float32
    assert torch.equal(found, IMAGES)


def test_json_is_read_and_what_is_written_is_read_again():
    assert torch.equal(read(listed(IMAGES.tolist()), JSON), IMAGES)
    assert torch.equal(read(listed([[[[0, 1, 0]] * 4]]), JSON), torch.tensor([0.0, 1, 0]).expand(1, 1, 4, 3))
    assert torch.equal(read(arrays.write(IMAGES)), IMAGES)


def bad(**changes):
    """A .npy file with another header."""
    header = {"descr": "'<f4'", "fortran_order": "False", "shape": "(2, 1, 4, 3)"} | changes
    text = "{" + ", ".join(f"'{name}': {value}" for name, value in header.items()) + "}"
    head = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + IMAGES.numpy().tobytes()


class Bomb:
    def __reduce__(self):
        return os.system, ("touch unpickled",)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"\x93NUMPY", 400),
        (b"\x93NUMPY\x09\x00", 400),
        (b"PK\x03\x04" + bytes(100), 400),
        (npy(IMAGES.numpy())[:-1], 400),
        (npy(IMAGES.numpy()) + b"!", 400),
        (bad(shape="(2, 1, 4, 3"), 400),
        (bad(shape="(" * 3000), 400),
        (bad(descr="'|O'"), 422),
        (bad(descr="[('a', '<f4')]"), 422),
        (bad(descr="__import__('os')"), 400),
        (bad(shape="(-2, 1, 4, 3)"), 422),
        (bad(shape="(0, 1, 4, 3)"), 422),
        (bad(shape="(1000000000000, 1, 4, 3)"), 413),
        (bad(shape="(2, 1, 4, 3.0)"), 400),
        (bad(shape="(True, 1, 4, 3)"), 400),
        (bad(shape=f"({'9' * 100}, 1, 4, 3)"), 413),
        (npy(np.zeros((6, *SHAPE), np.float32)), 413),
        (npy(np.zeros((2, 1, 3, 4), np.float32)), 422),
        (npy(np.zeros((4, 3), np.float32)), 422),
        (npy(np.float32(0)), 422),
        (npy(np.zeros((2, *SHAPE), np.uint8)), 422),
        (npy(np.zeros((2, *SHAPE), np.float16)), 422),
        (npy(np.zeros((2, *SHAPE), np.complex64)), 422),
        (npy(np.array([Bomb()], dtype=object), allow_pickle=True), 422),
        (npy(np.full((2, *SHAPE), np.nan, np.float32)), 422),
        (npy(np.full((2, *SHAPE), np.inf)), 422),
        (npy(np.full((2, *SHAPE), 1e300)), 422),
        (npy(np.full((2, *SHAPE), 1.01)), 422),
        (npy(np.full((2, *SHAPE), -1e-3)), 422),
    ],
    ids=repr,
)
def test_a_npy_file_that_is_none_is_refused_with_a_sentence(body, status, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused) as refused:
        read(body)
    assert refused.value.status == status, str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"images": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400),
        (b'{"images": ' + b"[" * 500 + b"]" * 500 + b"}", 422),
        (b"[]", 400),
        (b"3", 400),
        (b'{"images": NaN}', 400),
        (b'{"images": [[[[Infinity]]]]}', 400),
        (b'{"images": ' + b"9" * 5000 + b"}", 400),
        (b"{}", 422),
        (b'{"images": 3}', 422),
        (b'{"images": []}', 422),
        (b'{"images": [[1], [1, 2]]}', 422),
        (b'{"images": ["a"]}', 422),
        (b'{"images": [{}]}', 422),
        (b'{"images": [null]}', 422),
        (b'{"images": [true]}', 422),
        (b'{"images": [[[[1e999, 0, 0]]]]}', 422),
        (listed([[[[1e999, 0, 0]] * 4]]).replace(b"Infinity", b"1e999"), 422),
        (listed([[[[10**400, 0, 0]] * 4]]), 422),
        (listed([[[[True, 0, 0]] * 4]]), 422),
        (listed([[[["1", 0, 0]] * 4]]), 422),
        (listed([[[[None, 0, 0]] * 4]]), 422),
        (listed([[[[[], 0, 0]] * 4]]), 422),
        (listed([[[[0, 0, 0]] * 3 + [[0, 0]]]]), 422),
        (listed([[[[0, 0, 0]] * 3]]), 422),
        (listed([[[[0, 0, 0]] * 4] * 2]), 422),
        (listed([[[[0, 0, 0]] * 3 + ["000"]]]), 422),
        (listed(np.zeros((6, *SHAPE)).tolist()), 413),
        (listed(np.full((1, *SHAPE), 2).tolist()), 422),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_json_that_is_none_is_refused_with_a_sentence(body, status):
    with pytest.raises(Refused) as refused:
        read(body, JSON)
    assert refused.value.status == status, str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_header_that_promises_much_takes_neither_time_nor_memory():
    began = time.perf_counter()
    for shape in ("(99999999999, 1, 4, 3)", "(5, 1, 4, 3)"):
        with pytest.raises(Refused):
            read(bad(shape=shape))
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    "values",
    [
        ["a" * 50_000] + [""] * 5000,
        ["a" * 50_000] + [0] * (MOST - 1),
        [[[["a" * 50_000, 0, 0]] + [[0, 0, 0]] * 3]] * MOST,
    ],
    ids=["many", "as many as there may be", "in the right places"],
)
def test_text_in_place_of_numbers_takes_no_more_memory_than_its_bytes(values):
    body = listed(values)
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            read(body, JSON)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 5 * len(body)
