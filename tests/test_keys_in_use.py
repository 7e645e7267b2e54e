"""Locked keys where they are needed: by the zoo, by workers, by a batch of the app; and who relies on which."""

import dataclasses
import sys
import time
from pathlib import Path

import pytest

from kerckhoffs import keys, zoo
from kerckhoffs.checks import FileRefused
from kerckhoffs.evaluation import engines, examples, experiments, runs
from kerckhoffs.keys import Cost, KeyLocked
from kerckhoffs.ui.batch import runner

KEYED, CLASSICAL = "mnist-table1-keyed", "mnist-table1-classical"
OWN = zoo.OWN + KEYED
WORDS = "correct horse battery staple"
CHEAP = Cost(n=2, r=1)
FGSM = {"epsilon": 0.2, "perturb_all": True}


@pytest.fixture
def own(kerckhoffs_home):
    """The shipped keyed model once more as a user's own, with its key locked in the user's folder: returns that key."""
    card = zoo.card(KEYED)
    [key] = zoo.find_keys(card)
    key.save(zoo.user_key_path(key.fingerprint), passphrase=WORDS, cost=CHEAP)
    zoo.save(dataclasses.replace(card, key_files=()), zoo.load(KEYED).network, zoo.own_folder())
    keys.lock(key.fingerprint)
    yield key
    keys.lock(key.fingerprint)


def unlock(key):
    keys.unlock(zoo.user_key_path(key.fingerprint), WORDS)


def begun():
    what = experiments.grid([("fgsm", FGSM)], [CLASSICAL], [OWN], stop=4)
    return runs.create(what, command="a test")


def test_a_classifier_with_a_locked_key_is_loaded_when_it_is_unlocked_and_not_before(own):
    with pytest.raises(KeyLocked, match=f"is locked with a passphrase; .* kerckhoffs key unlock {own.fingerprint}$"):
        zoo.load(OWN)
    unlock(own)
    assert zoo.load(OWN).eval()
    keys.lock(own.fingerprint)
    with pytest.raises(KeyLocked):
        zoo.load(OWN)
    with keys.asking(lambda path: WORDS):
        assert zoo.load(OWN).eval()


def test_a_lost_key_is_a_sentence_that_says_what_that_means(own):
    zoo.user_key_path(own.fingerprint).unlink()
    with pytest.raises(
        FileRefused, match=r"^cannot read the key .*: No such file or directory\. own/mnist-table1-keyed"
    ) as e:
        zoo.load(OWN)
    assert "nothing recovers a lost key: restore a backup with kerckhoffs key restore" in str(e.value)
    assert "or train anew" in str(e.value)


def test_a_lost_key_is_not_replaced_by_one_that_is_still_held(own):
    unlock(own)
    zoo.user_key_path(own.fingerprint).unlink()
    with pytest.raises(FileRefused, match="nothing recovers"):
        zoo.load(OWN)


def test_who_relies_on_a_key_is_known_over_shipped_and_own_models(own):
    assert zoo.used_by(own.fingerprint) == (KEYED, OWN)
    assert zoo.used_by("0" * 32) == ()
    assert zoo.used_twice((KEYED,)) == zoo.used_twice(()) == ""
    assert zoo.used_twice((KEYED, OWN)).startswith("2 classifiers rely on this one key")


def test_no_two_shipped_classifiers_share_a_key():
    assert {name: ids for name, ids in zoo.keys_in_use().items() if len(ids) > 1} == {}


def test_a_commitment_to_a_classifier_names_its_weights(own):
    commitment, opening = zoo.commit(own, OWN, "a note")
    assert (opening.model, opening.weights, opening.note) == (OWN, zoo.card(OWN).sha256, "a note")
    assert keys.verify(commitment, keys.reveal(own, opening))
    with pytest.raises(ValueError, match=f"{CLASSICAL} does not rely on the key {own.fingerprint}"):
        zoo.commit(own, CLASSICAL)
    with pytest.raises(ValueError, match="unknown model"):
        zoo.commit(own, "nothing")


def test_workers_get_an_unlocked_key_over_their_pipe_and_find_the_same_rows(own):
    run = begun()
    with pytest.raises(KeyLocked):
        engines.execute(run)
    unlock(own)
    engines.execute(run)
    found = run.rows()
    expected = examples.evaluate({"fgsm": FGSM}, CLASSICAL, [KEYED], stop=4)
    assert found["after"].tolist() == expected["after"].tolist()


def test_a_cluster_is_sent_no_locked_key(own, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: True)
    monkeypatch.setitem(sys.modules, "ray", None)
    unlock(own)
    with pytest.raises(FileRefused, match="a cluster is sent no key"):
        engines.execute(begun(), engine="ray")


def wait(run):
    deadline = time.monotonic() + 120
    while runner.runner().status(run).busy and time.monotonic() < deadline:
        time.sleep(0.2)
    return runner.runner().status(run)


def commands():
    """The arguments and the environment of all processes here."""
    said = []
    for path in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                said.append((path / name).read_bytes())
            except OSError:
                continue
    return b"\n".join(said)


@pytest.mark.usefixtures("runs_end")
def test_a_batch_of_the_app_gets_an_unlocked_key_over_its_pipe_and_nowhere_else(own):
    from tests.leaks import traces

    run = begun()
    runner.runner().start(run)
    refused = wait(run)
    assert refused.state == "failed"
    assert "is locked with a passphrase" in refused.error
    unlock(own)
    runner.runner().start(run)
    seen = b""
    while runner.runner().status(run).busy:
        seen += commands()
        time.sleep(0.2)
    assert b"--handed-keys" in seen
    assert wait(run).state == "finished"
    files = [path.read_bytes() for path in run.folder.rglob("*") if path.is_file()]
    assert traces(seen + b"\n".join(files), own) == []
    assert WORDS.encode() not in seen + b"\n".join(files)
