"""How an attacker's model is made: in a process of its own, which is told nothing but what that attacker has.

The process is given the part to make, which holds no key, and the folder of the models, for who has the weights. What
it wants to know of the defended classifier it asks over a pipe, and is told classes or probabilities; what that costs,
queries and seconds, is counted here, at the other end. tests/attackers/test_secrets.py looks for the defender's key in
its memory, its messages and its files.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from kerckhoffs import child, zoo
from kerckhoffs.attackers import kept
from kerckhoffs.attackers.base import Answers, Part, Target
from kerckhoffs.attackers.kept import Cost
from kerckhoffs.checks import FileRefused

POLL_SECONDS = 0.1
TELL_SECONDS = 0.1  # between two messages about the progress
ASKED_AT_ONCE = 128


@dataclass(frozen=True)
class Progress:
    """Where the making is.

    Args:
        part, parts: which of them is made, from 1, and how many there are.
        share: of this part, in [0, 1].
        words: what is done.
        seconds: since this part was begun or taken up again.
        cost: of this part so far.
    """

    part: int
    parts: int
    share: float
    words: str
    seconds: float
    cost: Cost

    @property
    def seconds_left(self) -> float | None:
        """Of this part, at its pace; None at first."""
        return self.seconds * (1 - self.share) / self.share if self.share > 0.005 else None


OnProgress = Callable[[Progress], bool | None]
"""Called several times a second; a true answer stops the making, which can be taken up again."""


def make(parts: tuple[Part, ...], target: Target, folder: Path | None, on_progress: OnProgress | None = None) -> bool:
    """Make the parts that are not there yet, and keep them.

    Args:
        target: the defended classifier.
        folder: where it is; the shipped models and the user's own by default.

    Returns:
        Whether all are there; False if it was stopped.

    Raises:
        ValueError: what the making refuses, for example if the training set is not there.
        FileRefused: if what was made cannot be kept.
        RuntimeError: if the process died.
    """
    waiting = [part for part in parts if not kept.there(part)]
    return all(_make(part, target, folder, number, len(waiting), on_progress) for number, part in enumerate(waiting, 1))


def _make(
    part: Part, target: Target, folder: Path | None, number: int, count: int, on_progress: OnProgress | None
) -> bool:
    begun = kept.unfinished(part)
    assert begun.folder is not None
    before = begun.read("cost")
    cost = Cost(**before[1]) if before else Cost()
    oracle = _Answering(target, folder)
    share, words = 0.0, "starting"
    started = time.monotonic()

    def spent() -> Cost:
        return cost + Cost(time.monotonic() - started, oracle.queries)

    try:
        with child.Child(_work, part, folder, begun.folder, name=part.label) as process:
            while True:
                if message := process.hear(POLL_SECONDS):
                    kind, said = message
                    if kind == "ask":
                        process.say(oracle.answer(*said))
                    elif kind == "tell":
                        share, words = said
                    elif kind == "made":
                        kept.keep(part, {name: torch.from_numpy(value) for name, value in said.items()}, spent())
                        begun.remove()
                        return True
                    else:
                        raise FileRefused(said) if kind == "file" else ValueError(said)
                now = Progress(number, count, share, words, time.monotonic() - started, spent())
                if on_progress and on_progress(now):
                    return False
    finally:
        if begun.folder.exists():
            begun.write("cost", {}, vars(spent()))


class _Answering:
    """The defended classifier behind a counter: the only thing of it that an attacker's process reaches."""

    def __init__(self, target: Target, folder: Path | None) -> None:
        self._target, self._folder = target, folder
        self._model: nn.Module | None = None
        self.queries = 0

    def answer(self, images: np.ndarray, answers: Answers) -> np.ndarray:
        """Classes (N,) int64, or probabilities (N, K) float32."""
        if self._model is None:
            self._model = zoo.load(self._target.id, folder=self._folder)
        self.queries += len(images)
        with torch.inference_mode():
            parts = [self._model(some).softmax(1) for some in torch.from_numpy(images).split(ASKED_AT_ONCE)]
        found = torch.cat(parts)
        return (found.argmax(1) if answers == "labels" else found).numpy()


def _work(connection: Connection, part: Part, folder: Path | None, begun: Path) -> None:
    """The attacker's process."""
    child.begin()
    try:
        made = part.make(_Workshop(connection, folder, begun))
        connection.send(("made", {name: value.contiguous().numpy() for name, value in made.items()}))
    except FileRefused as error:
        connection.send(("file", str(error)))
    except ValueError as error:
        connection.send(("value", str(error)))
    except child.GONE:
        return


class _Workshop:
    """base.Workshop, at the attacker's end of the pipe."""

    def __init__(self, connection: Connection, folder: Path | None, begun: Path) -> None:
        self._connection, self._models = connection, folder
        self.folder = begun
        self._told = 0.0

    def ask(self, images: Tensor, answers: Answers) -> Tensor:
        self._connection.send(("ask", (images.detach().numpy(), answers)))
        return torch.from_numpy(self._connection.recv())

    def network(self, target: Target) -> nn.Module:
        return zoo.load_network(target.id, folder=self._models)

    def tell(self, done: int, total: int, words: str) -> None:
        now = time.monotonic()
        if done == total or now - self._told > TELL_SECONDS:
            self._told = now
            self._connection.send(("tell", (done / total, words)))
