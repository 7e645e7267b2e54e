"""What a busy neighbour costs: the same attack on a quiet machine, and beside a process that never rests.

    python -m benchmarks.neighbour cw_l2 --images 20

In turns, so that a machine that slows down does so for both. Prints the median seconds of each, their ratio, and by how
much other processes of the machine kept it busy meanwhile, the neighbour left out: only near 0 the machine was quiet.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from kerckhoffs import bench, data, zoo
from kerckhoffs.bench import contestants
from kerckhoffs.evaluation.machine import machine

TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def neighbour(core: int | None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that keeps a core busy, whichever it gets or a given one."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            if core is not None:
                os.sched_setaffinity(process.pid, {core})
            time.sleep(0.5)
            yield process
        finally:
            process.kill()


def cpu_seconds(stat: str) -> float:
    """Of the machine ("/proc/stat") or of a process ("/proc/<id>/stat"), in user and system mode."""
    fields = Path(stat).read_text().split()
    numbers = fields[1:4] if fields[0] == "cpu" else fields[13:15]
    return sum(map(int, numbers)) / TICKS


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attack", help="id or id:option=value")
    parser.add_argument("--model", default="mnist-table2-classical")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the random targets")
    parser.add_argument("--threads", type=int, help="of torch; its own choice by default")
    parser.add_argument("--core", type=int, help="where the neighbour stays; anywhere by default")
    parser.add_argument("--times", type=int, default=5, help="runs of each kind")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    contestant = contestants.ours(options.attack)
    network = zoo.load(options.model)
    test = data.load(zoo.card(options.model).dataset)
    shown, targets = bench.examples(network, *test, count=options.images, targets="random", seed=options.seed)

    def once(busy: subprocess.Popen[bytes] | None) -> tuple[float, float]:
        def others() -> float:
            own = cpu_seconds(f"/proc/{busy.pid}/stat") if busy else 0.0
            return cpu_seconds("/proc/stat") - own - time.process_time()

        before = others()
        seconds = bench.measure(contestant, network, shown, targets, targeted=True).seconds
        return seconds, max(others() - before, 0.0) / seconds

    once(None)  # warm
    quiet, beside = [], []
    for _ in range(options.times):
        quiet.append(once(None))
        with neighbour(options.core) as busy:
            beside.append(once(busy))
    print(f"{options.attack} on {options.images} images, {', '.join(f'{k} {v}' for k, v in machine().items())}")
    medians = []
    for name, runs in (("quiet", quiet), ("beside a busy process", beside)):
        seconds, foreign = zip(*runs, strict=True)
        medians.append(statistics.median(seconds))
        each = ", ".join(f"{one:.2f}" for one in seconds)
        print(f"{name}: {medians[-1]:.2f} s (of {each}); other processes: {max(foreign):.2f} cores at most")
    print(f"ratio: {medians[1] / medians[0]:.2f}")


if __name__ == "__main__":
    main()
