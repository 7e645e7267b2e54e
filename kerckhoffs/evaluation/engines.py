"""Who does the work of a run: processes of this machine, or a Ray cluster.

Both do the same: they take blocks, make their rows with examples.examine, each on one core, and hand them to the one
process that writes. What is not yet written when something breaks or someone stops is made again on resuming.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from kerckhoffs import attackers, child, keys, zoo
from kerckhoffs.checks import FileRefused, check_choice
from kerckhoffs.evaluation import costs, examples
from kerckhoffs.evaluation.examples import Samples
from kerckhoffs.evaluation.experiments import Block, Experiment
from kerckhoffs.evaluation.runs import Run
from kerckhoffs.keys import Key

if TYPE_CHECKING:
    import pandas as pd

Made = tuple[Block, "pd.DataFrame | None"]

ENGINES = ("local", "ray")
KEPT = 16  # models in a worker's memory: an example of a ladder is shown to ten at once
MOST_WORKERS = 1024 if os.name == "posix" else 61  # Windows waits for no more processes at once


@dataclass(frozen=True)
class Progress:
    """Where a run is.

    Args:
        done, total: examples.
        seconds: since it was begun or resumed.
        seconds_left: at the pace of this session, weighing what the attacks cost; None at first.
    """

    done: int
    total: int
    seconds: float
    seconds_left: float | None


@dataclass(frozen=True)
class Task:
    """All that a worker needs to know: a run without its folder."""

    experiments: tuple[Experiment, ...]
    models: Mapping[str, str]
    model_folder: Path | None
    uploaded: Samples | None


class Worker:
    """Makes blocks of one task; keeps models and samples between them."""

    def __init__(self, task: Task) -> None:
        torch.set_num_threads(1)  # a worker is a core; and sums in another order would be other rows
        self._task = task
        self._model = lru_cache(maxsize=KEPT)(self._load)
        self._known = examples.Known()
        self._samples = lru_cache(maxsize=1)(self._read)
        self._cards = {name: attackers.card(name, task.model_folder) for name in task.models}

    def _load(self, name: str) -> nn.Module:
        if self._cards[name].sha256 != self._task.models[name]:
            raise FileRefused(f"the model {name} has changed since the run was begun")
        return attackers.load(name, self._task.model_folder)

    def _read(self, number: int) -> Samples:
        experiment = self._task.experiments[number]
        return examples.samples(experiment, self._cards[experiment.crafted_on].dataset, self._task.uploaded)

    def make(self, block: Block, stopped: Callable[[], bool] = lambda: False) -> "Made":
        """A block with its rows, or with None if it was stopped."""
        experiment = self._task.experiments[block.experiment]
        models = {name: self._model(name) for name in experiment.models}
        halted = False

        def on_step(_: Any) -> bool:
            nonlocal halted
            halted = halted or stopped()
            return halted

        rows = examples.examine(
            experiment, block, self._samples(block.experiment), models, self._cards, on_step, self._known
        )
        return block, None if halted else rows


def check(engine: str, workers: int) -> None:
    """Refuse who cannot work, before there is anything to do.

    Raises:
        ValueError: on an unknown engine, one that is not installed, or a senseless number of workers.
    """
    check_choice(engine, ENGINES, "engine")
    if engine == "ray" and find_spec("ray") is None:
        raise ValueError('the engine ray needs the package: pip install "ray[default]"')
    if not 1 <= workers <= MOST_WORKERS:
        raise ValueError(f"workers must be between 1 and {MOST_WORKERS}, but is {workers}")


def execute(
    run: Run,
    *,
    workers: int = 1,
    engine: str = "local",
    address: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> None:
    """Make all blocks of a run that are not done yet. A KeyboardInterrupt leaves it resumable, and comes through.

    Args:
        workers: processes, each on one core.
        engine: "local", or "ray" (pip install "ray[default]"): a cluster whose machines have this package and the
            run's models, and for a keyed model its key, which must not be locked.
        address: of the cluster; a local Ray by default.
        on_progress: called at the start and after every block.

    Raises:
        ValueError: as `check` does.
        FileRefused: if the run cannot be written, is damaged, or a model has changed.
        RuntimeError: if a worker died. What an attack raises comes through as well.
    """
    check(engine, workers)
    with run.writing(engine=engine, workers=workers):
        run.check()  # a damaged block is found before the work, not after it
        blocks, done = run.blocks, set(run.shards())
        waiting = [block for block in blocks if block.number not in done]
        clock = _Clock(run.experiments, blocks, done)
        if on_progress:
            on_progress(clock.read())
        if not waiting:
            return
        task = Task(run.experiments, run.models, run.model_folder, run.uploaded)
        locked = locked_keys(run)
        if locked and engine == "ray":
            raise FileRefused(
                f"the key {locked[0].fingerprint} is locked with a passphrase, and a cluster is sent no key: work with "
                f"the engine local, or unlock it for good with: kerckhoffs key unlock {locked[0].fingerprint}"
            )
        make = _local(task, waiting, workers, locked) if engine == "local" else _ray(task, waiting, workers, address)
        with make as results:
            for block, rows in results:
                assert rows is not None  # nobody stopped it
                run.write(block, rows)
                clock.count(block)
                if on_progress:
                    on_progress(clock.read())


def locked_keys(run: Run) -> tuple[Key, ...]:
    """The keys of a run's private models that lie locked on the disk, held in memory or asked for here.

    Raises:
        FileRefused: if one is not held and nobody can be asked.
    """
    return tuple(key for entry in _defended(run) for key in zoo.locked_keys(entry))


def held_keys(run: Run) -> tuple[Key, ...]:
    """Those keys of a run's private models that are held in memory: for a process of its own, over its pipe."""
    found = (keys.held(name) for entry in _defended(run) if entry.private for name in entry.keys)
    return tuple(key for key in found if key)


def _defended(run: Run) -> list[zoo.ModelCard]:
    """The cards of all classifiers of a run, also of those that somebody made a model against."""
    targets = dict.fromkeys(name.rpartition(attackers.AGAINST)[2] for name in run.models)
    return [attackers.card(name, run.model_folder) for name in targets]


class _Clock:
    """Examples done, and an estimate of the time that is left, from the first block of this session on."""

    def __init__(self, experiments: Sequence[Experiment], blocks: Iterable[Block], done: set[int]) -> None:
        self._blocks = {block.number: block for block in blocks}
        self._costs = {
            number: costs.work(experiments[each.experiment], each.examples) for number, each in self._blocks.items()
        }
        self._done = set(done)
        self._before = self._work(done)
        self._began = time.monotonic()

    def count(self, block: Block) -> None:
        self._done.add(block.number)

    def _work(self, numbers: Iterable[int]) -> float:
        return sum(self._costs[number] for number in numbers)

    def read(self) -> Progress:
        spent, work = time.monotonic() - self._began, self._work(self._done)
        left = spent * (self._work(self._blocks) - work) / (work - self._before) if work > self._before else None
        examples = sum(self._blocks[number].examples for number in self._done)
        return Progress(examples, sum(block.examples for block in self._blocks.values()), spent, left)


_worker: Worker | None = None
_stop: Event | None = None


def _begin(task: Task, stop: Event, locked: tuple[Key, ...]) -> None:
    """Make this process a worker: one that leaves Ctrl-C to its parent, and ends with it.

    Args:
        locked: keys whose files are locked. They come over the worker's pipe, and no disk, argument or environment.
    """
    global _worker, _stop
    child.begin()
    for key in locked:
        keys.hold(key)
    _worker, _stop = Worker(task), stop


def _make(block: Block) -> Made:
    assert _worker is not None
    assert _stop is not None
    return _worker.make(block, _stop.is_set)


@contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """Hold Ctrl-C back while processes are started. It reaches those of the whole terminal, also one that is still
    importing and cannot leave it to its parent yet; what is held back is inherited. Windows cannot do so.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _local(task: Task, blocks: list[Block], workers: int, locked: tuple[Key, ...]) -> Iterator[Iterator[Made]]:
    """Rows as processes of this machine finish them; on the way out they are told to stop."""
    context = get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(min(workers, len(blocks)), context, _begin, (task, stop, locked))

    def results() -> Iterator[Made]:
        try:
            with _ctrl_c_later():
                futures = [pool.submit(_make, block) for block in blocks]
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise RuntimeError("a worker died, perhaps for want of memory; resume, with fewer workers") from error

    try:
        yield results()
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _ray(task: Task, blocks: list[Block], workers: int, address: str | None) -> Iterator[Iterator[Made]]:
    """Rows as actors of a Ray cluster finish them."""
    import ray
    from ray.util import ActorPool

    ours = not ray.is_initialized()
    if ours:
        local = {} if address else {"num_cpus": workers, "include_dashboard": False}
        ray.init(address=address, log_to_driver=False, **local)
    shared, actor = ray.put(task), ray.remote(num_cpus=1)(Worker)
    actors = [actor.remote(shared) for _ in range(min(workers, len(blocks)))]
    try:
        yield ActorPool(actors).map_unordered(lambda worker, block: worker.make.remote(block), blocks)
    finally:
        for each in actors:
            ray.kill(each)
        if ours:
            ray.shutdown()
