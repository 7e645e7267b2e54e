"""Long work outside Streamlit's scripts: a bounded, process-wide pool of workers that pages poll.

A worker never calls Streamlit. It reports its progress to its Job and learns from it, at every step, whether to
stop: because someone pressed the button, or because no page has asked after it for a while (the tab was closed).
"""

import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import streamlit as st
import torch
from torch import Tensor

from kerckhoffs.attacks import Step

WORKERS = 2
WAITING = 8  # jobs in all, running and waiting; more are refused
A_SESSION = 3  # of them: one that runs, and those that were stopped and have not noticed yet
SNAPSHOTS = 60  # steps of a job that are kept, evenly spread
ORPHANED_SECONDS = 20.0
UNWATCHED_SECONDS = 1.5  # a page that shows a job asks every second
KEPT = 24  # jobs that have ended, so that a page that was loaded anew finds its own
SWITCH_SECONDS = 0.0005


class Job:
    """One piece of work. Pages read `step`, `spent`, `done` and `result`; all are safe from any thread.

    Args:
        what: names the work: two jobs of which it is equal do the same.
        spent: says what it has cost so far, in words.
    """

    def __init__(
        self, work: Callable[["Job"], Tensor], what: Hashable = None, spent: Callable[[], str] = lambda: ""
    ) -> None:
        self._work = work
        self.what = what
        self._spent = spent
        self._stop = threading.Event()
        self._orphaned = False
        self._begun = threading.Event()
        self._asked = time.monotonic()
        self._started: float | None = None
        self._step: Step | None = None
        self._steps: list[Step] = []
        self._seen = 0
        self._every = 1
        self._future: Future[Tensor] | None = None

    def on_step(self, step: Step) -> bool:
        """Give this to an attack: keeps the newest step and some of the others, and says whether to stop."""
        self._step = step
        if self._seen % self._every == 0:
            self._steps.append(step)
        self._seen += 1
        self._begun.set()
        if len(self._steps) > SNAPSHOTS:
            self._steps = self._steps[::2]
            self._every *= 2
        if not self._stop.is_set() and time.monotonic() - self._asked > ORPHANED_SECONDS:
            self._orphaned = True
            self._stop.set()
        return self._stop.is_set()

    def run(self) -> Tensor:
        """Do the work, in a worker."""
        self._started = time.monotonic()
        try:
            return self._work(self)
        finally:
            self._begun.set()

    def start(self, pool: ThreadPoolExecutor) -> None:
        """Put the work into the pool."""
        self._future = pool.submit(self.run)

    def wait_for_step(self, seconds: float) -> None:
        """Wait until there is a step to show, or the end, but no longer than this."""
        self._begun.wait(seconds)

    def wait_for_end(self, seconds: float) -> None:
        """Wait until it has ended, but no longer than this."""
        assert self._future is not None
        wait([self._future], seconds)

    def stop(self) -> None:
        """Ask the work to end with the best it has; what has ended by itself stays as it is."""
        if not self.done:
            self._stop.set()
            if self._future:
                self._future.cancel()

    @property
    def done(self) -> bool:
        """Whether it has ended, for whatever reason."""
        return self._future is not None and self._future.done()

    @property
    def stopped(self) -> bool:
        """Whether it was asked to stop before its end, or was orphaned."""
        return self._stop.is_set()

    @property
    def orphaned(self) -> bool:
        """Whether it stopped because no page had asked after it for ORPHANED_SECONDS."""
        return self._orphaned

    @property
    def step(self) -> Step | None:
        """The newest step, None before the first. Asking keeps the job alive."""
        self._asked = time.monotonic()
        return self._step

    @property
    def spent(self) -> str:
        """What it has cost so far, in words."""
        return self._spent()

    @property
    def unwatched(self) -> bool:
        """Whether no page has asked after it for longer than any page that shows it takes to ask again."""
        return time.monotonic() - self._asked > UNWATCHED_SECONDS

    @property
    def steps(self) -> tuple[Step, ...]:
        """At most SNAPSHOTS of its steps, evenly spread, and the newest one."""
        kept, newest = tuple(self._steps), self._step
        return kept if newest is None or kept[-1] is newest else (*kept, newest)

    @property
    def seconds_left(self) -> float | None:
        """An estimate from the steps so far, at most; None before the first."""
        if self._started is None or self._step is None:
            return None
        spent = time.monotonic() - self._started
        return spent * (self._step.total - self._step.done) / self._step.done

    @property
    def failed(self) -> bool:
        """Whether it ended without a result, so that `result` raises."""
        return (
            self.done and self._future is not None and not self._future.cancelled() and bool(self._future.exception())
        )

    def result(self) -> Tensor | None:
        """What the work returned; None if it was stopped before it began.

        Raises:
            ValueError: what the work refused.
        """
        assert self._future is not None
        return None if self._future.cancelled() else self._future.result()


class Jobs:
    """The pool."""

    def __init__(self) -> None:
        # A worker gives Python's lock up at every tensor operation, and while a page is drawn it waits for the lock
        # each time: 5 ms by default, far longer than the operation.
        sys.setswitchinterval(SWITCH_SECONDS)
        # One image at a time gains nothing from more threads, which would wait for each other and for the pages.
        self._pool = ThreadPoolExecutor(WORKERS, "attack", initializer=torch.set_num_threads, initargs=(1,))
        self._jobs: dict[Job, str] = {}  # and whose they are
        self._ended: deque[Job] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def submit(self, job: Job, owner: str = "") -> Job:
        """Start a job, or queue it.

        Args:
            owner: whose it is; a named one has at most A_SESSION jobs at a time.

        Raises:
            ValueError: if too much is running and waiting already.
        """
        with self._lock:
            self._ended.extend(each for each in self._jobs if each.done)
            self._jobs = {each: whose for each, whose in self._jobs.items() if not each.done}
            if owner and list(self._jobs.values()).count(owner) >= A_SESSION:
                raise ValueError(f"{A_SESSION} attacks that you started have not ended yet; try again in a moment")
            if len(self._jobs) >= WAITING:
                raise ValueError(f"{len(self._jobs)} attacks are running or waiting already; try again in a moment")
            job.start(self._pool)
            self._jobs[job] = owner
            return job

    def running(self, what: Hashable) -> bool:
        """Whether somebody watches a job that does this."""
        with self._lock:
            return any(job.what == what and not job.done and not job.stopped for job in self._jobs)

    def left(self, what: Hashable) -> Job | None:
        """A job that does this and that nobody watches: one whose page was loaded anew. None if there is none."""
        with self._lock:
            for job in reversed([*self._ended, *self._jobs]):
                if job.what == what and job.unwatched and not job.failed and not (job.done and job.stopped):
                    return job
        return None


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """The pool of this process."""
    return Jobs()


def keep_one(
    name: str, work: Callable[[Job], Tensor], what: Hashable = None, spent: Callable[[], str] = lambda: ""
) -> Job:
    """Start work for this session under a name; what runs there already is stopped.

    Raises:
        ValueError: if too much is running already; then what was there stays.
    """
    state: Any = st.session_state
    job = jobs().submit(Job(work, what, spent), state.setdefault("owner_of_jobs", uuid.uuid4().hex))
    if name in state:
        state[name].stop()
    state[name] = job
    return job
