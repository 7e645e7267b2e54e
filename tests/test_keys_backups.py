"""Backups, and keys for many devices."""

import stat

import pytest

from kerckhoffs import keys
from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import Cost, Key, KeyLocked
from tests.leaks import traces

KEY = Key.derive(bytes(range(32)), 784, "tests of backups")
WORDS = "correct horse battery staple"
CHEAP = Cost(n=2, r=1)
SECRET = bytes(range(16))


@pytest.fixture
def open_file(kerckhoffs_home):
    return KEY.save(keys.in_users_folder(KEY.fingerprint))


@pytest.fixture
def locked_file(kerckhoffs_home):
    return KEY.save(keys.in_users_folder(KEY.fingerprint), passphrase=WORDS, cost=CHEAP)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_an_open_key_is_backed_up_locked_lost_and_restored_locked(open_file, tmp_path):
    copy = keys.backup(open_file, tmp_path / "copy.json", WORDS, cost=CHEAP)
    assert mode_of(copy) == 0o600
    assert traces(copy.read_bytes(), KEY) == []
    open_file.unlink()
    with pytest.raises(KeyLocked):
        keys.restore(copy)
    with pytest.raises(FileRefused, match="was not unlocked"):
        keys.restore(copy, "wrong words")
    assert not open_file.exists()
    assert keys.restore(copy, WORDS) == open_file
    assert mode_of(open_file) == 0o600
    assert Key.load(open_file, passphrase=WORDS).values.tobytes() == KEY.values.tobytes()


def test_a_locked_key_is_copied_as_it_is_and_needs_no_passphrase(locked_file, tmp_path):
    copy = keys.backup(locked_file, tmp_path / "copy.json")
    assert copy.read_bytes() == locked_file.read_bytes() == keys.locked_copy(locked_file)


@pytest.mark.parametrize("file", ["open_file", "locked_file"])
def test_a_plain_copy_has_to_be_wanted(file, tmp_path, request):
    path = request.getfixturevalue(file)
    if file == "open_file":
        with pytest.raises(ValueError, match="its backup needs a passphrase, or has to be plain"):
            keys.backup(path, tmp_path / "copy.json")
    copy = keys.backup(path, tmp_path / "copy.json", WORDS, plain=True)
    assert mode_of(copy) == 0o600
    path.unlink()
    assert Key.load(keys.restore(copy)).fingerprint == KEY.fingerprint


def test_a_copy_and_a_key_in_place_are_never_overwritten(open_file, tmp_path):
    copy = keys.backup(open_file, tmp_path / "copy.json", plain=True)
    with pytest.raises(FileRefused, match="exists already; a key is never overwritten"):
        keys.backup(open_file, copy, plain=True)
    before = open_file.read_bytes()
    with pytest.raises(FileRefused, match="exists already; a key is never overwritten"):
        keys.restore(copy)
    assert open_file.read_bytes() == before


@pytest.mark.parametrize("change", [lambda text: text[:-1], lambda text: text.replace(b"0.", b"1.", 1)])
def test_a_damaged_plain_backup_is_refused(open_file, tmp_path, change):
    copy = keys.backup(open_file, tmp_path / "copy.json", plain=True)
    copy.write_bytes(change(copy.read_bytes()))
    open_file.unlink()
    with pytest.raises(FileRefused, match="is not a key file"):
        keys.restore(copy)
    assert not open_file.exists()


def test_a_locked_backup_may_lie_on_a_stick_without_modes_and_a_plain_one_may_not(open_file, tmp_path):
    locked = keys.backup(open_file, tmp_path / "locked.json", WORDS, cost=CHEAP)
    plain = keys.backup(open_file, tmp_path / "plain.json", plain=True)
    open_file.unlink()
    for path in (locked, plain):
        path.chmod(0o777)
    with pytest.raises(FileRefused, match="has mode 0777"):
        keys.restore(plain)
    assert mode_of(keys.restore(locked, WORDS)) == 0o600


def test_an_open_file_is_not_handed_out(open_file):
    with pytest.raises(FileRefused, match="is not locked with a passphrase, so it is not handed out"):
        keys.locked_copy(open_file)


# Devices


def test_every_device_has_the_key_that_its_context_derives():
    made = keys.derive_for(["cam-1", "cam-2"], SECRET, length=20, purpose="door")
    assert [each.context for each in made] == ["door, device cam-1", "door, device cam-2"]
    for each in made:
        assert each.key.fingerprint == Key.derive(SECRET, 20, each.context).fingerprint
        assert each.key.secret_bits == 128
    assert len({each.key.fingerprint for each in made}) == 2
    [alone] = keys.derive_for(["cam-1"], SECRET, length=20)
    assert alone.context == "device cam-1"


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([], "for 1 to 10000 devices, but not for 0"),
        (["a"] * 10_001, "but not for 10001"),
        (["a", "b", "a"], "the device a is named twice"),
        (["a, device b"], "is no name of a device"),
        ([""], "is no name of a device"),
        (["../x"], "is no name of a device"),
        (["x" * 65], "is no name of a device"),
    ],
)
def test_names_that_do_not_tell_devices_apart_are_refused(names, reason):
    with pytest.raises(ValueError, match=reason):
        keys.derive_for(names, SECRET, length=20)


@pytest.mark.parametrize("count", [16, 32])
def test_a_new_master_secret_is_fresh_private_and_of_use(tmp_path, count):
    first, second = (keys.new_secret(tmp_path / name, count) for name in "ab")
    assert mode_of(first) == 0o600
    assert len(keys.load_secret(first)) == count
    assert first.read_bytes() != second.read_bytes()
    with pytest.raises(FileRefused, match="a master secret is never overwritten"):
        keys.new_secret(first)


@pytest.mark.parametrize("count", [0, 15, 33])
def test_a_master_secret_of_another_length_is_not_made(tmp_path, count):
    with pytest.raises(ValueError, match=f"16 to 32 bytes, but is to have {count}"):
        keys.new_secret(tmp_path / "a", count)
