"""The search for keys finds them, in every form in which one would leak."""

import base64
import json
import pickle

import numpy as np
import pytest

from kerckhoffs.keys import Key
from tests.leaks import traces

KEY = Key.derive(bytes(range(32)), 784, "a key to be looked for")
ORDER = KEY.permutation()

LEAKS = {
    "json": json.dumps(KEY.values.tolist()).encode(),
    "printed": str(KEY.values[100:107]).encode(),
    "one value": f"k = {KEY.values[17]:.9f}".encode(),
    "order": ",".join(map(str, ORDER[300:310])).encode(),
    "order in rows": "\n".join(f"pixel {place}" for place in ORDER[:6]).encode(),
    "inverse order": str(np.argsort(ORDER)[50:60].tolist()).encode(),
    "bytes": KEY.values[3:10].tobytes(),
    "half as many bytes": KEY.values[200:].astype(np.float32).tobytes(),
    "indices": ORDER.astype(np.int16)[1:8].tobytes(),
    "pickle": pickle.dumps(ORDER),
    "base64": base64.b64encode(KEY.values[:50].tobytes()),
    "base64url": b"?key=" + base64.urlsafe_b64encode(ORDER.astype(np.int32).tobytes()).rstrip(b"="),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_found(leak):
    assert traces(b"before " + LEAKS[leak] + b" after", KEY)


def test_what_does_not_tell_the_key_is_no_leak():
    other = Key.derive(bytes(32), 784, "another one")
    for harmless in (repr(KEY).encode(), json.dumps(other.values.tolist()).encode(), bytes(range(256)), b""):
        assert not traces(harmless, KEY)
