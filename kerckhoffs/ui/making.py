"""What attackers make, while it is made: in the background, for all sessions of this process.

attackers.make works in a process of its own. Here a thread waits for it and keeps what it tells, so that a page may be
left, closed or loaded anew meanwhile, and two that want the same watch one. A thread never calls Streamlit. What is
stopped is kept as far as it is, and is taken up again where it was.
"""

import logging
import threading

import streamlit as st

from kerckhoffs import attackers
from kerckhoffs.attackers import Progress

AT_ONCE = 1  # one keeps the processor busy
WAITING = 4  # in all, at work and waiting; more are refused
KEPT = 24  # that have ended, so that a page can say how
LOOK_SECONDS = 0.2  # of one that waits for its turn, whether it was stopped meanwhile


class Making:
    """One model that is made. All of it may be read from any thread.

    Args:
        model_id: as attackers.read takes it.
    """

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id
        self.progress: Progress | None = None
        """The newest; None while it waits for its turn."""
        self.error = ""
        """Why it broke off, in a sentence that may quote foreign text."""
        self._stop, self._ended = threading.Event(), threading.Event()

    def stop(self) -> None:
        """Ask it to end; what is made so far is kept."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether it was asked to end."""
        return self._stop.is_set()

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
                attackers.make(self.model_id, on_progress=self._told)
            finally:
                turns.release()
        except (ValueError, RuntimeError) as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"the making broke off: {type(error).__name__}"
            logging.getLogger(__name__).exception("the making of %s broke off", self.model_id)
        finally:
            self._ended.set()

    def _told(self, progress: Progress) -> bool:
        self.progress = progress
        return self.stopped


class Makings:
    """All that are made, and the last that were."""

    def __init__(self) -> None:
        self._turns = threading.Semaphore(AT_ONCE)
        self._all: dict[str, Making] = {}  # the oldest first
        self._lock = threading.Lock()

    def of(self, model_id: str) -> Making | None:
        """The one of this model, at work or ended; None if there was none here."""
        with self._lock:
            return self._all.get(model_id)

    def begin(self, model_id: str) -> Making:
        """Begin it, or go on with it; who comes second gets the one that is at work.

        Raises:
            ValueError: if too many are at work and waiting.
        """
        with self._lock:
            known = self._all.get(model_id)
            if known is not None and not known.done and not known.stopped:
                return known
            going = [each for each in self._all.values() if not each.done]
            if len(going) >= WAITING:
                raise ValueError(f"{len(going)} models are being made or waiting already; try again later")
            ended = [name for name, each in self._all.items() if each.done]
            for name in {model_id} & set(self._all) or ended[: max(len(ended) - KEPT + 1, 0)]:
                del self._all[name]
            making = self._all[model_id] = Making(model_id)
            # A daemon: nobody has to wait for it who ends the app.
            threading.Thread(target=making.run, args=(self._turns,), name="making", daemon=True).start()
            return making


@st.cache_resource(show_spinner=False)
def makings() -> Makings:
    """Those of this process."""
    return Makings()
