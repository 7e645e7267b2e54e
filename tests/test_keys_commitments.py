"""Commitments bind to everything in them, hide the key, and are verified by anyone."""

import dataclasses
import hashlib
import json
import math
import re
import stat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerckhoffs import keys
from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import Key, Opening, Reveal
from tests.leaks import traces

KEY = Key.derive(bytes(range(32)), 784, "tests of commitments")
FIELDS = {"model": "own/mnist-table1-keyed", "weights": "ab" * 32, "note": "for the talk, with love"}


def made():
    commitment, opening = keys.commit(KEY, **FIELDS)
    return commitment, keys.reveal(KEY, opening)


def test_a_reveal_is_what_was_committed_to_also_from_its_files(tmp_path):
    commitment, opening = keys.commit(KEY, **FIELDS)
    assert re.fullmatch("[0-9a-f]{64}", commitment)
    kept = Opening.load(opening.save(tmp_path / "opening.json"))
    assert kept == opening
    shown = Reveal.load(keys.reveal(KEY, kept).save(tmp_path / "reveal.json"))
    assert keys.verify(commitment, shown)
    assert keys.verify(f" {commitment.upper()}\n", shown)
    assert stat.S_IMODE((tmp_path / "opening.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "reveal.json").stat().st_mode) == 0o644
    assert shown.words(True) == (
        f"the commitment is to the key {KEY.fingerprint}, model {FIELDS['model']}, weights {FIELDS['weights']}, note "
        f"{FIELDS['note']}"
    )


def test_the_commitment_is_the_hash_that_is_described():
    commitment, shown = made()
    parts = [KEY.values.astype("<f8").tobytes(), b"256", *(each.encode() for each in FIELDS.values())]
    message = b"".join(len(each).to_bytes(8, "big") + each for each in parts)
    said = hashlib.sha256(b"kerckhoffs commitment 1" + shown.opening.nonce + message).hexdigest()
    assert commitment == said


@pytest.mark.parametrize("name", ["model", "weights", "note"])
@pytest.mark.parametrize("change", [lambda text: "", lambda text: text + " ", lambda text: text[::-1]])
def test_it_binds_to_every_text(name, change):
    commitment, shown = made()
    other = dataclasses.replace(shown.opening, **{name: change(FIELDS[name])})
    assert not keys.verify(commitment, Reveal(KEY, other))


def test_it_binds_to_where_one_text_ends():
    _, opening = keys.commit(KEY, model="ab", weights="c", note="")
    moved = dataclasses.replace(opening, model="a", weights="bc")
    assert keys.reveal(KEY, opening).commitment != keys.reveal(KEY, moved).commitment


@given(st.integers(0, 31), st.integers(1, 255))
def test_it_binds_to_every_bit_of_the_nonce(index, change):
    commitment, shown = made()
    nonce = bytearray(shown.opening.nonce)
    nonce[index] ^= change
    assert not keys.verify(commitment, Reveal(KEY, dataclasses.replace(shown.opening, nonce=bytes(nonce))))


@given(st.integers(0, 783))
def test_it_binds_to_the_smallest_change_of_any_value(index):
    commitment, shown = made()
    values = KEY.values.copy()
    values[index] = np.nextafter(values[index], math.inf)
    assert not keys.verify(commitment, Reveal(Key(values, secret_bits=256), shown.opening))


def test_it_binds_to_the_origin_and_the_order_and_the_key():
    commitment, shown = made()
    for other in (
        Key(KEY.values),
        Key(KEY.values, secret_bits=128),
        Key(KEY.values[::-1], secret_bits=256),
        Key.derive(bytes(range(32)), 784, "another"),
    ):
        assert not keys.verify(commitment, Reveal(other, shown.opening))
        with pytest.raises(ValueError, match=f"the opening is of the key {KEY.fingerprint}, not of "):
            keys.reveal(other, shown.opening)


def test_it_hides_a_key_that_could_be_guessed():
    guessable = Key([1.0, 2.0])
    commitments = {keys.commit(guessable)[0] for _ in range(20)}
    assert len(commitments) == 20
    plain = hashlib.sha256(guessable.values.astype("<f8").tobytes()).hexdigest()
    assert plain not in commitments


def test_the_opening_tells_nothing_of_the_key(tmp_path):
    commitment, opening = keys.commit(KEY, **FIELDS)
    text = opening.save(tmp_path / "opening.json").read_bytes()
    assert traces(text + commitment.encode() + repr(opening).encode(), KEY) == []
    assert opening.nonce.hex() not in repr(opening), "what is printed is soon logged"


@pytest.mark.parametrize("commitment", ["", "0" * 63, "0" * 65, "g" * 64, "../../etc/passwd"])
def test_what_is_no_commitment_is_refused(commitment):
    _, shown = made()
    for ask in (lambda: keys.verify(commitment, shown), lambda: keys.kept_at(commitment)):
        with pytest.raises(ValueError, match="is no commitment: 64 hexadecimal digits"):
            ask()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": "kerckhoffs-key-1"}, "its format is"),
        ({"nonce": "00"}, "a nonce must have 32 bytes, but has 1"),
        ({"nonce": "zz" * 32}, "non-hexadecimal"),
        ({"nonce": 3}, "."),
        ({"note": None}, "not texts"),
        ({"note": "x" * 1001}, "at most 1000 characters"),
        ({"note": "\ud800"}, "surrogates"),
        ({"values": "1, 2"}, "not a list of numbers"),
        ({"values": [1.0]}, "at least 2 values"),
        ({"values": [1.0, math.nan]}, "finite"),
        ({"values": [10**400, 1]}, "."),
        ({"secret_bits": "256"}, "its secret_bits is '256'"),
        ({"secret_bits": 0}, "between 1 and 256"),
        ({"values": ...}, "it has no 'values'"),
        ({"model": ...}, "it has no 'model'"),
    ],
)
def test_a_malformed_reveal_is_refused_in_one_line(changes, reason):
    _, shown = made()
    record = {name: each for name, each in (json.loads(shown.write()) | changes).items() if each is not ...}
    with pytest.raises(FileRefused, match=f"^reveal.json is no reveal of a key: [^\n]*{reason}[^\n]*$"):
        Reveal.read(json.dumps(record).encode(), "reveal.json")


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff", b"{}", b"[" * 100_000])
def test_what_is_no_reveal_and_no_opening_at_all_is_refused(tmp_path, text):
    (tmp_path / "file").write_bytes(text)
    (tmp_path / "file").chmod(0o600)
    with pytest.raises(FileRefused, match="is no reveal of a key"):
        Reveal.load(tmp_path / "file")
    with pytest.raises(FileRefused, match="is no opening of a commitment"):
        Opening.load(tmp_path / "file")


def test_an_opening_that_others_can_read_is_refused(tmp_path):
    path = keys.commit(KEY)[1].save(tmp_path / "opening.json")
    path.chmod(0o644)
    with pytest.raises(FileRefused, match="has mode 0644"):
        Opening.load(path)
