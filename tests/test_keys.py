import errno
import hashlib
import hmac
import json
import math
import os
import random
import re
import stat
import tempfile
from functools import partial
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kerckhoffs import keys, places
from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import Key

SECRET = bytes(range(32))
CONTEXT = "kerckhoffs tests"
SMALL = [0.5, -1.25, 3.0, 0.0, -0.75]
_, OPENING = keys.commit(Key(SMALL))

finite_values = arrays(
    np.float64, st.integers(2, 40), elements=st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True)
)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def distance_from_normal(values: np.ndarray) -> float:
    """The Kolmogorov-Smirnov distance of the values from N(0, 1)."""
    ordered = np.sort(values)
    expected = np.array([NormalDist().cdf(float(value)) for value in ordered])
    return float(np.abs(expected - (np.arange(len(ordered)) + 0.5) / len(ordered)).max())


def key_file(folder: Path, content: bytes | str | None = None, mode: int = 0o600, **changes: object) -> Path:
    """A file like one that Key.save writes, with some fields changed or with another content."""
    path = folder / "changed.json"
    if content is None:
        original = Key(SMALL).save(folder / "original.json")
        record = json.loads(original.read_text()) | changes
        content = json.dumps({name: value for name, value in record.items() if value is not ...})
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


# Making


def test_two_generated_keys_differ_whatever_the_global_seeds():
    made = []
    torch_state = torch.get_rng_state()
    for _ in range(2):
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        made.append(Key.generate(784).values)
    torch.set_rng_state(torch_state)
    assert not np.isin(made[0], made[1]).any()


def test_generate_leaves_the_global_generators_alone():
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    Key.generate(10)
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])


def test_generate_draws_at_least_the_keys_entropy_from_the_operating_system(monkeypatch):
    drawn = 0

    def counted(count: int) -> bytes:
        nonlocal drawn
        drawn += count
        return secret_source(count)

    secret_source = os.urandom
    monkeypatch.setattr(os, "urandom", counted)
    monkeypatch.setattr(random, "_urandom", counted)  # what random.SystemRandom calls
    key = Key.generate(784)
    assert 8 * drawn >= key.entropy_bits


def test_generated_values_look_like_a_standard_normal():
    values = Key.generate(10_000).values
    assert values.dtype == np.float64
    assert abs(values.mean()) < 0.1  # ten standard errors
    assert abs(values.std() - 1) < 0.1
    assert distance_from_normal(values) < 0.05


def test_derived_values_look_like_a_standard_normal():
    values = Key.derive(SECRET, 10_000, CONTEXT).values
    assert abs(values.mean()) < 0.03
    assert abs(values.std() - 1) < 0.03
    assert distance_from_normal(values) < 0.015


def test_a_derived_key_is_the_known_answer():
    key = Key.derive(SECRET, 784, CONTEXT)
    assert key.fingerprint == "9911ed9591ac0ae6b3ad0def792e09a6"
    assert key.permutation()[:8].tolist() == [337, 634, 87, 192, 512, 108, 563, 79]


def test_a_derived_key_is_hkdf_then_chacha20_then_the_normal_quantile():
    extracted = hmac.digest(bytes(32), SECRET, "sha256")  # RFC 5869, no salt
    expanded = hmac.digest(extracted, f"kerckhoffs-key-1, 50 values: {CONTEXT}".encode() + b"\x01", "sha256")
    stream = Cipher(algorithms.ChaCha20(expanded, bytes(16)), None).encryptor().update(bytes(8 * 50))
    numbers = [int.from_bytes(stream[start : start + 8], "little") >> 12 for start in range(0, len(stream), 8)]
    expected = [NormalDist().inv_cdf((number + 0.5) / 2**52) for number in numbers]
    assert Key.derive(SECRET, 50, CONTEXT).values.tolist() == expected


def test_deriving_again_gives_the_same_key():
    first, second = (Key.derive(SECRET, 784, CONTEXT) for _ in range(2))
    assert np.array_equal(first.values, second.values)


@pytest.mark.parametrize(
    ("secret", "context"),
    [(SECRET, "kerckhoffs tests2"), (SECRET, ""), (SECRET[:-1] + b"\x1e", CONTEXT), (SECRET[:-1], CONTEXT)],
)
def test_another_secret_or_context_gives_an_unrelated_key(secret, context):
    key, other = Key.derive(SECRET, 784, CONTEXT), Key.derive(secret, 784, context)
    assert not np.isin(other.values, key.values).any()
    assert abs(np.corrcoef(key.values, other.values)[0, 1]) < 0.15


@pytest.mark.parametrize("byte", [b"\x00", b"\xff"])
def test_the_ends_of_the_keystream_give_finite_values(monkeypatch, byte):
    class Constant:
        def __init__(self, *arguments, **options):
            pass

        def encryptor(self):
            return self

        def update(self, data):
            return byte * len(data)

    monkeypatch.setattr(keys.key, "Cipher", Constant)
    assert np.isfinite(Key.derive(SECRET, 2, CONTEXT).values).all()


def test_a_child_is_what_the_hash_of_its_master_derives():
    master = Key.generate(keys.MASTER_LENGTH)
    secret = hashlib.sha256(b"kerckhoffs master " + master.values.astype("<f8").tobytes()).digest()
    child, expected = master.child(784, CONTEXT), Key.derive(secret, 784, CONTEXT)
    assert child.values.tobytes() == expected.values.tobytes()
    assert child.fingerprint == expected.fingerprint
    assert child.entropy_bits == 256 < master.entropy_bits
    assert master.fingerprint not in secret.hex(), "what is public of the master tells nothing of it"


def test_children_of_other_contexts_lengths_or_masters_are_unrelated():
    master = Key.derive(SECRET, keys.MASTER_LENGTH, CONTEXT)
    child = master.child(784, "first")
    changed = master.values.copy()
    changed[-1] = np.nextafter(changed[-1], 0)
    others = [
        master.child(784, "second"),
        master.child(785, "first"),
        Key(changed, secret_bits=256).child(784, "first"),
    ]
    assert child.values.tobytes() == master.child(784, "first").values.tobytes()
    for other in (*others, master):
        assert not np.isin(other.values, child.values).any()
    assert all(abs(np.corrcoef(child.values, other.values[:784])[0, 1]) < 0.15 for other in others)


@pytest.mark.parametrize("count", [16, 24, 32])
def test_a_child_is_worth_no_more_than_the_secret_behind_its_master(count):
    master = Key.derive(bytes(range(count)), keys.MASTER_LENGTH, CONTEXT)
    child = master.child(784, CONTEXT)
    assert child.secret_bits == child.entropy_bits == 8 * count
    assert child.origin == f"derived from a master secret of {8 * count} bits"


@pytest.mark.parametrize("length", [-1, 0, 1])
@pytest.mark.parametrize("make", [Key.generate, lambda length: Key.derive(SECRET, length, CONTEXT)])
def test_a_length_under_two_is_refused(make, length):
    with pytest.raises(ValueError, match=f"length must be between 2 and 2097152, but is {length}"):
        make(length)


@pytest.mark.parametrize("count", [0, 15, 33])
def test_a_secret_that_is_too_short_or_too_long_is_refused(count):
    with pytest.raises(ValueError, match=f"secret must have 16 to 32 bytes, but has {count}"):
        Key.derive(bytes(count), 784, CONTEXT)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([1.0], r"a vector of at least 2 values, but this has shape \(1,\)"),
        ([], r"shape \(0,\)"),
        ([[1.0, 2.0], [3.0, 4.0]], r"shape \(2, 2\)"),
        ([1.0, math.nan], "must be finite"),
        ([1.0, -math.inf], "must be finite"),
    ],
)
def test_values_that_are_no_key_are_refused(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        Key(values)


@pytest.mark.parametrize("bits", [0, -5])
def test_a_secret_without_entropy_is_refused(bits):
    with pytest.raises(ValueError, match=f"secret_bits must be between 1 and 256, but is {bits}"):
        Key(SMALL, secret_bits=bits)


def test_a_key_keeps_its_own_values_and_they_cannot_be_changed():
    given_values = np.array(SMALL)
    key = Key(given_values)
    given_values[0] = 9
    assert key.values.tolist() == SMALL
    with pytest.raises(ValueError, match="read-only"):
        key.values[0] = 9


# Naming and measuring


def test_the_permutation_is_argsort_of_the_values():
    assert Key([0.3, -1.0, 2.0, 0.0]).permutation().tolist() == [1, 3, 0, 2]


@given(finite_values)
def test_the_permutation_is_a_bijection_that_sorts_the_values(values):
    order = Key(values).permutation()
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(len(values)))
    assert (np.diff(values[order]) >= 0).all()


def test_equal_values_keep_their_order():
    values = [float(index % 2) for index in range(1000)]
    assert Key(values).permutation().tolist() == [*range(0, 1000, 2), *range(1, 1000, 2)]


def test_a_random_key_is_worth_the_number_of_its_orders():
    assert round(Key.generate(784).entropy_bits) == 6413
    assert Key(SMALL).entropy_bits == pytest.approx(math.log2(120))
    assert Key(SMALL).origin == "drawn value by value from the operating system's entropy"


@pytest.mark.parametrize("count", [16, 24, 32])
def test_a_derived_key_is_worth_its_secret(count):
    key = Key.derive(bytes(count), 784, CONTEXT)
    assert key.entropy_bits == 8 * count
    assert key.origin == f"derived from a master secret of {8 * count} bits"


def test_a_short_derived_key_is_worth_no_more_than_its_orders():
    assert Key.derive(SECRET, 5, CONTEXT).entropy_bits == pytest.approx(math.log2(120))


def test_the_fingerprint_is_a_truncated_hash_of_the_values():
    expected = hashlib.sha256(b"kerckhoffs-key-1" + np.array(SMALL, "<f8").tobytes()).hexdigest()[:32]
    assert Key(SMALL).fingerprint == expected


@given(finite_values, st.data())
def test_the_fingerprint_changes_with_the_smallest_change_of_any_value(values, draw):
    index = draw.draw(st.integers(0, len(values) - 1))
    changed = values.copy()
    changed[index] = np.nextafter(changed[index], 0) if changed[index] else 5e-324
    assert Key(changed).fingerprint != Key(values).fingerprint


def test_the_fingerprint_changes_with_the_order_of_the_values():
    assert Key(SMALL[::-1]).fingerprint != Key(SMALL).fingerprint


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format, "%s".__mod__])
def test_printing_a_key_shows_its_fingerprint_and_never_a_value(show):
    key = Key.generate(784)
    assert show(key) == f"Key(length=784, fingerprint='{key.fingerprint}')"
    assert re.fullmatch("[0-9a-f]{32}", key.fingerprint)


# Files


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize(("public", "mode"), [(False, 0o600), (True, 0o644)])
def test_a_saved_key_has_exactly_its_mode_whatever_the_umask(tmp_path, umask, public, mode):
    before = os.umask(umask)
    try:
        path = Key.generate(5).save(tmp_path / "new" / "key.json", public=public)
    finally:
        os.umask(before)
    assert mode_of(path) == mode
    if not public:
        assert mode_of(path.parent) == 0o700


@given(finite_values, st.none() | st.integers(1, 256))
def test_a_saved_key_comes_back_exactly(values, secret_bits):
    with tempfile.TemporaryDirectory() as folder:
        key = Key(values, secret_bits=secret_bits)
        loaded = Key.load(key.save(Path(folder) / "key.json"))
    assert loaded.values.tobytes() == key.values.tobytes()
    assert (loaded.secret_bits, loaded.fingerprint) == (key.secret_bits, key.fingerprint)


def test_save_returns_the_path_and_takes_strings(tmp_path):
    path = Key(SMALL).save(str(tmp_path / "key.json"))
    assert path == tmp_path / "key.json"
    assert Key.load(str(path)).values.tolist() == SMALL


def test_a_key_is_never_overwritten(tmp_path):
    path = Key(SMALL).save(tmp_path / "key.json")
    before = path.read_bytes()
    with pytest.raises(FileRefused, match=r"key\.json exists already; a key is never overwritten"):
        Key.generate(5).save(path)
    assert path.read_bytes() == before


def test_a_link_to_nowhere_is_not_followed(tmp_path):
    (tmp_path / "key.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(FileRefused, match="exists already"):
        Key(SMALL).save(tmp_path / "key.json")
    assert not (tmp_path / "elsewhere.json").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileRefused, match="cannot write the key to .*: Not a directory"):
        Key(SMALL).save(tmp_path / "file" / "folder" / "key.json")


def test_a_file_in_place_of_the_folder_is_not_said_to_be_the_key(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileRefused, match="cannot write the key"):
        Key(SMALL).save(tmp_path / "file" / "key.json")


def test_a_failed_write_leaves_no_partial_file(tmp_path, monkeypatch):
    def full_disk(descriptor, mode):
        file = open_descriptor(descriptor, mode)
        file.write(b'{"format":')
        file.flush()
        file.write = fail
        return file

    def fail(text):
        raise OSError(errno.ENOSPC, "No space left on device")

    open_descriptor = os.fdopen
    monkeypatch.setattr(os, "fdopen", full_disk)
    with pytest.raises(FileRefused, match=r"cannot write the key to .*key\.json: No space left on device"):
        Key(SMALL).save(tmp_path / "key.json")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def settled(monkeypatch):
    """What was made to last on the disk, in order: the bytes of each file, and folders."""
    found, settle = [], os.fsync

    def fsync(descriptor):
        settle(descriptor)
        place = Path(f"/proc/self/fd/{descriptor}").resolve()
        found.append(place if place.is_dir() else place.read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="what a descriptor is of is asked of /proc")
@pytest.mark.parametrize(
    "save",
    [
        Key(SMALL).save,
        partial(Key(SMALL).save, public=True),
        OPENING.save,
        keys.reveal(Key(SMALL), OPENING).save,
        keys.new_secret,
    ],
    ids=["key", "public key", "opening", "reveal", "secret"],
)
def test_a_power_cut_after_a_secret_was_made_takes_nothing_of_it(save, tmp_path, settled):
    """Models and challenges outlive it, which are nothing without their keys and openings."""
    path = save(tmp_path / "folder" / "file")
    assert settled == [path.read_bytes(), path.parent]


def test_a_disk_that_keeps_nothing_leaves_no_file(tmp_path, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(FileRefused, match="cannot write the key to .*: Input/output error"):
        Key(SMALL).save(tmp_path / "key.json")
    assert list(tmp_path.iterdir()) == []


def test_a_mode_that_cannot_be_set_leaves_no_file(tmp_path, monkeypatch):
    def fail(descriptor, mode):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", fail)
    with pytest.raises(FileRefused, match="cannot write the key to .*: Operation not permitted"):
        Key(SMALL).save(tmp_path / "key.json")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FileRefused, match=r"cannot read the key .*none\.json: No such file or directory$"):
        Key.load(tmp_path / "none.json")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(FileRefused, match="cannot read the key .*: Is a directory$"):
        Key.load(tmp_path)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_file_that_others_can_use_is_refused_with_the_cure(tmp_path, mode):
    path = key_file(tmp_path, mode=mode)
    with pytest.raises(FileRefused, match=f"has mode {mode:04o}, so others can read the secret; run: chmod 600 ") as e:
        Key.load(path)
    assert str(e.value).endswith(str(path))


def test_a_public_key_may_be_readable_by_others(tmp_path):
    path = Key(SMALL).save(tmp_path / "key.json", public=True)
    assert Key.load(path, public=True).values.tolist() == SMALL
    with pytest.raises(FileRefused, match="has mode 0644"):
        Key.load(path)


def test_a_key_of_another_length_than_needed_is_refused(tmp_path):
    path = Key(SMALL).save(tmp_path / "key.json")
    assert len(Key.load(path, length=5)) == 5
    with pytest.raises(FileRefused, match="has 5 values, but 784 are needed"):
        Key.load(path, length=784)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not JSON"),
        ("not JSON", "it is not JSON"),
        ('{"format": "kerckhoffs-key-1", "values": [1.0', "it is not JSON"),
        (b"\x80\x04\x95\x00\xff\xfe binary", "it is not JSON"),
        ("[]", "."),
        ("3", "."),
        ("null", "."),
        ('"kerckhoffs-key-1"', "."),
        ("{}", "it has no 'format'"),
        ("[" * 100_000, "."),
    ],
)
def test_a_file_that_is_no_key_is_refused_in_one_line(tmp_path, content, reason):
    with pytest.raises(FileRefused, match=f"^[^\n]*is not a key file: {reason}[^\n]*$"):
        Key.load(key_file(tmp_path, content))


@pytest.mark.parametrize("field", ["format", "length", "secret_bits", "fingerprint", "values"])
def test_a_key_file_without_a_field_is_refused(tmp_path, field):
    with pytest.raises(FileRefused, match=f"is not a key file: it has no '{field}'$"):
        Key.load(key_file(tmp_path, **{field: ...}))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": "kerckhoffs-key-2"}, "its format is 'kerckhoffs-key-2', not 'kerckhoffs-key-1'"),
        ({"format": "two\nlines"}, r"its format is 'two\\nlines'"),
        ({"values": [*SMALL[:4], math.nan]}, "a key must be finite"),
        ({"values": [*SMALL[:4], math.inf]}, "a key must be finite"),
        ({"values": SMALL[:4]}, "it holds 4 values and says 5"),
        ({"values": [*SMALL, 0.0]}, "it holds 6 values and says 5"),
        ({"length": 784}, "it holds 5 values and says 784"),
        ({"length": "5"}, "it holds 5 values and says 5"),
        ({"values": [1.0], "length": 1}, "a vector of at least 2 values"),
        ({"values": [*SMALL[:4], -0.75000001]}, "its values do not match its fingerprint"),
        ({"values": SMALL[::-1]}, "its values do not match its fingerprint"),
        ({"fingerprint": "0" * 32}, "its values do not match its fingerprint"),
        ({"fingerprint": None}, "its values do not match its fingerprint"),
        ({"values": [*SMALL[:4], True]}, "its values are not a list of numbers"),
        ({"values": [*SMALL[:4], "-0.75"]}, "its values are not a list of numbers"),
        ({"values": [*SMALL[:4], None]}, "its values are not a list of numbers"),
        ({"values": [[value] for value in SMALL]}, "its values are not a list of numbers"),
        ({"values": "0.5, -1.25"}, "its values are not a list of numbers"),
        ({"values": {"0": 0.5}}, "its values are not a list of numbers"),
        ({"values": [*SMALL[:4], 10**400]}, "."),
        ({"secret_bits": "256"}, "its secret_bits is '256'"),
        ({"secret_bits": True}, "its secret_bits is True"),
        ({"secret_bits": 256.0}, "its secret_bits is 256.0"),
        ({"secret_bits": 0}, "secret_bits must be between 1 and 256, but is 0"),
    ],
)
def test_a_changed_key_file_is_refused_with_the_reason_in_one_line(tmp_path, changes, reason):
    with pytest.raises(FileRefused, match=f"^[^\n]*is not a key file: [^\n]*{reason}[^\n]*$"):
        Key.load(key_file(tmp_path, **changes))


def test_numbers_of_thousands_of_digits_are_refused(tmp_path):
    text = key_file(tmp_path).read_text().replace("-0.75", "9" * 5000)
    with pytest.raises(FileRefused, match="is not a key file"):
        Key.load(key_file(tmp_path, text))


def test_an_impossible_number_of_secret_bits_is_refused(tmp_path):
    with pytest.raises(FileRefused, match="secret_bits"):
        Key.load(key_file(tmp_path, secret_bits=10**400))


@pytest.mark.parametrize("claim", [None, 256])
def test_a_changed_claim_of_entropy_is_refused(tmp_path, claim):
    path = Key.derive(bytes(16), 5, CONTEXT).save(tmp_path / "derived.json")
    text = path.read_text().replace('"secret_bits": 128', f'"secret_bits": {json.dumps(claim)}')
    with pytest.raises(FileRefused, match="secret_bits|fingerprint"):
        Key.load(key_file(tmp_path, text))


def test_a_refusal_shows_no_value_of_the_key(tmp_path):
    changed = [*SMALL[:4], -0.75000001]
    with pytest.raises(FileRefused) as caught:
        Key.load(key_file(tmp_path, values=changed))
    assert not any(repr(value) in str(caught.value) for value in changed)


# The master secret and the user's folder


def secret_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("count", [16, 32])
def test_a_master_secret_is_the_bytes_of_its_file(tmp_path, count):
    assert keys.load_secret(secret_file(tmp_path, bytes(range(count)))) == bytes(range(count))


@pytest.mark.parametrize("count", [0, 15, 33])
def test_a_master_secret_of_a_wrong_length_is_refused(tmp_path, count):
    with pytest.raises(FileRefused, match=f"must have 16 to 32 bytes, but has {count}$"):
        keys.load_secret(secret_file(tmp_path, bytes(count)))


def test_a_master_secret_that_others_can_read_is_refused(tmp_path):
    with pytest.raises(FileRefused, match="has mode 0644, so others can read the secret; run: chmod 600"):
        keys.load_secret(secret_file(tmp_path, bytes(32), 0o644))


def test_a_missing_master_secret_is_refused(tmp_path):
    with pytest.raises(FileRefused, match="cannot read .*none: No such file or directory"):
        keys.load_secret(tmp_path / "none")


def test_the_users_folder_is_kerckhoffs_home_else_the_data_folder(monkeypatch, kerckhoffs_home):
    assert places.home() == kerckhoffs_home
    monkeypatch.delenv("KERCKHOFFS_HOME")
    monkeypatch.setattr(places.platformdirs, "user_data_dir", lambda name: f"/data/{name}")
    assert places.home() == Path("/data/kerckhoffs")
