"""Keys at rest, and unlocked in memory."""

import json
import os
import stat
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerckhoffs import keys
from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import Cost, Key, KeyLocked, locked
from tests.commands import assert_silent_about
from tests.leaks import traces

KEY = Key.derive(bytes(range(32)), 20, "tests of locked keys")
WORDS = "correct horse battery staple"
CHEAP = Cost(n=2, r=1)
TEXT = KEY.write(passphrase=WORDS, cost=CHEAP)
NOT_UNLOCKED = "was not unlocked: the passphrase is wrong, or the file was tampered with$"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def nothing_held():
    keys.lock(KEY.fingerprint)
    yield
    keys.lock(KEY.fingerprint)


@pytest.fixture
def path(tmp_path):
    return KEY.save(tmp_path / "key.json", passphrase=WORDS, cost=CHEAP)


# The file


@given(st.integers(2, 40), st.none() | st.integers(1, 256), st.text(min_size=8, max_size=50))
def test_a_locked_key_comes_back_exactly_with_its_passphrase(length, secret_bits, passphrase):
    key = Key(np.random.default_rng(length).normal(size=length), secret_bits=secret_bits)
    with tempfile.TemporaryDirectory() as folder:
        path = key.save(Path(folder) / "key.json", passphrase=passphrase, cost=CHEAP)
        loaded = Key.load(path, passphrase=passphrase)
        assert mode_of(path) == 0o600
    assert loaded.values.tobytes() == key.values.tobytes()
    assert (loaded.secret_bits, loaded.fingerprint) == (key.secret_bits, key.fingerprint)


def test_without_its_passphrase_it_is_refused_with_what_to_do(path):
    with pytest.raises(
        KeyLocked, match=f"^the key {path} is locked with a passphrase; unlock it .* keys.unlock.*"
    ) as e:
        Key.load(path)
    assert str(e.value).endswith(f"kerckhoffs key unlock {KEY.fingerprint}")
    assert isinstance(e.value, FileRefused)
    assert (e.value.path, e.value.fingerprint) == (path, KEY.fingerprint)


@pytest.mark.parametrize("wrong", ["", "correct horse battery stapl", WORDS + " ", WORDS.upper(), "\ud800", "x" * 5000])
def test_a_wrong_passphrase_is_refused_in_one_sentence(path, wrong):
    with pytest.raises(FileRefused, match=f"^{path} {NOT_UNLOCKED}") as caught:
        Key.load(path, passphrase=wrong)
    assert not isinstance(caught.value, KeyLocked)
    assert caught.value.__cause__ is None


@given(st.data())
def test_a_file_of_which_any_byte_was_changed_is_refused(data):
    index = data.draw(st.integers(0, len(TEXT) - 1))
    changed = bytearray(TEXT)
    changed[index] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FileRefused):
        Key.read(bytes(changed), "key.json", WORDS)


def test_every_bit_of_it_counts():
    for index in range(len(TEXT)):
        for bit in range(8):
            changed = TEXT[:index] + bytes([TEXT[index] ^ 1 << bit]) + TEXT[index + 1 :]
            with pytest.raises(FileRefused):
                Key.read(changed, "key.json", WORDS)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1],
        lambda text: text + b"\n",
        lambda text: b" " + text,
        lambda text: text.replace(b"}", b', "more": 1}', 1),
        lambda text: text.replace(b", ", b",", 1),
        lambda text: text.replace(b'"public": false', b'"public": true, "public": false'),
        lambda text: text.upper(),
        lambda text: text[5:],
    ],
)
def test_nothing_is_added_left_out_or_written_another_way(change):
    with pytest.raises(FileRefused):
        Key.read(change(TEXT), "key.json", WORDS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fingerprint", "0" * 32),
        ("secret_bits", None),
        ("secret_bits", 128),
        ("salt", "00" * 16),
        ("nonce", "00" * 12),
        ("kdf", {"name": "scrypt", "n": 4, "r": 1, "p": 1}),
        ("kdf", {"name": "scrypt", "n": 2, "r": 1, "p": 2}),
        ("locked", "00" * (8 * 20 + 16)),
    ],
)
def test_a_header_that_was_rewritten_properly_does_not_open(name, value):
    changed = json.dumps(json.loads(TEXT) | {name: value}).encode()
    with pytest.raises(FileRefused, match=NOT_UNLOCKED):
        Key.read(changed, "key.json", WORDS)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": "kerckhoffs-locked-key-2"}, "its format is 'kerckhoffs-locked-key-2'"),
        ({"public": True}, "is not locked with"),
        ({"cipher": "none"}, "is not locked with"),
        ({"length": 21}, "another length"),
        ({"length": -1}, "length must be between 2 and"),
        ({"length": "20"}, "no number"),
        ({"secret_bits": 0}, "secret_bits must be between 1 and 256"),
        ({"secret_bits": True}, "no number"),
        ({"fingerprint": "**bold**"}, "its fingerprint is not 32 hexadecimal digits"),
        ({"fingerprint": 3}, "its fingerprint is not 32 hexadecimal digits"),
        ({"salt": "00"}, "another length"),
        ({"nonce": "zz" * 12}, "its nonce is not hexadecimal"),
        ({"locked": None}, "its locked is not hexadecimal"),
        ({"kdf": None}, "not stretched with scrypt"),
        ({"kdf": {"name": "md5", "n": 2, "r": 1, "p": 1}}, "not stretched with scrypt"),
        ({"kdf": {"name": "scrypt", "n": 2**30, "r": 8, "p": 1}}, "power of two|at most 256 MiB"),
        ({"kdf": {"name": "scrypt", "n": 2**19, "r": 8, "p": 1}}, "at most 256 MiB"),
        ({"kdf": {"name": "scrypt", "n": 2**17, "r": 2**20, "p": 1}}, "at most 256 MiB"),
        ({"kdf": {"name": "scrypt", "n": 2, "r": 1, "p": 10**9}}, "p must be between 1 and 4"),
        ({"kdf": {"name": "scrypt", "n": 10**400, "r": 1, "p": 1}}, "a number of .* bits"),
        ({"kdf": {"name": "scrypt", "n": 3, "r": 1, "p": 1}}, "power of two"),
        ({"kdf": {"name": "scrypt", "n": 2.0, "r": 1, "p": 1}}, "must be whole"),
        ({"kdf": {"name": "scrypt", "n": True, "r": 1, "p": 1}}, "must be whole"),
    ],
)
def test_a_malformed_or_greedy_header_is_refused_before_any_work(monkeypatch, changes, reason):
    monkeypatch.setattr(locked, "Scrypt", lambda **_: pytest.fail("worked"))
    changed = json.dumps(json.loads(TEXT) | changes).encode()
    with pytest.raises(FileRefused, match=f"^key.json is not a key file: .*{reason}"):
        Key.read(changed, "key.json", WORDS)


def test_a_wrong_passphrase_is_as_much_work_as_the_right_one(path, monkeypatch):
    done = []
    stretch = locked._file_key
    monkeypatch.setattr(locked, "_file_key", lambda words, *rest: done.append(words) or stretch(words, *rest))
    Key.load(path, passphrase=WORDS)
    for wrong in ("", "wrong words"):
        with pytest.raises(FileRefused):
            Key.load(path, passphrase=wrong)
    assert done == [WORDS, "", "wrong words"]


def test_the_usual_cost_is_128_mib_and_every_file_says_its_own():
    assert Cost() == Cost(n=2**17, r=8, p=1)
    assert 128 * Cost().n * Cost().r == 128 * 2**20
    assert locked.read(TEXT).cost == CHEAP


def test_two_files_of_the_same_key_and_passphrase_have_nothing_in_common():
    first, second = (json.loads(KEY.write(passphrase=WORDS, cost=CHEAP)) for _ in range(2))
    assert not any(first[name] == second[name] for name in ("salt", "nonce", "locked"))


def test_a_locked_file_does_not_give_the_key():
    assert_silent_about(KEY, TEXT.decode())
    assert traces(TEXT, KEY) == []
    assert WORDS.encode() not in TEXT
    big = Key.derive(bytes(32), 784, "a long one")
    assert traces(big.write(passphrase=WORDS, cost=CHEAP), big) == []


def test_a_passphrase_is_the_same_however_its_letters_are_composed(tmp_path):
    path = KEY.save(tmp_path / "k.json", passphrase="Schl\u00fcssel im Garten", cost=CHEAP)
    assert Key.load(path, passphrase="Schlu\u0308ssel im Garten").fingerprint == KEY.fingerprint


@pytest.mark.parametrize("short", ["", "1234567"])
def test_a_short_new_passphrase_is_refused_and_nothing_written(tmp_path, short):
    with pytest.raises(ValueError, match="at least 8 characters"):
        KEY.save(tmp_path / "k.json", passphrase=short, cost=CHEAP)
    assert list(tmp_path.iterdir()) == []


def test_a_public_key_has_no_passphrase(tmp_path):
    with pytest.raises(ValueError, match="a public key has no passphrase"):
        KEY.save(tmp_path / "k.json", public=True, passphrase=WORDS)


def test_others_may_not_read_a_locked_key_either(path):
    path.chmod(0o644)
    with pytest.raises(FileRefused, match="has mode 0644"):
        Key.load(path, passphrase=WORDS)


# Rewritten


def test_a_file_is_locked_given_another_passphrase_and_opened_where_it_lies(tmp_path):
    path = KEY.save(tmp_path / "key.json")
    keys.protect(path, WORDS, cost=CHEAP)
    with pytest.raises(KeyLocked):
        Key.load(path)
    with pytest.raises(KeyLocked):
        keys.protect(path, "another one", cost=CHEAP)
    keys.protect(path, "another one", old=WORDS, cost=CHEAP)
    assert Key.load(path, passphrase="another one").fingerprint == KEY.fingerprint
    with pytest.raises(FileRefused, match=NOT_UNLOCKED):
        keys.unprotect(path, WORDS)
    keys.unprotect(path, "another one")
    assert Key.load(path).values.tobytes() == KEY.values.tobytes()
    assert mode_of(path) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["key.json"]
    with pytest.raises(ValueError, match=r"key\.json has no passphrase"):
        keys.unprotect(path, "another one")


def test_a_failed_rewriting_leaves_the_file_as_it_was(path, monkeypatch):
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(FileRefused, match=r"cannot write the key to .*key\.json: No space left"):
        keys.unprotect(path, WORDS)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


# In memory


def test_an_unlocked_key_is_held_until_it_is_locked(path):
    with pytest.raises(KeyLocked):
        keys.find(path)
    before = path.read_bytes()
    assert keys.unlock(path, WORDS).fingerprint == KEY.fingerprint
    assert keys.find(path) is keys.held(KEY.fingerprint)
    assert path.read_bytes() == before
    keys.lock(KEY.fingerprint)
    assert keys.held(KEY.fingerprint) is None
    with pytest.raises(KeyLocked):
        keys.find(path)


def test_a_wrong_passphrase_holds_nothing(path):
    with pytest.raises(FileRefused, match=NOT_UNLOCKED):
        keys.unlock(path, "wrong words")
    assert keys.held(KEY.fingerprint) is None


def test_a_person_is_asked_once(path):
    asked = []
    with keys.asking(lambda path: asked.append(path) or WORDS):
        assert [keys.find(path).fingerprint for _ in range(3)] == [KEY.fingerprint] * 3
    assert asked == [path]


def test_an_open_file_is_read_and_nobody_asked(tmp_path):
    path = KEY.save(tmp_path / "open.json")
    with keys.asking(lambda path: pytest.fail("asked")):
        assert keys.find(path, length=20).fingerprint == KEY.fingerprint
    with pytest.raises(FileRefused, match="has 20 values, but 784 are needed"):
        keys.find(path, length=784)
    assert keys.held(KEY.fingerprint) is None


def test_what_a_locked_file_says_is_known_without_its_passphrase(path):
    found = keys.look(path)
    assert (found.fingerprint, found.length, found.locked, found.mode) == (KEY.fingerprint, 20, True, 0o600)
    assert found.entropy_bits == KEY.entropy_bits
    assert found.origin == KEY.origin
    assert found.problem == ""


def test_the_keys_of_a_folder_are_listed_with_what_is_wrong(tmp_path):
    KEY.save(tmp_path / f"{KEY.fingerprint}.json", passphrase=WORDS, cost=CHEAP)
    KEY.save(tmp_path / "other.json").chmod(0o644)
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "half.json.part").write_text("")
    found, refused = keys.listed(tmp_path)
    assert [(each.path.name, each.locked, each.mode) for each in found] == [
        (f"{KEY.fingerprint}.json", True, 0o600),
        ("other.json", False, 0o644),
    ]
    assert "chmod 600" in found[1].problem
    assert len(refused) == 2
    assert "broken.json is not a key file" in refused[0]
    assert "no classifier finds" in refused[1]
    assert keys.listed(tmp_path / "nothing") == ((), ())


def test_a_key_that_goes_to_a_worker_is_the_same_there_and_cannot_be_changed():
    from multiprocessing.reduction import ForkingPickler

    copy = ForkingPickler.loads(ForkingPickler.dumps(KEY))
    assert (copy.fingerprint, copy.secret_bits) == (KEY.fingerprint, KEY.secret_bits)
    with pytest.raises(ValueError, match="read-only"):
        copy.values[0] = 1
