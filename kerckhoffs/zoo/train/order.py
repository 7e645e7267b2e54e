"""What is to become one of the user's own classifiers, and its training in a process of its own.

That process keeps its state every few seconds. Paused, killed, or ended with the machine: the same order goes on where
it was, also in another process of the program, and no more than those seconds are lost.
"""

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import torch

from kerckhoffs import child, places, zoo
from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import Key
from kerckhoffs.zoo import ModelCard
from kerckhoffs.zoo.train import adding, loop
from kerckhoffs.zoo.train.checkpoints import Checkpoint
from kerckhoffs.zoo.train.loop import Progress
from kerckhoffs.zoo.train.recipes import Recipe, quick, recipe_for

POLL_SECONDS = 0.1
TELL_SECONDS = 0.2  # between two messages about the progress
POINTS = 300  # of the curve of the loss
NICE = 5  # the process gives way to those that answer people
MARK = "order.json"

Wish = Literal["", "pause", "finish"]
"""What is wanted of a training: nothing, to leave it as it is, to end it and keep the best so far."""


@dataclass
class Curve:
    """How a training has gone so far.

    Args:
        step, steps: of what is trained now, and of all its epochs.
        stage: what is trained now (Progress.stage).
        losses: (step, mean loss since the point before), of the network itself.
        errors: after each epoch the validation error, and the attacked one, or None where nothing is attacked.
        seconds: of what is trained now, in all sessions.
    """

    step: int = 0
    steps: int = 0
    stage: str = ""
    losses: list[tuple[int, float]] = field(default_factory=list)
    errors: list[tuple[float, float | None]] = field(default_factory=list)
    seconds: float = 0.0
    _since: list[float] = field(default_factory=list)

    @classmethod
    def read(cls, words: dict[str, Any]) -> "Curve":
        """From what `asdict` made, and JSON made of that."""
        losses = [(step, loss) for step, loss in words["losses"]]
        return cls(**{**words, "losses": losses, "errors": [(clean, attacked) for clean, attacked in words["errors"]]})

    def add(self, progress: Progress) -> None:
        """Take in a step."""
        self.seconds = self.seconds if progress.stage == self.stage else 0.0
        self.step, self.steps, self.stage = progress.step, progress.steps, progress.stage
        if progress.stage != "network":
            return
        self._since.append(progress.loss)
        if progress.step % max(1, progress.steps // POINTS) == 0:
            self.losses.append((progress.step, sum(self._since) / len(self._since)))
            self._since.clear()
        if progress.validation_error is not None and len(self.errors) < progress.epoch:
            self.errors.append((progress.validation_error, progress.attacked_error))

    @property
    def seconds_left(self) -> float | None:
        """Of what is trained now, at its pace; None at first."""
        return self.seconds * (self.steps - self.step) / self.step if self.step else None

    def before(self, step: int) -> "Curve":
        """What of it was told up to a step."""
        losses = [(at, loss) for at, loss in self.losses if at <= step]
        return dataclasses.replace(self, losses=losses, step=step, _since=[])


@dataclass(frozen=True)
class Order:
    """What is to be trained and added to the user's own models.

    Args:
        id: as ModelCard has it, without OWN.
        dataset, network, defence: keys of the registries.
        quick: whether by the quick recipe of its set and training, which must be plain, or by the usual one.
        seed: of the recipe.
        keys: the fingerprints of its keys.
        start: the id of a classifier of the same network, whose weights it starts from; "" for none.
    """

    id: str
    dataset: str
    network: str
    defence: str
    quick: bool = True
    seed: int = 0
    keys: tuple[str, ...] = ()
    start: str = ""

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""
        usual = recipe_for(self.dataset, self.network, self.defence)
        return dataclasses.replace(quick(usual) if self.quick else usual, seed=self.seed)

    @property
    def folder(self) -> Path:
        """Where its state is kept until it has ended."""
        asked = hashlib.sha256(repr((self, self.recipe, zoo.versions())).encode()).hexdigest()[:12]
        return _trainings() / f"{self.id}-{asked}"

    @property
    def command(self) -> str:
        """What trains another like it; its key is the user's affair."""
        what = zoo.model_id(self.dataset, self.network, self.defence)
        options = [f"--seed={self.seed}"] + ["--quick"] * self.quick
        options += [f"--name={self.id.removeprefix(what + '-')}"] if self.id != what else []
        options += [f"--start={self.start}"] if self.start else []
        return " ".join(["python", "-m", "kerckhoffs", "train", what, *options])

    def curve(self) -> Curve:
        """How it has gone when that was kept the last time."""
        found = Checkpoint(self.folder).read("curve")
        return Curve.read(found[1]) if found else Curve()

    def note(self) -> None:
        """Write down that it is to be trained, before anything is.

        Raises:
            FileRefused: if that cannot be written, or the model could not be added.
        """
        zoo.check_folder(zoo.own_folder())
        try:
            places.make_folder(self.folder)
            places.write(self.folder / MARK, json.dumps(dataclasses.asdict(self)).encode())
        except OSError as error:
            raise FileRefused(f"cannot keep the training in {self.folder}: {error.strerror}") from error

    def forget(self) -> None:
        """Forget what was begun."""
        Checkpoint(self.folder).remove()


def begun() -> list[Order]:
    """What was begun and has not ended, the newest last; what cannot be read, or is of another version, is left out."""
    found = []
    for mark in sorted(_trainings().glob(f"*/{MARK}"), key=lambda each: each.stat().st_mtime):
        try:
            said = json.loads(mark.read_bytes())
            order = Order(**{**said, "keys": tuple(said["keys"])})
            if order.folder == mark.parent:
                found.append(order)
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return found


def _trainings() -> Path:
    return places.home() / "training"


OnCurve = Callable[[Curve], Wish]
"""Told several times a second how it goes; says what is wanted."""


def run(order: Order, keys: Sequence[Key], on_curve: OnCurve) -> ModelCard | None:
    """Train in a process of its own, from the beginning or from where it was, and add the classifier.

    Args:
        keys: those that the order names. They go to the process through its pipe.

    Returns:
        The card; None if it was paused, or ended before there was anything to keep.

    Raises:
        ValueError: what the training refuses, for example if the training set is not there.
        FileRefused: if something cannot be read or kept.
        RuntimeError: if the process died.
    """
    order.note()
    curve = order.curve()
    with child.Child(_work, order, tuple(keys), name=order.id) as process:
        finishing = False
        while True:
            if message := process.hear(POLL_SECONDS):
                kind, said = message
                if kind == "curve":
                    curve = said
                elif kind == "ended":
                    order.forget()
                    return zoo.models(zoo.own_folder())[order.id] if said else None
                else:
                    raise FileRefused(said) if kind == "file" else ValueError(said)
            wish = on_curve(curve)
            if wish == "pause":
                return None
            if wish == "finish" and not finishing:
                finishing = True
                process.say(wish)


def _work(connection: Connection, order: Order, keys: tuple[Key, ...]) -> None:
    """The process that trains."""
    child.begin()
    if hasattr(os, "nice"):
        os.nice(NICE)
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    try:
        connection.send(("ended", _train(connection, order, keys)))
    except FileRefused as error:
        connection.send(("file", str(error)))
    except ValueError as error:
        connection.send(("value", str(error)))
    except child.GONE:
        return


def _train(connection: Connection, order: Order, keys: tuple[Key, ...]) -> bool:
    kept = Checkpoint(order.folder)
    curve, told, noted = order.curve(), 0.0, time.monotonic()
    last = noted

    def on_step(progress: Progress) -> None:
        nonlocal curve, told, noted, last
        if curve.stage == progress.stage and curve.step >= progress.step:
            curve = curve.before(progress.step - 1)  # the state that it goes on from is older than the curve
        curve.add(progress)
        now = time.monotonic()
        curve.seconds += now - last
        last = now
        if now - noted > loop.KEEP_SECONDS:
            noted = now
            kept.write("curve", {}, dataclasses.asdict(curve))
        if now - told > TELL_SECONDS:
            told = now
            connection.send(("curve", curve))
        if connection.poll():
            connection.recv()
            raise KeyboardInterrupt

    start = dict(zoo.load_network(order.start).state_dict()) if order.start else None
    try:
        fitted = loop.fit(
            order.dataset,
            order.network,
            order.defence,
            keys=keys,
            recipe=order.recipe,
            start=start,
            on_step=on_step,
            checkpoint=order.folder,
        )
    except KeyboardInterrupt:
        return False
    said = {"quick": order.quick} | ({"start": order.start} if order.start else {})
    what = order.dataset, order.network, order.defence
    adding.add(
        fitted, order.id, what, zoo.own_folder(), recipe=order.recipe, keys=keys, command=order.command, said=said
    )
    return True
