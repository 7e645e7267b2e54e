"""What runs on disk promise, measured.

python -m benchmarks.runs kill --kills 20     killed at random moments and resumed: the rows of an undisturbed run?
python -m benchmarks.runs workers             two workers against one: the same rows, and how much faster
python -m benchmarks.runs rows                a million rows: bytes on disk, seconds and memory of a summary
"""

import argparse
import dataclasses
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from kerckhoffs.evaluation import engines, experiments, runs, summaries
from kerckhoffs.evaluation.engines import Task, Worker
from kerckhoffs.evaluation.runs import Run

CLASSICAL, KEYED = "mnist-table1-classical", "mnist-table1-keyed"


def begin(folder: Path, samples: int, iterations: int) -> Run:
    """PGD, which draws random numbers, towards random targets."""
    attack = ("pgd", {"epsilon": 0.1, "iterations": iterations})
    grid = experiments.grid([attack], [CLASSICAL], [CLASSICAL, KEYED], targets=["random"], stop=samples)
    return runs.create(grid, command="benchmarks.runs", folder=folder)


def rows(run: Run) -> pd.DataFrame:
    """All that does not depend on how fast it went."""
    return run.rows().drop(columns="seconds")


def kill(folder: Path, kills: int, seed: int) -> None:
    """Start the command line again and again, each time killed at a random moment, until the run is done."""
    draw = random.Random(seed)
    whole = begin(folder / "undisturbed", 1000, 20)
    began = time.monotonic()
    engines.execute(whole, workers=2)
    seconds = time.monotonic() - began
    expected = rows(whole)
    killed = number = 0
    while killed < kills:
        number += 1
        run = begin(folder / f"killed-{number}", 1000, 20)
        command = [sys.executable, "-m", "kerckhoffs", "evaluate", f"--resume={run.folder}", "--workers=2"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        while True:
            process = subprocess.Popen(command, **quiet)
            try:
                process.wait(draw.uniform(0, 1.2 * seconds) if killed < kills else None)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed += 1
                print(f"kill {killed}: {len(run.shards())} of {len(run.blocks)} blocks were done", flush=True)
        assert process.returncode == 0
        pd.testing.assert_frame_equal(rows(run), expected)
        print(f"run {number}: the {len(expected)} rows of the undisturbed run", flush=True)


def workers(folder: Path) -> None:
    """The same run by one worker and by two, one after the other."""
    made = []
    for count in (1, 2, 2, 1):
        run = begin(folder / f"run-{len(made)}", 1000, 60)
        began = time.monotonic()
        engines.execute(run, workers=count)
        made.append((count, time.monotonic() - began, rows(run)))
        print(f"{count} workers: {made[-1][1]:.1f} s", flush=True)
        pd.testing.assert_frame_equal(made[-1][2], made[0][2])
    one, two = (sum(seconds for count, seconds, _ in made if count == number) for number in (1, 2))
    print(f"the same rows; two workers are {one / two:.2f} times as fast")


def million(folder: Path) -> None:
    """Write the rows of real blocks over and over, under other numbers, then summarise them."""
    run = begin(folder / "run", 1000, 2)
    worker = Worker(Task(run.experiments, run.models, None, None))
    tables = [worker.make(block)[1] for block in run.blocks]
    written = number = 0
    began = time.monotonic()
    while written < 1_000_000:
        table = tables[number % len(tables)]
        run.write(dataclasses.replace(run.blocks[0], number=number), table)
        written, number = written + len(table), number + 1
    size = sum(path.stat().st_size for path in run.shards().values())
    print(f"{written} rows in {number} blocks: {size / 2**20:.0f} MiB, {size / written:.0f} bytes a row")
    print(f"written in {time.monotonic() - began:.0f} s; peak memory {peak():.0f} MiB")
    began = time.monotonic()
    summary = summaries.summarise(run.rows(summaries.NEEDED))
    print(
        f"summary of {summary['examples'].sum()} rows: {time.monotonic() - began:.0f} s; peak memory {peak():.0f} MiB"
    )


def peak() -> float:
    """The most memory that this process has held, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run one of them in a folder that goes away."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("kill", "workers", "rows"))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        if options.what == "kill":
            kill(Path(folder), options.kills, options.seed)
        elif options.what == "workers":
            workers(Path(folder))
        else:
            million(Path(folder))


if __name__ == "__main__":
    main()
