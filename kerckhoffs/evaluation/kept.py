"""How long the app keeps its runs: a file in the folder says when somebody last looked, and that it is the app's.

A run of a command line has no such file, and nothing here deletes it.
"""

import os
import shutil
import time
from collections.abc import Container
from contextlib import suppress
from pathlib import Path

from filelock import Timeout

from kerckhoffs.evaluation import files, runs
from kerckhoffs.evaluation.runs import Run

APP = ".app"


def mark(run: Run) -> None:
    """Make a run one of the app's, which `prune` deletes some day."""
    with suppress(OSError):
        (run.folder / APP).touch(mode=0o600)


def seen(run: Run) -> None:
    """Note that somebody looks at a run, if it is one of the app's."""
    with suppress(OSError):
        os.utime(run.folder / APP)


def prune(*, days: float, newest: int, keep: Container[str] = ()) -> None:
    """Delete the app's runs in the user's folder that nobody has looked at for so many days, or that are too many.

    Args:
        newest: how many may stay, those that were looked at last.
        keep: ids of runs that stay whatever their age; those that a process is writing do too.
    """
    looked: dict[Path, float] = {}
    for path in runs.home().glob(f"*/{APP}"):
        with suppress(OSError):  # gone since
            looked[path.parent] = path.stat().st_mtime
    begin = time.time() - days * 24 * 3600
    for number, folder in enumerate(sorted(looked, key=looked.__getitem__, reverse=True)):
        if (number >= newest or looked[folder] < begin) and folder.name not in keep:
            remove(folder)


def remove(folder: Path) -> None:
    """Delete a run, unless a process is writing to it."""
    with suppress(Timeout, OSError):
        with files.lock(folder / runs.LOCK).acquire(timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)  # Windows deletes no lock that is held
