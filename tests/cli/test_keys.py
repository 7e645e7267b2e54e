"""The life of a key on the command line: nothing that is printed, logged or written gives it away."""

import getpass
import io
import logging
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from kerckhoffs import cli, keys, zoo
from kerckhoffs.keys import Cost, Key
from tests import ROOT
from tests.commands import assert_silent_about, files, mode, only_key
from tests.leaks import traces

WORDS = "correct horse battery staple"
CHEAP = Cost(n=2, r=1)
KEY = Key.derive(bytes(range(32)), 784, "tests of the command line")
NAME = KEY.fingerprint


@pytest.fixture(autouse=True)
def nothing_held():
    yield
    keys.lock(NAME)


@pytest.fixture
def words(tmp_path):
    """A file with the passphrase."""
    path = tmp_path / "words"
    path.write_text(WORDS + "\nsecond line\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def opened(kerckhoffs_home):
    """The key's file in the user's folder, open."""
    return KEY.save(zoo.user_key_path(NAME))


@pytest.fixture
def locked(kerckhoffs_home):
    """The key's file in the user's folder, locked."""
    return KEY.save(zoo.user_key_path(NAME), passphrase=WORDS, cost=CHEAP)


@pytest.fixture
def terminal(monkeypatch):
    """Somebody at a terminal: what they type, and what they are asked."""
    person = SimpleNamespace(types=[], asked=[])
    monkeypatch.setattr(getpass, "getpass", lambda prompt: person.asked.append(prompt) or person.types.pop(0))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    return person


@pytest.fixture
def no_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{WORDS}\n".encode())))


def key(*arguments):
    return cli.main(["key", *map(str, arguments)])


@pytest.mark.usefixtures("no_terminal", "locked")
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("lock", "Missing argument"),
        ("lock nothing.json", "there is no file nothing.json"),
        (f"lock {NAME} --passphrase secret", "--passphrase"),
        (f"lock {NAME}", "is locked with a passphrase, and there is no terminal to ask at: give --passphrase-file"),
        (f"unlock {NAME}", "there is no terminal to ask at: give --passphrase-file FILE"),
        (f"unlock {NAME} --passphrase-file none", "cannot read the passphrase none: No such file"),
        (f"backup {NAME}", "--out"),
        (f"commit {NAME}", "there is no terminal to ask at: give --passphrase-file FILE"),
        (f"commit {NAME} --passphrase-file - --model nothing", "unknown model 'nothing'"),
        (f"commit {NAME} --passphrase-file - --model mnist-table1-keyed", "does not rely on the key"),
        (f"reveal {NAME} --opening nothing --out x.json", "'nothing' is no commitment: 64 hexadecimal digits"),
        (f"reveal {NAME} --opening {'0' * 64} --out x.json", "cannot read the opening"),
        ("verify 00 none.json", "cannot read the reveal none.json"),
        ("restore none.json", "cannot read the key none.json"),
        ("secret --bytes 15", "16 to 32 bytes, but is to have 15"),
        ("derive --devices 2", "--secret"),
        ("derive --secret none", "name devices with --device, or their number with --devices"),
        ("derive --secret none --devices 2 --device a", "name devices with --device, or their number with --devices"),
        ("derive --secret none --devices 2", "cannot read the key none"),
        ("new --locked", "a new passphrase is needed, and there is no terminal"),
    ],
)
def test_bad_arguments_end_with_status_2_and_one_line_and_write_nothing(command, reason, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert key(*command.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert reason in err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_key_is_locked_with_a_passphrase_that_is_typed_twice_and_unlocked_again(opened, terminal, capsys):
    terminal.types = [WORDS, WORDS]
    assert key("lock", NAME) == 0
    said = capsys.readouterr().out
    assert f"{opened} is locked" in said
    assert "it lay open until now" in said
    assert keys.look(opened).locked
    assert keys.locked.read(opened.read_bytes()).cost == Cost()
    assert mode(opened) == 0o600
    assert traces(opened.read_bytes(), KEY) == []
    terminal.types = [WORDS]
    assert key("unlock", NAME) == 0
    assert Key.load(opened).fingerprint == NAME
    assert key("unlock", NAME) == 2
    assert f"{opened} has no passphrase" in capsys.readouterr().err
    assert terminal.asked == ["New passphrase: ", "The same again: ", f"Passphrase of {opened.name}: "]


@pytest.mark.parametrize(
    ("types", "reason"), [([WORDS, WORDS[:-1]], "the two passphrases differ"), (["short"], "at least 8 characters")]
)
def test_a_passphrase_that_is_short_or_typed_otherwise_changes_nothing(opened, terminal, capsys, types, reason):
    before = opened.read_bytes()
    terminal.types = types
    assert key("lock", NAME) == 2
    assert reason in capsys.readouterr().err
    assert opened.read_bytes() == before


def test_a_locked_key_is_given_another_passphrase(locked, words, tmp_path, capsys):
    new = tmp_path / "new"
    new.write_text("another one of mine")
    new.chmod(0o600)
    assert key("lock", NAME, "--passphrase-file", new, "--old-passphrase-file", words) == 0
    assert "it lay open" not in capsys.readouterr().out
    assert Key.load(locked, passphrase="another one of mine").fingerprint == NAME


@pytest.mark.usefixtures("locked")
def test_a_wrong_passphrase_is_one_sentence(words, capsys):
    words.write_text("something else")
    assert key("unlock", NAME, "--passphrase-file", words) == 2
    assert "the passphrase is wrong, or the file was tampered with\n" in capsys.readouterr().err


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize(
    ("content", "file_mode", "reason"),
    [
        (WORDS.encode(), 0o644, "others can read the secret; run: chmod 600"),
        (b"", 0o600, "there is no passphrase in the first line"),
        (b"\n" + WORDS.encode(), 0o600, "there is no passphrase in the first line"),
        (b"\xff\xfe", 0o600, "is not UTF-8"),
    ],
)
def test_a_file_that_gives_no_passphrase_is_refused(words, capsys, content, file_mode, reason):
    words.write_bytes(content)
    words.chmod(file_mode)
    assert key("unlock", NAME, "--passphrase-file", words) == 2
    assert reason in capsys.readouterr().err


@pytest.mark.usefixtures("locked", "no_terminal")
def test_a_passphrase_comes_from_standard_input(capsys):
    assert key("unlock", NAME, "--passphrase-file", "-") == 0
    assert "is open: whoever can read it has the key" in capsys.readouterr().out


def test_a_key_can_be_locked_from_the_start(kerckhoffs_home, words, capsys):
    assert key("new", "--length", 20, "--locked", "--passphrase-file", words) == 0
    path = only_key(kerckhoffs_home)
    assert keys.look(path).locked
    assert "passphrase   needed" in capsys.readouterr().out
    assert Key.load(path, passphrase=WORDS).fingerprint == path.stem


@pytest.mark.usefixtures("locked")
def test_a_locked_key_is_shown_without_its_passphrase(capsys):
    assert key("show", NAME) == 0
    out = capsys.readouterr().out
    for part in (NAME, "256 bits, derived from a master secret of 256 bits", "784 values", "passphrase   needed"):
        assert part in out


def test_show_and_list_say_who_relies_on_a_key_and_warn_of_two(opened, monkeypatch, capsys):
    monkeypatch.setattr(zoo, "keys_in_use", lambda: {NAME: ("own/first", "own/second")})
    assert key("show", NAME) == 0
    out, err = capsys.readouterr()
    assert "used by      own/first\n             own/second\n" in out
    assert "warning: 2 classifiers rely on this one key" in err
    Key.generate(10).save(opened.parent / "elsewhere.json").chmod(0o644)
    assert key("list") == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == ["fingerprint", "values", "bits", "locked", "mode", "used", "by"]
    assert f"{NAME}  784     256   no      0600  own/first own/second" in lines
    assert any(line.endswith("no      0644  -") for line in lines)
    assert f"{NAME}: 2 classifiers rely on this one key" in err
    assert "others can read it; run: chmod 600" in err
    assert "its name is not the fingerprint" in err
    assert_silent_about(KEY, out + err)


def test_an_empty_folder_and_a_missing_manifest_are_no_reason_to_break_off(tmp_path, monkeypatch, capsys):
    assert key("list") == 0
    assert "there are no keys in your data folder yet" in capsys.readouterr().out
    KEY.save(zoo.user_key_path(NAME))
    monkeypatch.setenv("KERCKHOFFS_MODELS", str(tmp_path / "nothing"))
    assert key("show", NAME) == 0
    assert "which classifiers rely on a key is not known: no models in" in capsys.readouterr().err


def test_a_backup_is_locked_lost_and_restored(opened, words, tmp_path, capsys):
    copy = tmp_path / "copy.json"
    assert key("backup", NAME, "--out", copy, "--passphrase-file", words) == 0
    assert f"{copy} is a locked copy of the key {NAME}" in capsys.readouterr().out
    assert key("backup", NAME, "--out", copy, "--plain") == 2
    assert "never overwritten" in capsys.readouterr().err
    opened.unlink()
    assert key("restore", copy, "--passphrase-file", words) == 0
    assert opened.read_bytes() == copy.read_bytes()
    assert key("restore", copy, "--passphrase-file", words) == 2
    assert "exists already; a key is never overwritten" in capsys.readouterr().err


def test_a_plain_backup_of_a_locked_key_needs_its_passphrase(locked, words, tmp_path):
    copy = tmp_path / "copy.json"
    assert key("backup", NAME, "--out", copy, "--plain", "--passphrase-file", words) == 0
    assert Key.load(copy).fingerprint == NAME
    assert keys.look(locked).locked


def test_devices_get_keys_of_their_own_and_no_key_is_shown(kerckhoffs_home, tmp_path, capsys):
    assert key("secret", "--bytes", 16) == 0
    assert "a master secret of 128 bits" in capsys.readouterr().out
    [secret] = (kerckhoffs_home / "secrets").iterdir()
    assert mode(secret) == 0o600
    folder = tmp_path / "devices"
    command = ["derive", "--secret", secret, "--purpose", "door", "--device", "cam-1", "--device", "cam-2"]
    assert key(*command, "--out", folder) == 0
    out = capsys.readouterr().out
    assert "derived from a master secret of 128 bits: who finds the secret has all of them" in out
    assert files(folder) == {"cam-1.json", "cam-2.json"}
    for name in ("cam-1", "cam-2"):
        made = Key.load(folder / f"{name}.json")
        assert made.fingerprint == Key.derive(secret.read_bytes(), 784, f"door, device {name}").fingerprint
        assert f"{name}   door, device {name}  {made.fingerprint}  128" in out
        assert mode(folder / f"{name}.json") == 0o600
        assert traces(out.encode(), made) == []
    assert secret.read_bytes().hex() not in out
    assert key("derive", "--secret", secret, "--devices", 3, "--length", 20) == 0
    assert "3       device 3" in capsys.readouterr().out


@pytest.mark.usefixtures("locked")
def test_a_commitment_is_made_revealed_and_verified_by_anyone(words, tmp_path, kerckhoffs_home, capsys):
    assert key("commit", NAME, "--note", "for the talk", "--passphrase-file", words) == 0
    out = capsys.readouterr().out
    [opening] = (kerckhoffs_home / "commitments").iterdir()
    commitment = opening.stem
    assert f"commitment   {commitment}\n" in out
    assert mode(opening) == 0o600
    assert keys.Opening.load(opening).nonce.hex() not in out
    shown = tmp_path / "reveal.json"
    assert key("reveal", NAME, "--opening", commitment, "--out", shown) == 0  # the key is held by now
    out, err = capsys.readouterr()
    assert commitment in out
    assert f"HOLDS THE KEY {NAME}" in err
    assert key("verify", commitment, shown) == 0
    assert capsys.readouterr().out == f"the commitment is to the key {NAME}, note for the talk\n"
    assert key("verify", "0" * 64, shown) == 1
    assert "this is not what was committed to" in capsys.readouterr().out


def test_whoever_reveals_is_told_what_defends_nothing_any_more(opened, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(zoo, "used_by", lambda fingerprint: ("own/mine",))
    assert key("commit", NAME, "--out", tmp_path / "opening") == 0
    assert key("reveal", NAME, "--opening", tmp_path / "opening", "--out", tmp_path / "reveal") == 0
    assert "it defends nothing any more once you publish it: own/mine" in capsys.readouterr().err


def test_a_person_is_asked_once_for_a_key_that_is_needed_often(locked, terminal):
    terminal.types = [WORDS]
    assert cli.main(["key", "commit", NAME]) == 0
    assert cli.main(["key", "commit", NAME]) == 0
    assert terminal.asked == [f"Passphrase of {locked.name}: "]


@pytest.mark.usefixtures("locked")
def test_the_passphrase_file_may_stand_before_the_command(words):
    assert cli.main(["--passphrase-file", str(words), "key", "commit", NAME]) == 0


@pytest.mark.usefixtures("locked")
def test_nothing_that_is_said_or_logged_has_the_key_or_the_passphrase(words, tmp_path, capsys, caplog):
    caplog.set_level(logging.DEBUG)
    copy = tmp_path / "copy.json"
    for command in (
        ["show", NAME],
        ["list"],
        ["commit", NAME, "--passphrase-file", words],
        ["backup", NAME, "--out", copy],
        ["restore", copy, "--passphrase-file", words],
        ["unlock", NAME, "--passphrase-file", words],
        ["show", NAME],
    ):
        key(*command)
    out, err = capsys.readouterr()
    said = out + err + caplog.text
    assert traces(said.encode(), KEY) == []
    assert WORDS not in said


@pytest.mark.skipif(os.name != "posix", reason="a terminal as POSIX has it")
def test_what_is_typed_at_a_real_terminal_is_not_seen(locked, kerckhoffs_home):
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "kerckhoffs", "key", "unlock", NAME]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, close_fds=True
    )
    os.close(theirs)
    seen = b""
    while b"Passphrase of" not in seen:
        seen += os.read(ours, 1000)
    os.write(ours, WORDS.encode() + b"\n")
    try:
        while more := os.read(ours, 1000):
            seen += more
    except OSError:  # the other end was closed
        pass
    assert process.wait(60) == 0
    os.close(ours)
    assert b"is open" in seen
    assert WORDS.encode() not in seen
    assert not keys.look(locked).locked
