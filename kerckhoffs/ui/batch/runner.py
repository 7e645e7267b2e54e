"""Runs, each in a process of its own beside the app: started, stopped and awaited here, watched on the disk.

The process is `python -m kerckhoffs evaluate --resume <folder>`, so what it has done is kept whatever becomes of it or
of the app. The threads that wait for processes are daemons: a thread pool would keep the app from ending.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import streamlit as st

from kerckhoffs import places
from kerckhoffs.checks import FileRefused
from kerckhoffs.evaluation import costs, kept
from kerckhoffs.evaluation.engines import held_keys
from kerckhoffs.evaluation.experiments import Block
from kerckhoffs.evaluation.runs import Run
from kerckhoffs.plots.runs import attack_words
from kerckhoffs.ui.ending import at_end

AT_ONCE = 2
WAITING = 6  # more are refused
A_SESSION = 3  # of both
PATIENCE = 30.0  # seconds from the wish to stop to the end by force, which costs a block at most
NICENESS = 10  # the pages come first
REMEMBERED = 100  # ended attempts
DAYS, MOST = 30, 200  # that a run of the app's is kept after somebody looked at it, and how many are kept
KEPT = f"until nobody has opened it for {DAYS} days, or {MOST} others were opened since"

State = Literal["waiting", "running", "stopping", "elsewhere", "stopped", "failed", "finished"]


@dataclass(frozen=True)
class Status:
    """Where a run is.

    Args:
        state: "elsewhere" is a run that another process is writing, one of a command line or of an app that died.
        done, total: examples.
        now: what is being made, in words; "" where that is not known.
        seconds_left: at the pace so far; None while there is none.
        error: why it failed.
    """

    state: State
    done: int
    total: int
    seconds_left: float | None = None
    error: str = ""
    now: str = ""

    @property
    def busy(self) -> bool:
        """Whether it changes by itself."""
        return self.state in ("waiting", "running", "stopping", "elsewhere")


def command(folder: Path) -> list[str]:
    """What works on a run; over its standard input it is handed the keys that are unlocked here."""
    work = ["evaluate", "--resume", str(folder), "--workers", "1"]
    return [sys.executable, "-m", "kerckhoffs", "--handed-keys", *work]


class Attempt:
    """A process that works on a run, from the wait for a free slot to its end."""

    def __init__(self, run: Run, owner: str) -> None:
        self.owner = owner
        self.error = ""
        self.began = False
        self.before = done_work(run, run.shards())
        self.first: tuple[float, float] | None = None  # when the first of its blocks was seen, and the work done then
        self.stopping = False
        self.ended = threading.Event()
        self._run = run
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def go(self, slots: threading.Semaphore) -> None:
        """Wait for a slot, and for the process."""
        try:
            with slots:
                keys = "\n".join(key.write().decode() for key in held_keys(self._run))
                if process := self._begin():
                    said = process.communicate(keys)[1]
                    if process.returncode and not self.stopping:
                        self.error = _reason(process.returncode, said)
        except OSError as error:
            self.error = f"no process could be started: {error.strerror}"
        except FileRefused as error:
            self.error = str(error)
        finally:
            self.ended.set()

    def _begin(self) -> subprocess.Popen[str] | None:
        paths = os.pathsep.join(filter(None, (str(places.PACKAGE.parent), os.environ.get("PYTHONPATH"))))
        with self._lock:
            if self.stopping:
                return None
            self.began = True
            self._process = subprocess.Popen(
                command(self._run.folder.absolute()),
                env=os.environ | {"PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),  # Windows
            )
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, self._process.pid, NICENESS)
        return self._process

    def stop(self) -> None:
        """End the process; the run can be resumed."""
        with self._lock:
            self.stopping = True
            if process := self._process:
                process.send_signal(signal.SIGINT) if os.name == "posix" else process.terminate()
                timer = threading.Timer(PATIENCE, process.kill)
                timer.daemon = True
                timer.start()

    @property
    def live(self) -> bool:
        """Whether a process works on the run, or is going to."""
        return not self.ended.is_set() and not (self.stopping and self._process is None)


class Runner:
    """All attempts of this app."""

    def __init__(self) -> None:
        self._slots = threading.Semaphore(AT_ONCE)
        self._attempts: dict[str, Attempt] = {}  # by the run's id, the newest of each run, in the order of their starts
        self._lock = threading.Lock()
        at_end(self.close)

    def start(self, run: Run, owner: str = "") -> None:
        """Begin or go on with a run, when a slot is free. Does nothing if that is happening already.

        Args:
            owner: whose it is; a named one has at most A_SESSION at a time.

        Raises:
            ValueError: if too much is running and waiting already.
        """
        attempt = Attempt(run, owner)
        with self._lock:
            live = {id_: each for id_, each in self._attempts.items() if each.live}
            if run.id in live:
                return
            if owner and sum(each.owner == owner for each in live.values()) >= A_SESSION:
                raise ValueError(f"{A_SESSION} of your batches are running or waiting already; stop one or wait")
            if len(live) >= AT_ONCE + WAITING:
                raise ValueError(f"{len(live)} batches are running or waiting already; try again later")
            ended = [id_ for id_ in self._attempts if id_ not in live]
            for id_ in ended[: max(len(ended) - REMEMBERED, 0)]:
                del self._attempts[id_]
            self._attempts.pop(run.id, None)
            self._attempts[run.id] = attempt
        threading.Thread(target=attempt.go, args=(self._slots,), daemon=True, name=f"run {run.id}").start()

    def stop(self, run: Run) -> None:
        """Stop a run that was started here."""
        if attempt := self._attempts.get(run.id):
            attempt.stop()

    def prune(self) -> None:
        """Delete old runs, but none that is running or waiting."""
        with self._lock:
            kept.prune(days=DAYS, newest=MOST, keep={id_ for id_, each in self._attempts.items() if each.live})

    def close(self) -> None:
        """Stop all, as the app ends."""
        for attempt in list(self._attempts.values()):
            if attempt.live:
                attempt.stop()

    def status(self, run: Run) -> Status:
        """Where a run is, as the disk and the processes say.

        Raises:
            FileRefused: if the run is damaged, or a model has changed.
        """
        attempt, done = self._attempts.get(run.id), set(run.shards())
        blocks = run.blocks
        examples = sum(block.examples for block in blocks if block.number in done)
        total = sum(block.examples for block in blocks)
        if len(done) == len(blocks):
            return Status("finished", examples, total)
        if attempt is None or not attempt.live:
            if attempt and attempt.error:
                return Status("failed", examples, total, error=attempt.error)
            return Status("elsewhere" if run.is_written() else "stopped", examples, total)
        if not attempt.began:
            return Status("waiting", examples, total)
        state: State = "stopping" if attempt.stopping else "running"
        return Status(state, examples, total, _left(attempt, run, done), now=_now(run, blocks, done))


def done_work(run: Run, numbers: Collection[int]) -> float:
    """What some blocks cost, in gradients."""
    of = run.experiments
    return sum(costs.work(of[each.experiment], each.examples) for each in run.blocks if each.number in numbers)


def _now(run: Run, blocks: Sequence[Block], done: Collection[int]) -> str:
    """What the one process that works on a run is making: the first block that is not there."""
    block = next(each for each in blocks if each.number not in done)
    experiment = run.experiments[block.experiment]
    options = {"options": experiment.named_options(), "targets": experiment.targets}
    what = attack_words({"attack": experiment.attack, "seed": experiment.seed} | options)
    return f"{what}, crafted on {experiment.crafted_on}, samples {block.start} to {block.stop - 1}"


def _left(attempt: Attempt, run: Run, done: Collection[int]) -> float | None:
    """Seconds at the pace since the first block: the time until then went into loading."""
    now, whole = done_work(run, done), done_work(run, range(len(run.blocks)))
    if attempt.first is None and now > attempt.before:
        attempt.first = time.monotonic(), now
    if attempt.first is None or now <= attempt.first[1]:
        return None
    return (time.monotonic() - attempt.first[0]) * (whole - now) / (now - attempt.first[1])


def _reason(status: int, said: str) -> str:
    """The last line that a process wrote, or what ended it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if status < 0 or not lines:
        return f"its process was ended from outside (status {status}), perhaps for want of memory"
    return lines[-1].removeprefix("error: ")


@st.cache_resource(show_spinner=False)
def runner() -> Runner:
    """The runner of this app."""
    return Runner()
