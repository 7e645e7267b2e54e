"""Tests of keys, while they are made: in the background, one at a time, for all sessions of this process.

A classifier is tested once: what was found is kept under its weights' hash and its key's fingerprint, never the key,
and whoever looks at it sees the same figures. So nobody gets a private key tested again and again. A thread never calls
Streamlit.
"""

import logging
import threading
from collections.abc import Hashable
from itertools import groupby

import streamlit as st
import torch

from kerckhoffs import data, zoo
from kerckhoffs.checks import FileRefused
from kerckhoffs.evaluation.keytests import Line, Subject, examine, fellows, price, twin_of, work
from kerckhoffs.zoo import ModelCard

WAITING = 4  # in all, at work and waiting; more are refused
KEPT = 48  # that have ended
MOST = 6  # classifiers whose keys are put in each other's place
LOOK_SECONDS = 0.2  # of one that waits for its turn, whether it was stopped meanwhile


class Stopped(Exception):
    """Raised in the thread of a test that is to end."""


class Testing:
    """The test of one key. All of it may be read from any thread.

    Args:
        card: of the classifier.
        samples: the first so many of the bundled ones.
    """

    __test__ = False  # it is no test of pytest's

    def __init__(self, card: ModelCard, samples: int) -> None:
        self.card, self.samples = card, samples
        self.lines: tuple[Line, ...] = ()
        """What was found so far, by tests that are done."""
        self.drawn, self.total = 0, 0
        self.error = ""
        """Why it broke off, in a sentence that may quote foreign text."""
        self._stop, self._ended = threading.Event(), threading.Event()

    def stop(self) -> None:
        """Ask it to end."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether it was asked to end."""
        return self._stop.is_set()

    @property
    def done(self) -> bool:
        """Whether it has ended, for whatever reason."""
        return self._ended.is_set()

    @property
    def whole(self) -> bool:
        """Whether it has ended with all that there is to find."""
        return self.done and not self.stopped and not self.error

    @property
    def share(self) -> float:
        """How far it is, in [0, 1]."""
        return min(self.drawn / self.total, 1.0) if self.total else 0.0

    def wait(self, seconds: float) -> bool:
        """Wait for the end, but no longer than this; whether it has come."""
        return self._ended.wait(seconds)

    def run(self, turns: threading.Semaphore) -> None:
        """Make it, in its turn."""
        try:
            while not turns.acquire(timeout=LOOK_SECONDS):
                self._look()
            try:
                torch.set_num_threads(1)
                self._examine()
            finally:
                turns.release()
        except Stopped:
            pass
        except ValueError as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"the test broke off: {type(error).__name__}"
            logging.getLogger(__name__).exception("the test of the key of %s broke off", self.card.id)
        finally:
            self._ended.set()

    def _examine(self) -> None:
        card, cards = self.card, zoo.models()
        subject = Subject.load(card.id)
        others: list[Subject] = []
        for other in fellows(card, cards.values()):
            if other.id != card.id and len(others) < MOST - 1:
                try:
                    others.append(Subject.load(other.id))
                except FileRefused:
                    continue  # its key is not here
        self.total = work(subject, len(others))
        images, labels = data.load(card.dataset, indices=range(self.samples))
        prices = [price(name, images, labels) for name in (card.id, twin_of(card, cards)) if name]
        self._look()
        lines = examine(subject, images, labels, others=others, prices=prices, on_draw=self._count)
        for _, whole in groupby(lines, key=lambda line: line.test):
            self.lines += tuple(whole)

    def _count(self) -> None:
        self.drawn += 1
        self._look()

    def _look(self) -> None:
        if self.stopped:
            raise Stopped


class Testings:
    """All that are made, and the last that were."""

    def __init__(self) -> None:
        self._turns = threading.Semaphore(1)  # one keeps a core busy
        self._all: dict[Hashable, Testing] = {}  # the oldest first
        self._lock = threading.Lock()

    def of(self, card: ModelCard, samples: int) -> Testing | None:
        """The one of this classifier, at work or ended; None if there was none."""
        with self._lock:
            return self._all.get(_name(card, samples))

    def begin(self, card: ModelCard, samples: int) -> Testing:
        """Begin it; who comes second gets the one that is there.

        Raises:
            ValueError: if too many are at work and waiting.
        """
        with self._lock:
            name = _name(card, samples)
            known = self._all.get(name)
            if known is not None and (known.whole or not (known.done or known.stopped)):
                return known
            if sum(not each.done for each in self._all.values()) >= WAITING:
                raise ValueError(f"{WAITING} keys are being tested or waiting already; try again in a minute")
            self._all.pop(name, None)
            for old in [each for each, testing in self._all.items() if testing.done][: max(len(self._all) - KEPT, 0)]:
                del self._all[old]
            testing = self._all[name] = Testing(card, samples)
            threading.Thread(target=testing.run, args=(self._turns,), name="key test", daemon=True).start()
            return testing


def _name(card: ModelCard, samples: int) -> Hashable:
    return card.id, card.sha256, card.fingerprint, samples


@st.cache_resource(show_spinner=False)
def testings() -> Testings:
    """Those of this process."""
    return Testings()
