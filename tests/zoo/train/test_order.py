"""What is ordered is trained in a process of its own, is found again after it was paused or killed, and is added."""

import dataclasses
import json
import threading
from multiprocessing import Pipe
from pathlib import Path

import pytest
import torch

from kerckhoffs import child, zoo
from kerckhoffs.checks import FileRefused
from kerckhoffs.zoo import train
from kerckhoffs.zoo.train import Curve, Order, Progress, loop, order
from kerckhoffs.zoo.train.recipes import RECIPES
from tests import training
from tests.leaks import traces
from tests.training import weights

LIMIT = 30.0  # seconds that a test waits before it fails
KEYS = training.keys("keyed")
ORDER = Order("quarters-tiny-keyed-1a2b", "quarters", "tiny", "keyed", seed=1000, keys=(KEYS[0].fingerprint,))


class InThread:
    """In the place of child.Child: the work in a thread of this process, which knows the tests' small set. It is
    killed where it next says something."""

    def __init__(self, work, *given, name):
        self.ours, theirs = Pipe()
        self.errors: list[BaseException] = []

        def run():
            try:
                work(theirs, *given)
            except BaseException as error:
                self.errors.append(error)

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def hear(self, seconds):
        return self.ours.recv() if self.ours.poll(seconds) else None

    def say(self, message):
        self.ours.send(message)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ours.close()
        self.thread.join(LIMIT)
        assert not self.thread.is_alive()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, kerckhoffs_home: Path) -> None:
    training.register(monkeypatch)
    monkeypatch.setattr(child, "Child", InThread)
    monkeypatch.setattr(child, "begin", lambda: None)
    monkeypatch.setattr(order, "NICE", 0)
    monkeypatch.setattr(order, "TELL_SECONDS", 0.0)
    monkeypatch.setattr(loop, "KEEP_SECONDS", 0.0)
    monkeypatch.setitem(RECIPES, "quarters-tiny-keyed", training.QUICK)


def asked(*wishes: str):
    """Wishes one after the other, each as soon as there is something to see; none afterwards."""
    left = list(wishes)
    return lambda curve: left.pop(0) if left and curve.errors else ""


def test_what_is_ordered_becomes_one_of_the_users_models(kerckhoffs_home):
    card = train.run(ORDER, KEYS, asked())
    assert card == zoo.card(ORDER.id, zoo.own_folder())
    assert (card.keys, card.private, card.label) == (ORDER.keys, True, "1a2b")
    assert card.training["quick"] is True
    assert card.training["seed"] == 1000
    assert card.command == "python -m kerckhoffs train quarters-tiny-keyed --seed=1000 --quick --name=1a2b"
    whole = loop.fit("quarters", "tiny", "keyed", keys=KEYS, recipe=ORDER.recipe)
    loaded = zoo.load(ORDER.id, folder=zoo.own_folder(), key=KEYS)
    assert torch.equal(weights(loaded), weights(whole.model))
    assert train.begun() == []
    assert not ORDER.folder.exists()


def test_the_quick_recipe_is_that_of_the_usual_one_with_few_epochs():
    usual = train.recipe_for("mnist", "table1", "keyed")
    assert (
        dataclasses.replace(train.quick(usual), epochs=usual.epochs, average=usual.average, learning_rate=2e-3) == usual
    )
    assert train.quick(usual).epochs == train.QUICK.epochs < usual.epochs
    short = dataclasses.replace(usual, epochs=2)
    assert train.quick(short).epochs == 2
    assert dataclasses.replace(ORDER, quick=False).recipe == dataclasses.replace(training.QUICK, seed=1000)


def test_paused_in_every_epoch_it_ends_with_the_weights_of_one_go():
    cards = [train.run(ORDER, KEYS, asked("pause"))]
    assert cards == [None]
    assert train.begun() == [ORDER]
    assert ORDER.curve().errors
    card = train.run(ORDER, KEYS, asked())
    assert card is not None
    whole = loop.fit("quarters", "tiny", "keyed", keys=KEYS, recipe=ORDER.recipe)
    loaded = zoo.load(ORDER.id, folder=zoo.own_folder(), key=KEYS)
    assert torch.equal(weights(loaded), weights(whole.model))


def test_who_watches_sees_the_whole_curve_though_it_was_paused(monkeypatch):
    monkeypatch.setattr(order, "POINTS", 10_000)
    told: list[Curve] = []
    assert train.run(ORDER, KEYS, asked("pause")) is None
    train.run(ORDER, KEYS, lambda curve: told.append(curve) or "")
    whole: list[Progress] = []
    loop.fit("quarters", "tiny", "keyed", keys=KEYS, recipe=ORDER.recipe, on_step=whole.append)
    last = max(told, key=lambda curve: curve.step)
    known = {each.step: each.loss for each in whole}
    assert all(loss == pytest.approx(known[step]) for step, loss in last.losses)
    assert [step for step, _ in last.losses] == sorted({step for step, _ in last.losses})
    assert last.errors == [(each.validation_error, None) for each in whole if each.step in (5, 9)][: len(last.errors)]


def test_it_is_ended_with_the_best_so_far(monkeypatch):
    card = train.run(ORDER, KEYS, asked("finish"))
    if card is not None and card.training["stopped"]:
        assert card.training["best_epoch"] <= 3
    assert train.begun() == []


def test_the_weights_that_it_starts_from_are_named(monkeypatch):
    train.run(ORDER, KEYS, asked())
    again = dataclasses.replace(ORDER, id="quarters-tiny-keyed-next", start=f"own/{ORDER.id}")
    seen = []

    def look(*_, start, **__):
        seen.append(start)
        raise ValueError("seen")

    monkeypatch.setattr(loop, "fit", look)
    monkeypatch.setattr(zoo, "load_network", lambda id_: zoo.load(ORDER.id, folder=zoo.own_folder(), key=KEYS).network)
    with pytest.raises(ValueError, match="seen"):
        train.run(again, KEYS, asked())
    kept = zoo.load(ORDER.id, folder=zoo.own_folder(), key=KEYS).network.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in seen[0].items())
    assert again.command.endswith(f"--name=next --start=own/{ORDER.id}")


def test_what_is_refused_is_a_sentence_and_can_be_taken_up_again():
    with pytest.raises(ValueError, match="keyed needs keys of the lengths 64, but was given"):
        train.run(ORDER, (), asked())
    assert train.begun() == [ORDER]
    ORDER.forget()
    assert train.begun() == []


def test_what_lies_there_of_another_version_or_damaged_is_left_out(monkeypatch):
    ORDER.note()
    assert train.begun() == [ORDER]
    mark = ORDER.folder / order.MARK
    record = json.loads(mark.read_text())
    for text in ("", "[]", "{}", "null", json.dumps(record | {"colour": "red"}), json.dumps(record | {"keys": 3})):
        mark.write_text(text)
        assert train.begun() == []
    mark.write_text(json.dumps(record | {"defence": "none"}))
    assert train.begun() == []
    mark.write_text(json.dumps(record))
    assert train.begun() == [ORDER]
    monkeypatch.setattr(zoo, "versions", lambda: {"torch": "another"})
    assert train.begun() == []


def test_an_order_that_could_not_be_added_is_refused_before_the_work(kerckhoffs_home):
    kerckhoffs_home.mkdir(exist_ok=True)
    zoo.own_folder().write_text("a file")
    with pytest.raises(FileRefused, match="is not a folder"):
        train.run(ORDER, KEYS, asked())


def test_what_is_kept_meanwhile_holds_nothing_of_the_key():
    assert train.run(ORDER, KEYS, asked("pause")) is None
    kept = b"".join(path.read_bytes() for path in ORDER.folder.rglob("*") if path.is_file())
    assert len(kept) > 1000
    assert traces(kept, KEYS[0]) == []
    assert {path.stat().st_mode & 0o077 for path in ORDER.folder.rglob("*")} == {0}
