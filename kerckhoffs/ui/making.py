"""What is made in the background, for all sessions of this process: attackers' models, and the user's own.

The work is done in a process of its own. Here a thread waits for it and keeps what it tells, so that a page may be
left, closed or loaded anew meanwhile, and two that want the same watch one. A thread never calls Streamlit. What is
stopped is kept as far as it is, and is taken up again where it was.
"""

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

import streamlit as st

from kerckhoffs import attackers
from kerckhoffs.attackers import Progress
from kerckhoffs.zoo.train import Curve

AT_ONCE = 1  # one keeps the processor busy
WAITING = 4  # in all, at work and waiting; more are refused
KEPT = 24  # that have ended, so that a page can say how
LOOK_SECONDS = 0.2  # of one that waits for its turn, whether it was stopped meanwhile


P = TypeVar("P")
Told = Callable[[P], str]
"""Given to the work: takes its progress, and says how it is to end, "" for not yet."""


class Making(Generic[P]):
    """One thing that is made. All of it may be read from any thread.

    Args:
        name: of what is made.
        work: makes it, telling how far it is.
    """

    def __init__(self, name: str, work: Callable[[Told[P]], object]) -> None:
        self.name = name
        self._work = work
        self._how = ""
        self.progress: P | None = None
        """The newest; None while it waits for its turn."""
        self.error = ""
        """Why it broke off, in a sentence that may quote foreign text."""
        self._ended = threading.Event()

    def stop(self, how: str = "stop") -> None:
        """Ask it to end; what is made so far is kept.

        Args:
            how: a word of the work's, where there are several ways to end it.
        """
        self._how = how

    @property
    def stopped(self) -> bool:
        """Whether it was asked to end."""
        return bool(self._how)

    @property
    def done(self) -> bool:
        """Whether it has ended, for whatever reason."""
        return self._ended.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, but no longer than this; whether it has come."""
        return self._ended.wait(seconds)

    def run(self, turns: threading.Semaphore) -> None:
        """Make it, in its turn."""
        try:
            while not turns.acquire(timeout=LOOK_SECONDS):
                if self.stopped:
                    return
            try:
                self._work(self._told)
            finally:
                turns.release()
        except (ValueError, RuntimeError) as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"the making broke off: {type(error).__name__}"
            logging.getLogger(__name__).exception("the making of %s broke off", self.name)
        finally:
            self._ended.set()

    def _told(self, progress: P) -> str:
        self.progress = progress
        return self._how


class Makings(Generic[P]):
    """All of a kind that are made, and the last that were.

    Args:
        turns: as many are at work as it lets in; others wait.
    """

    def __init__(self, turns: threading.Semaphore) -> None:
        self._turns = turns
        self._all: dict[str, Making[P]] = {}  # the oldest first
        self._lock = threading.Lock()

    def of(self, name: str) -> Making[P] | None:
        """The one of this name, at work or ended; None if there was none here."""
        with self._lock:
            return self._all.get(name)

    def going(self) -> list[Making[P]]:
        """Those that have not ended, the oldest first."""
        with self._lock:
            return [each for each in self._all.values() if not each.done]

    def begin(self, name: str, work: Callable[[Told[P]], object]) -> Making[P]:
        """Begin it, or go on with it; who comes second gets the one that is at work.

        Raises:
            ValueError: if too many are at work and waiting.
        """
        with self._lock:
            known = self._all.get(name)
            if known is not None and not known.done and not known.stopped:
                return known
            going = [each for each in self._all.values() if not each.done]
            if len(going) >= WAITING:
                raise ValueError(f"{len(going)} models are being made or waiting already; try again later")
            ended = [name for name, each in self._all.items() if each.done]
            for old in {name} & set(self._all) or ended[: max(len(ended) - KEPT + 1, 0)]:
                del self._all[old]
            making = self._all[name] = Making(name, work)
            # A daemon: nobody has to wait for it who ends the app.
            threading.Thread(target=making.run, args=(self._turns,), name="making", daemon=True).start()
            return making


@st.cache_resource(show_spinner=False)
def _turns() -> threading.Semaphore:
    return threading.Semaphore(AT_ONCE)


@st.cache_resource(show_spinner=False)
def makings() -> Makings[Progress]:
    """What attackers make in this process, by the ids of the models to craft on."""
    return Makings(_turns())


def make(model_id: str) -> Making[Progress]:
    """Make what an attacker crafts on, or go on with it.

    Raises:
        ValueError: if too many are at work and waiting.
    """
    return makings().begin(model_id, partial(attackers.make, model_id, None))


@st.cache_resource(show_spinner=False)
def trainings() -> Makings[Curve]:
    """The user's own classifiers that are trained in this process, by the names of their orders' folders."""
    return Makings(_turns())
