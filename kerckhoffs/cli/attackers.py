"""kerckhoffs attackers: who attacks, and what an attacker has to make first."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from kerckhoffs import attackers
from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.evaluation import recovered

attackers_app = typer.Typer(help="Who attacks, from nothing to the key, and what an attacker has to make first.")

Models = Annotated[Path | None, typer.Option(help="Folder of models; the shipped ones and your own by default.")]


@attackers_app.command("list")
def list_command() -> int:
    """The rungs of the ladder, and what each attacker knows."""
    for each in ATTACKERS.values():
        options = "".join(f":{option.name}={option.default}" for option in each.options)
        print(f"{each.id}{options}\n    {each.name}. {each.summary}")
        if each.takes:
            print(f"    To make: {each.takes}.")
    return 0


@attackers_app.command("make")
def make_command(
    ids: Annotated[
        list[str],
        typer.Argument(help="<attacker>[:<option>=<value>]@<model>, for example own-keys:number=8@mnist-table1-keyed."),
    ],
    models: Models = None,
) -> int:
    """Make what attackers craft on, in a process that is told no key. Ctrl-C leaves what is done; the same goes on."""
    return 0 if make(ids, models) else 130


def make(ids: list[str], models: Path | None) -> bool:
    """Make what these ids name, as far as it is not there, with a bar; whether all is there."""
    for id_ in ids:
        name = attackers.resolve(id_, models)
        if not attackers.is_made(name):
            print(f"{id_} need not be made: it is {name}", file=sys.stderr)
        elif not _make(name, models):
            print("stopped; the same command goes on", file=sys.stderr)
            return False
        elif name == id_ or len(ids) == 1:
            spent = attackers.cost(name, models)
            print(f"{name}: {spent.seconds:.0f} s, {spent.queries} queries", file=sys.stderr)
            if attackers.read(name, models).entry.id == "recovery":
                print(f"as only who holds the key can say: {recovered.found(name, models).words}", file=sys.stderr)
    return True


def _make(name: str, models: Path | None) -> bool:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[left]}"), console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=1.0, left="")

        def show(progress: attackers.Progress) -> None:
            part = f" {progress.part} of {progress.parts}" if progress.parts > 1 else ""
            queries = f", {progress.cost.queries} queries" if progress.cost.queries else ""
            seconds = progress.seconds_left
            left = "" if seconds is None else f"about {seconds:.0f} s left"
            words = f"{name}{part}: {progress.words}{queries}"
            bar.update(task, completed=progress.share, description=words, left=left)

        try:
            return attackers.make(name, models, show)
        except KeyboardInterrupt:
            return False
