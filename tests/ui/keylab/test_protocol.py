"""The life of a key on its page: what works, who may, and that no key goes through a browser."""

import json
import logging
from types import SimpleNamespace

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

from kerckhoffs import keys, zoo
from kerckhoffs.keys import Cost, Key, Opening
from kerckhoffs.ui.keylab import backups, commitments, owner
from tests.commands import files, mode
from tests.leaks import traces
from tests.pages import SECONDS, words

WORDS = "correct horse battery staple"
CHEAP = Cost(n=2, r=1)
OPEN = Key.derive(bytes(range(32)), 784, "an open key")
LOCKED = Key.derive(bytes(range(32)), 784, "a locked key")
SECRET = bytes(range(100, 132))


def script():
    from kerckhoffs.ui.keylab.protocol import protocol

    protocol()


@pytest.fixture(autouse=True)
def folder(kerckhoffs_home, monkeypatch):
    """A folder with an open key, a locked one and a master secret; an app for its own machine alone."""
    monkeypatch.setattr(owner, "LOCAL", (*owner.LOCAL, config.get_option("server.address")))
    OPEN.save(zoo.user_key_path(OPEN.fingerprint))
    LOCKED.save(zoo.user_key_path(LOCKED.fingerprint), passphrase=WORDS, cost=CHEAP)
    secret = kerckhoffs_home / "secrets" / "mine.bin"
    secret.parent.mkdir(mode=0o700)
    secret.write_bytes(SECRET)
    secret.chmod(0o600)
    yield kerckhoffs_home
    keys.lock(LOCKED.fingerprint)


def opened():
    app = AppTest.from_function(script, default_timeout=SECONDS).run()
    assert not app.exception
    return app


def press(app, label):
    next(each for each in app.button if each.label.startswith(label)).click().run()
    assert not app.exception
    return app


def unlock(app, passphrase=WORDS):
    app.text_input(key="keylab_passphrase").set_value(passphrase)
    return press(app, "Unlock")


def sent(app):
    """All that the panel sends to the browser."""
    return b"\n".join(element.proto.SerializeToString() for element in app.main if element.proto is not None)


def states(app):
    table = app.dataframe[0].value
    return dict(zip(table["Key"], table["File"], strict=True))


def test_keys_are_a_table_of_what_everybody_may_know(monkeypatch):
    monkeypatch.setattr(zoo, "keys_in_use", lambda: {OPEN.fingerprint: ("own/first", "own/second")})
    app = opened()
    table = app.dataframe[0].value.set_index("Key")
    assert list(table.columns) == ["Values", "Entropy, bits", "File", "Used by"]
    assert table.loc[OPEN.fingerprint].tolist() == [784, 256, "open", "own/first, own/second"]
    assert table.loc[LOCKED.fingerprint].tolist() == [784, 256, "locked", ""]
    assert f"The key {OPEN.fingerprint}: 2 classifiers rely on this one key" in words(app.warning)
    assert "`kerckhoffs key lock FINGERPRINT`" in words(app.caption)


def test_without_keys_it_says_how_to_make_one(folder):
    for path in (folder / "keys").iterdir():
        path.unlink()
    assert "kerckhoffs key new makes one" in words(opened().info)


def test_a_file_that_is_no_key_or_open_to_others_is_named_and_the_rest_is_shown(folder):
    zoo.user_key_path(OPEN.fingerprint).chmod(0o644)
    (folder / "keys" / "![](elsewhere).json").write_text("{")
    app = opened()
    assert "chmod 600" in words(app.warning)
    assert any("`" in each.value and "elsewhere" in each.value for each in app.warning)
    assert len(states(app)) == 2


def test_a_malformed_manifest_hides_no_key(monkeypatch, tmp_path):
    monkeypatch.setenv("KERCKHOFFS_MODELS", str(tmp_path / "nothing"))
    app = opened()
    assert "Which classifiers rely on a key is not known" in words(app.warning)
    assert len(states(app)) == 2


def test_a_key_is_unlocked_once_for_the_program_and_locked_again():
    app = unlock(opened())
    assert f"The key {LOCKED.fingerprint} is unlocked" in words(app.success)
    assert states(app)[LOCKED.fingerprint] == "locked; unlocked in memory"
    assert keys.held(LOCKED.fingerprint) is not None
    assert "keylab_passphrase" not in app.session_state or app.session_state["keylab_passphrase"] == ""
    app = press(app, f"Lock {LOCKED.fingerprint[:8]}")
    assert states(app)[LOCKED.fingerprint] == "locked"
    assert keys.held(LOCKED.fingerprint) is None
    assert "is locked again" in words(app.success)


def test_a_wrong_passphrase_is_one_sentence_and_holds_nothing():
    app = unlock(opened(), "wrong words")
    assert "the passphrase is wrong, or the file was tampered with" in words(app.error)
    assert app.session_state["keylab_passphrase"] == ""
    assert keys.held(LOCKED.fingerprint) is None
    app = unlock(app)
    assert not app.error, "said until the next action"


def test_a_commitment_is_published_and_its_opening_kept(folder, monkeypatch):
    monkeypatch.setattr(zoo, "used_by", lambda fingerprint: ())
    app = opened()
    assert app.selectbox(key="keylab_commit_key").options == [OPEN.fingerprint], "a locked one cannot be read"
    app.text_input(key="keylab_commit_note").set_value("for the talk")
    app = press(app, "Commit")
    [path] = (folder / "commitments").iterdir()
    assert app.code[0].value == path.stem
    assert mode(path) == 0o600
    opening = Opening.load(path)
    assert opening.note == "for the talk"
    assert keys.verify(path.stem, keys.reveal(OPEN, opening))
    assert opening.nonce.hex().encode() not in sent(app)


@pytest.fixture
def upload(monkeypatch):
    """Puts a file into one of the panel's upload fields."""
    waiting, let_go = {}, []

    def put(key, data, name="file.json"):
        waiting[key] = SimpleNamespace(file_id=name, name=name, size=len(data), getvalue=lambda: data)

    for module in (commitments, backups):
        monkeypatch.setattr(module, "let_go", let_go.append)
    monkeypatch.setattr("streamlit.file_uploader", lambda label, *, key, **_: waiting.get(key))
    put.let_go = let_go
    return put


def test_a_reveal_is_verified(upload):
    commitment, opening = keys.commit(OPEN, note="![x](http://elsewhere/x.png)")
    upload("keylab_reveal", keys.reveal(OPEN, opening).write())
    app = opened()
    assert "Enter the commitment" in words(app.caption)
    app.text_input(key="keylab_commitment").set_value(commitment).run()
    assert words(app.success).startswith(f"It holds: the commitment is to the key {OPEN.fingerprint}")
    assert "`![x](http://elsewhere/x.png)`" in app.success[0].value, "as code"
    app.text_input(key="keylab_commitment").set_value("0" * 64).run()
    assert "It does not hold: this is not what was committed to" in words(app.error)
    app.text_input(key="keylab_commitment").set_value("nonsense").run()
    assert "is no commitment: 64 hexadecimal digits" in words(app.error)
    assert not app.exception


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, bytes(5_000_000)], ids=["none", "empty", "deep", "large"])
def test_what_is_no_reveal_is_refused(upload, data):
    upload("keylab_reveal", data, "![x](y)")
    app = opened()
    assert ("has more than 4 MB" if len(data) > 4_000_000 else "is no reveal of a key") in words(app.error)
    assert len(upload.let_go) == 1


def test_devices_are_a_table_without_keys():
    app = opened()
    app.number_input(key="keylab_devices").set_value(2)
    app.text_input(key="keylab_purpose").set_value("door")
    app = press(app, "Derive")
    table = app.dataframe[1].value
    made = keys.derive_for(["1", "2"], SECRET, length=784, purpose="door")
    assert table["Fingerprint"].tolist() == [each.key.fingerprint for each in made]
    assert table["Context"].tolist() == ["door, device 1", "door, device 2"]
    assert table["Entropy, bits"].tolist() == [256, 256]
    for each in made:
        assert traces(sent(app), each.key) == []
    assert SECRET not in sent(app)
    assert SECRET.hex().encode() not in sent(app)


def test_a_locked_key_alone_is_handed_out_and_as_it_lies(monkeypatch):
    offered = []
    monkeypatch.setattr("streamlit.download_button", lambda label, data, name, *_, **__: offered.append((data, name)))
    app = opened()
    assert app.selectbox(key="keylab_backup").options == [LOCKED.fingerprint]
    [(data, name)] = offered
    assert name == f"{LOCKED.fingerprint}.locked.json"
    assert data() == zoo.user_key_path(LOCKED.fingerprint).read_bytes()
    keys.unprotect(zoo.user_key_path(LOCKED.fingerprint), WORDS)
    with pytest.raises(ValueError, match="is not locked with a passphrase, so it is not handed out"):
        data()  # opened between the drawing of the button and the click


def test_a_locked_copy_is_brought_back(upload):
    path = zoo.user_key_path(LOCKED.fingerprint)
    text = path.read_bytes()
    path.unlink()
    upload("keylab_upload", text)
    app = opened()
    app.text_input(key="keylab_backup_passphrase").set_value("wrong words")
    app = press(app, "Restore")
    assert "the passphrase is wrong, or the file was tampered with" in words(app.error)
    assert not path.exists()
    app.text_input(key="keylab_backup_passphrase").set_value(WORDS)
    app = press(app, "Restore")
    assert "is back in its place, locked as it was" in words(app.success)
    assert path.read_bytes() == text
    assert mode(path) == 0o600
    assert len(upload.let_go) == 1


def test_a_key_in_its_place_is_not_overwritten(upload):
    text = LOCKED.write(passphrase="another passphrase", cost=CHEAP)
    upload("keylab_upload", text)
    app = opened()
    app.text_input(key="keylab_backup_passphrase").set_value("another passphrase")
    assert "exists already; a key is never overwritten" in words(press(app, "Restore").error)
    assert Key.load(zoo.user_key_path(LOCKED.fingerprint), passphrase=WORDS)


def test_a_key_that_lies_open_is_not_taken_and_let_go_at_once(upload, folder):
    other = Key.derive(SECRET, 784, "another")
    upload("keylab_upload", other.write())
    app = opened()
    assert "one that lies open does not belong in a browser" in words(app.error)
    assert len(upload.let_go) == 1
    assert f"{other.fingerprint}.json" not in files(folder / "keys")
    assert traces(sent(app), other) == []


# Who may


HERE = {"Host": "localhost:8501"}


@pytest.mark.parametrize(
    ("address", "headers", "here"),
    [
        ("127.0.0.1", {}, True),
        ("127.0.0.1", HERE, True),
        ("127.0.0.1", {"Host": "127.0.0.1:8501"}, True),
        ("127.0.0.1", {"Host": "[::1]:8501"}, True),
        ("localhost", HERE, True),
        ("::1", HERE, True),
        ("0.0.0.0", HERE, False),
        (None, HERE, False),
        ("192.168.1.2", HERE, False),
        ("127.0.0.1", {"Host": "kerckhoffs.example.org"}, False),
        ("127.0.0.1", {"Host": "localhost.example.org:80"}, False),
        ("127.0.0.1", HERE | {"X-Forwarded-For": "1.2.3.4"}, False),
        ("127.0.0.1", HERE | {"Via": "1.1 proxy"}, False),
        ("127.0.0.1", HERE | {"Forwarded": "for=1.2.3.4"}, False),
    ],
)
def test_a_visitor_is_the_owner_only_on_the_apps_own_machine(monkeypatch, address, headers, here):
    monkeypatch.setattr(owner, "LOCAL", ("127.0.0.1", "localhost", "::1"))
    monkeypatch.setattr(owner.config, "get_option", lambda name: address)
    monkeypatch.setattr(owner.st, "context", SimpleNamespace(headers=headers))
    assert owner.is_here() is here


def test_where_the_app_is_open_to_others_no_key_is_listed_or_touched(monkeypatch, upload):
    monkeypatch.setattr(owner, "is_here", lambda: False)
    commitment, opening = keys.commit(OPEN)
    upload("keylab_reveal", keys.reveal(OPEN, opening).write())
    app = opened()
    assert "neither lists nor touches the keys" in words(app.info)
    assert not app.dataframe
    assert not app.button
    assert LOCKED.fingerprint.encode() not in sent(app)
    app.text_input(key="keylab_commitment").set_value(commitment).run()
    assert "It holds" in words(app.success), "which touches nothing, everybody may do"


# Nothing of a key, nor of a passphrase


def test_neither_keys_nor_passphrases_are_in_what_is_sent_logged_remembered_or_written(folder, caplog):
    caplog.set_level(logging.DEBUG)
    app = opened()
    seen = [sent(app)]
    for passphrase in ("wrong words in a row", WORDS):
        seen.append(sent(unlock(app, passphrase)))
    app.selectbox(key="keylab_commit_key").set_value(LOCKED.fingerprint)
    seen.append(sent(press(app, "Commit")))
    seen.append(sent(press(app, "Derive")))
    seen.append(sent(press(app, "Lock ")))
    seen.append(caplog.text.encode())
    seen.append(
        json.dumps({name: str(app.session_state[name]) for name in STATE if name in app.session_state}).encode()
    )
    seen.append(json.dumps(dict(app.query_params)).encode())
    for path in folder.rglob("*"):
        if path.is_file() and path != zoo.user_key_path(OPEN.fingerprint):
            assert mode(path) == 0o600
            seen.append(path.read_bytes())
    everything = b"\n".join(seen)
    for key in (OPEN, LOCKED):
        assert traces(everything, key) == []
    for secret in (WORDS, "wrong words in a row"):
        assert secret.encode() not in everything


STATE = (
    "keylab_passphrase",
    "keylab_backup_passphrase",
    "keylab_said",
    "keylab_made",
    "keylab_reveal_read",
    "keylab_backup_read",
    "keylab_device_rows",
)
