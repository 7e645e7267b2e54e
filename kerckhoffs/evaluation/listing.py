"""The runs in the user's folder, for a command line or a page of the one whose they are.

A run's id is all that one needs to see it, so nobody else is shown this list.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kerckhoffs.checks import FileRefused
from kerckhoffs.evaluation import runs
from kerckhoffs.evaluation.runs import Run

State = Literal["finished", "stopped", "being written", "damaged"]


@dataclass(frozen=True)
class Listed:
    """What is known of a run without reading its rows.

    Args:
        id: the name of its folder.
        begun: when, as ISO 8601 has it; "" if it is damaged, and so are the next ones.
        command: how a person would run it.
        done, total: examples.
        problem: why it cannot be read, in one sentence; "" if it can.
    """

    id: str
    folder: Path
    begun: str
    command: str
    attacks: tuple[str, ...]
    crafted_on: tuple[str, ...]
    evaluated_on: tuple[str, ...]
    done: int
    total: int
    state: State
    problem: str = ""


def listed(folder: Path | None = None) -> list[Listed]:
    """The runs in a folder, the user's by default, the newest first; a damaged one is among them and says why.

    Raises:
        FileRefused: if the folder cannot be read.
    """
    where = folder or runs.home()
    try:
        inside = [path for path in where.iterdir() if path.is_dir()] if where.exists() else []
    except OSError as error:
        raise FileRefused(f"cannot read {where}: {error.strerror}") from error
    found = [described(path) for path in inside if runs.ID.fullmatch(path.name) or (path / runs.MANIFEST).exists()]
    return sorted(found, key=lambda each: (each.begun or each.id[:8], each.id), reverse=True)


def described(folder: Path) -> Listed:
    """What is known of the run in a folder."""
    try:
        run = runs.open_run(folder)
        begun, shards = str(runs.read_manifest(folder).get("begun", "")), run.shards()
        total = sum(block.examples for block in run.planned)
    except ValueError as error:
        return Listed(folder.name, folder, "", "", (), (), (), 0, 0, "damaged", str(error))
    done = sum(run.planned[number].examples for number in shards)
    state: State = "finished" if done == total else "being written" if run.is_written() else "stopped"
    of = run.experiments
    return Listed(
        folder.name,
        folder,
        begun,
        run.command,
        tuple(dict.fromkeys(each.attack for each in of)),
        tuple(dict.fromkeys(each.crafted_on for each in of)),
        tuple(dict.fromkeys(name for each in of for name in each.evaluated_on)),
        done,
        total,
        state,
    )


def named(text: str) -> Run:
    """The run that a person names by its folder or, in the user's folder, by its id.

    Raises:
        FileRefused: if there is none, or it is damaged.
    """
    if runs.ID.fullmatch(text) and (runs.home() / text).is_dir():
        return runs.find(text)
    if not Path(text).is_dir():
        raise FileRefused(f"there is no run {text}; name one of those that kerckhoffs runs lists, or a run's folder")
    return runs.open_run(text)
