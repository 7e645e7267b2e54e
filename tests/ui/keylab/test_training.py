"""The key lab: a key is made and never shown, a classifier is trained under it, watched, paused, and taken up again."""

import threading

import pytest
from streamlit import config

from kerckhoffs import keys, zoo
from kerckhoffs.keys import Key
from kerckhoffs.ui import foreign
from kerckhoffs.ui.keylab import issue, owner, training
from kerckhoffs.ui.making import trainings
from kerckhoffs.zoo import train
from kerckhoffs.zoo.train import Curve, Order
from tests import challenges
from tests.commands import mode, only_key
from tests.leaks import traces
from tests.pages import opened, words

LIMIT = 30.0
CURVE = Curve(step=500, steps=1716, losses=[(5, 1.9), (10, 0.7)], errors=[(0.031, None)], seconds=20.0)


class Stub:
    """In the place of train.run: tells a curve until it is let go or asked to end."""

    def __init__(self):
        self.release, self.told, self.given, self.wishes = threading.Event(), threading.Event(), [], []
        self.error: Exception | None = None

    def __call__(self, order, given, on_curve):
        self.given.append((order, given))
        if self.error:
            raise self.error
        wish = on_curve(CURVE)
        self.told.set()
        while not wish and not self.release.wait(0.001):
            wish = on_curve(CURVE)
        self.wishes.append(wish)
        if wish != "pause":
            order.forget()


@pytest.fixture(autouse=True)
def run(monkeypatch, kerckhoffs_home):
    monkeypatch.setattr(owner, "LOCAL", (*owner.LOCAL, config.get_option("server.address")))
    stub = Stub()
    monkeypatch.setattr(train, "run", stub)
    trainings.clear()
    yield stub
    stub.release.set()


def lab():
    return opened("key_lab")


def press(app, label):
    next(each for each in app.button if each.label.startswith(label)).click().run()
    assert not app.exception
    return app


def labels(app):
    return [each.label for each in app.button]


def begun(run):
    app = press(press(lab(), "Make a key"), "Train")
    assert run.told.wait(LIMIT)
    return app.run()


def test_a_key_is_made_named_and_never_shown(kerckhoffs_home):
    app = lab()
    assert next(each for each in app.button if each.label == "Train").disabled
    press(app, "Make a key")
    path = only_key(kerckhoffs_home)
    key = Key.load(path)
    assert (len(key), key.secret_bits, mode(path)) == (784, None, 0o600)
    assert f"Key {key.fingerprint} " in words(app.success).replace("**", "")
    assert "6413 bits" in words(app.success)
    sent = b"\n".join(each.proto.SerializeToString() for each in app.main if each.proto is not None)
    assert traces(sent, key) == []
    assert not next(each for each in app.button if each.label == "Train").disabled


def test_a_key_with_a_passphrase_is_locked_and_held(kerckhoffs_home):
    app = lab()
    app.text_input(key="lab_passphrase").set_value("correct horse battery")
    press(app, "Make a key")
    found = keys.look(only_key(kerckhoffs_home))
    assert found.locked
    assert keys.held(found.fingerprint) is not None
    assert app.session_state["lab_passphrase"] == ""
    keys.lock(found.fingerprint)


def test_a_passphrase_that_is_too_short_is_refused_and_no_key_is_left(kerckhoffs_home):
    app = lab()
    app.text_input(key="lab_passphrase").set_value("short")
    press(app, "Make a key")
    assert "at least 8 characters" in words(app.error)
    assert not list((kerckhoffs_home / "keys").glob("*"))


def test_a_key_that_was_derived_before_is_not_said_to_be_made_or_locked(kerckhoffs_home):
    keys.new_secret(keys.new_secret_path())

    def derived(passphrase):
        app = lab()
        app.segmented_control(key="lab_origin").set_value(issue.DERIVED).run()
        app.text_input(key="lab_context").set_value("a classifier")
        app.text_input(key="lab_passphrase").set_value(passphrase)
        return press(app, "Make a key")

    assert "The key was made." in words(derived("").success)
    found = keys.look(only_key(kerckhoffs_home))
    refused = derived("correct horse battery")
    assert f"lock the file with kerckhoffs key lock {found.fingerprint}" in words(refused.error)
    assert "The key was" not in words(refused.success)
    assert not keys.look(only_key(kerckhoffs_home)).locked
    assert keys.held(found.fingerprint) is None
    assert "The key was there already." in words(derived("").success)


def test_the_training_gets_the_key_and_is_watched(run, kerckhoffs_home):
    app = begun(run)
    [(order, given)] = run.given
    key = Key.load(only_key(kerckhoffs_home))
    assert [each.fingerprint for each in given] == [key.fingerprint]
    assert order.keys == (key.fingerprint,)
    assert order.id == f"mnist-table1-keyed-{key.fingerprint[:6]}"
    assert order.quick
    assert order.seed in training.SEEDS
    assert order.seed < train.ATTACKERS_FROM
    [bar] = app.get("progress")
    assert bar.proto.value == round(100 * 500 / 1716)
    assert "epoch 2 of 4, loss 0.700, 3.10 % wrong of the validation samples, about 49 s left" in bar.proto.text
    assert "Train" not in labels(app), "one at a time"


def test_a_page_that_is_loaded_anew_finds_it_and_pauses_it(run):
    begun(run)
    again = lab()
    assert again.get("progress")
    press(again, "Pause")
    making = trainings().of(run.given[0][0].folder.name)
    assert making.wait(LIMIT)
    assert run.wishes == ["pause"]
    again.run()
    assert "stands at 0%" in words(again.markdown)
    assert {"Go on", "Forget it"} <= set(labels(again))
    run.told.clear()
    press(again, "Go on")
    assert run.told.wait(LIMIT)
    assert run.given[0][0] == run.given[1][0]
    assert [key.fingerprint for key in run.given[1][1]] == list(run.given[0][0].keys)


def test_what_was_begun_before_the_program_was_killed_goes_on(run):
    key = Key.generate(784)
    key.save(zoo.user_key_path(key.fingerprint))
    order = Order("mnist-table1-keyed-older", "mnist", "table1", "keyed", keys=(key.fingerprint,), seed=1234)
    order.note()
    app = press(lab(), "Go on")
    assert run.told.wait(LIMIT)
    assert run.given[0][0] == order
    run.release.set()
    assert trainings().of(order.folder.name).wait(LIMIT)
    app.run()
    assert train.begun() == []


def test_it_is_forgotten(run):
    order = Order("mnist-table1-keyed-older", "mnist", "table1", "keyed", keys=("0" * 32,))
    order.note()
    app = press(lab(), "Forget it")
    assert train.begun() == []
    assert "Go on" not in labels(app)


def test_it_is_ended_with_the_best_so_far(run):
    app = press(begun(run), "Stop and keep")
    assert trainings().of(run.given[0][0].folder.name).wait(LIMIT)
    assert run.wishes == ["finish"]
    app.run()
    assert not app.get("progress")


def test_why_it_broke_off_is_a_sentence(run):
    run.error = ValueError("the training set is not here: [x](http://example.org)")
    app = press(press(lab(), "Make a key"), "Train")
    assert trainings().of(run.given[0][0].folder.name).wait(LIMIT)
    app.run()
    assert [each.value for each in app.error] == [foreign.sentence(str(run.error))]


def test_without_its_key_it_does_not_go_on(run):
    Order("mnist-table1-keyed-older", "mnist", "table1", "keyed", keys=("0" * 32,)).note()
    app = press(lab(), "Go on")
    assert "cannot read" in words(app.error)
    assert run.given == []


def test_a_key_for_each_classifier(monkeypatch, run, kerckhoffs_home):
    app = press(lab(), "Make a key")
    fingerprint = only_key(kerckhoffs_home).stem
    monkeypatch.setattr(zoo, "used_by", lambda name: ("own/first",) if name == fingerprint else ())
    app.run()
    assert "This key has a classifier already, own/first" in words(app.warning)


def test_none_takes_the_name_of_a_classifier_that_a_challenge_hides(run, kerckhoffs_home):
    key = challenges.own_model()
    challenges.opened()
    with pytest.raises(ValueError, match="a challenge hides the key of mnist-linear-keyed"):
        training._go(Order("mnist-linear-keyed", "mnist", "linear", "keyed", True, 1000, (key.fingerprint,)))
    assert run.given == []


@pytest.mark.parametrize("defence", ["keyed", "kda"])
def test_there_are_as_many_keys_as_the_defence_needs(defence, kerckhoffs_home):
    app = lab()
    app.selectbox(key="lab_defence").set_value(defence).run()
    wanted = issue.Wanted("mnist", "table1", defence, ())
    press(app, "Make")
    assert sorted(keys.look(path).length for path in (kerckhoffs_home / "keys").iterdir()) == sorted(wanted.lengths)


def test_where_the_app_is_open_to_others_nobody_makes_keys(monkeypatch):
    monkeypatch.setattr(owner, "LOCAL", ())
    app = lab()
    assert not {"Make a key", "Train"} & set(labels(app))
    assert "open to more than its own machine" in words(app.info)
