"""The commands that make runs: evaluate and table3."""

import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from kerckhoffs import attackers, data
from kerckhoffs.bench import contestants
from kerckhoffs.checks import check_choice
from kerckhoffs.cli.show import Markdown, document
from kerckhoffs.cli.show import show as show_table
from kerckhoffs.data.uploads import read_zip
from kerckhoffs.evaluation import engines, experiments, files, flags, listing, runs, summaries, table3, tables
from kerckhoffs.evaluation.engines import Progress
from kerckhoffs.evaluation.examples import Samples
from kerckhoffs.evaluation.experiments import UPLOADED
from kerckhoffs.evaluation.flags import Raised
from kerckhoffs.evaluation.runs import Run

Out = Annotated[Path | None, typer.Option(help="New folder for the run; one in your data folder by default.")]
Resume = Annotated[Path | None, typer.Option(help="Go on with the run in this folder, as its manifest says.")]
Workers = Annotated[int, typer.Option(help="Processes, each on one core.")]
Engine = Annotated[str, typer.Option(help=f"Who works: {', '.join(engines.ENGINES)}.")]
Address = Annotated[str | None, typer.Option(help="Of a Ray cluster; a Ray of this machine by default.")]
Like = Annotated[
    str | None, typer.Option(help="Begin the same as this run anew: its id in your data folder, or its folder.")
]
Csv = Annotated[Path | None, typer.Option(help="File for all rows, .csv or .csv.gz.")]


def evaluate_command(
    attack: Annotated[list[str] | None, typer.Option(help="id or id:option=value.")] = None,
    crafted_on: Annotated[
        list[str] | None, typer.Option(help="Models to craft on, each in turn, also <attacker>@<model>.")
    ] = None,
    evaluated_on: Annotated[list[str] | None, typer.Option(help="Models that are shown every example.")] = None,
    targets: Annotated[
        list[str] | None, typer.Option(help=f"Each in turn: {', '.join(experiments.TARGETS)}. Untargeted by default.")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Of random targets and attacks; may be repeated.")] = None,
    split: Annotated[str, typer.Option(help=f"Which samples: {', '.join(data.SPLITS)}.")] = "test",
    start: Annotated[int, typer.Option(help="The first sample.")] = 0,
    stop: Annotated[int | None, typer.Option(help="The one after the last; 100, or all of a zip, by default.")] = None,
    zip_: Annotated[
        Path | None, typer.Option("--zip", help="Samples of your own: a zip of images, labelled by folder or CSV.")
    ] = None,
    models: Annotated[Path | None, typer.Option(help="Folder of models; the shipped ones by default.")] = None,
    out: Out = None,
    resume: Resume = None,
    like: Like = None,
    workers: Workers = 1,
    engine: Engine = "local",
    address: Address = None,
    csv: Csv = None,
    markdown: Markdown = False,
) -> int:
    """Make adversarial examples on some models and show them to others. Ctrl-C leaves a run that can be resumed.

    Lists are comma-separated or repeated. Every attack meets every crafted-on model, target rule and seed; each
    example is made once and shown to all evaluated models. The run's folder gets report.md, summary.csv and
    summary.json; they say what to be wary of, too.
    """
    engines.check(engine, workers)
    _check_csv(csv, out)
    done = partial(finish, workers=workers, engine=engine, address=address, csv=csv, report=_summary, full=markdown)
    grid = (attack, crafted_on, evaluated_on, targets, seed, zip_, models, stop, start or None)
    if resume:
        _alone("--resume goes on with", *grid, out, like, None if split == "test" else split)
        return done(runs.open_run(resume))
    if like:
        _alone("--like begins anew", *grid, None if split == "test" else split)
        same = listing.named(like)
        _ = same.cards  # refuses models that have changed: it would not be the same
        run = runs.create(
            same.experiments,
            command=this_command(),
            folder=out,
            model_folder=same.model_folder,
            uploaded=same.uploaded,
        )
        return done(run)
    named = [contestants.read(spec) for spec in listed(attack)]
    crafters, judges = [attackers.resolve(each, models) for each in listed(crafted_on)], listed(evaluated_on)
    for name, values in (("--attack", named), ("--crafted-on", crafters), ("--evaluated-on", judges)):
        if not values:
            raise ValueError(f"{name} is missing: name at least one, or --resume a run")
    check_choice(split, data.SPLITS, "split")
    uploaded = None
    if zip_:
        uploaded, split = _read_zip(zip_, attackers.card(crafters[0], models).dataset), UPLOADED
    if stop is None:
        stop = len(uploaded.names) if uploaded else start + 100
    what = experiments.grid(
        named,
        crafters,
        judges,
        targets=listed(targets) or ["untargeted"],
        seeds=seed or [0],
        split=split,
        start=start,
        stop=stop,
    )
    for name, rule in experiments.left_out([name for name, _ in named], listed(targets)):
        print(f"left out: {name} with the targets {rule}: it cannot aim", file=sys.stderr)
    return done(runs.create(what, command=this_command(), folder=out, model_folder=models, uploaded=uploaded))


def table3_command(
    rows: Annotated[list[str] | None, typer.Option(help=f"All by default: {', '.join(table3.ROWS)}.")] = None,
    targets: Annotated[
        str, typer.Option(help="Of Carlini and Wagner's attacks: random (one), or all (nine).")
    ] = "random",
    samples: Annotated[int, typer.Option(help="The first so many test samples; the paper's are 1000.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the random targets.")] = 0,
    thorough: Annotated[
        bool, typer.Option(help="The attacks with their defaults: several times the gradients, smaller perturbations.")
    ] = False,
    out: Out = None,
    resume: Resume = None,
    workers: Workers = 1,
    engine: Engine = "local",
    address: Address = None,
    csv: Csv = None,
    markdown: Markdown = False,
) -> int:
    """Make the paper's Table 3 again and set it beside the paper's figures. Ctrl-C leaves a run that can be resumed."""
    engines.check(engine, workers)
    _check_csv(csv, out)
    done = partial(finish, workers=workers, engine=engine, address=address, csv=csv, report=_table3, full=markdown)
    if resume:
        _alone("--resume goes on with", rows, out)
        return done(runs.open_run(resume))
    chosen = list(dict.fromkeys(listed(rows))) or list(table3.ROWS)
    if any(table3.ROWS[row].attack == "fgsm" for row in chosen if row in table3.ROWS):
        print(
            "looking for the epsilon at which FGSM's error on the classical classifier is the paper's", file=sys.stderr
        )
    what = table3.plan(chosen, targets=targets, seed=seed, samples=samples, thorough=thorough)
    return done(runs.create(what, command=this_command(), folder=out))


def check_file(path: Path) -> None:
    """Refuse what cannot be written to, before the work and not after it.

    Raises:
        ValueError: naming it.
    """
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent} to write {path.name} to")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it")


def _check_csv(csv: Path | None, out: Path | None) -> None:
    if csv and out and csv.absolute() in (out.absolute(), (out / runs.ROWS).absolute()):
        raise ValueError(f"{csv} is going to be a folder; name another file")
    if csv and not (out and csv.parent.absolute() == out.absolute()):  # the run's own folder is made with the run
        check_file(csv)


def _alone(what: str, *others: object) -> None:
    if any(other is not None for other in others):
        raise ValueError(f"{what} what the run's manifest says: leave out what is to be evaluated")


def listed(values: list[str] | None) -> list[str]:
    """Comma-separated and repeated values as one list."""
    return [name.strip() for value in values or [] for name in value.split(",")]


def this_command() -> str:
    """How this command was called."""
    return shlex.join(["python", "-m", "kerckhoffs", *sys.argv[1:]])


def _read_zip(path: Path, dataset: str) -> Samples:
    found = read_zip(path, dataset)
    for name, reason in found.refused:
        print(f"left out: {name}: {reason}", file=sys.stderr)
    return Samples(found.images, found.labels, found.names)


Report = Callable[[Run], tuple[pd.DataFrame, pd.DataFrame, list[Raised]]]
"""For people: all columns, those that matter most, and what to be wary of."""


def finish(
    run: Run, *, workers: int, engine: str, address: str | None, csv: Path | None, report: Report, full: bool
) -> int:
    """Do what is left of a run, with a bar; then write and print its report. Returns the exit status."""
    print(f"run {run.folder}", file=sys.stderr)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Bar(*columns, TextColumn("{task.fields[left]}"), console=Console(stderr=True)) as bar:
            task = bar.add_task("examples", total=None, left="")

            def show(progress: Progress) -> None:
                seconds = progress.seconds_left
                left = "" if seconds is None else f"about {seconds / 60:.0f} min {seconds % 60:.0f} s left"
                bar.update(task, total=progress.total, completed=progress.done, left=left)

            engines.execute(run, workers=workers, engine=engine, address=address, on_progress=show)
    except KeyboardInterrupt:
        print(f"stopped; go on with --resume {shlex.quote(str(run.folder))}", file=sys.stderr)
        return 130
    except RuntimeError as error:
        print(f"error: {error}; what is done is kept: --resume {shlex.quote(str(run.folder))}", file=sys.stderr)
        return 1
    shown, brief, found = report(run)
    text = f"    {run.command}\n\n{document(shown, found)}"
    files.write_atomically(run.folder / "report.md", text.encode(errors="backslashreplace"))
    show_table(shown, brief, found, markdown=full, more=f"All columns: --markdown, or {run.folder / 'report.md'}.")
    if csv:
        tables.export(run.tables(), csv)
    return 0


def _summary(run: Run) -> tuple[pd.DataFrame, pd.DataFrame, list[Raised]]:
    """Write the summary as CSV and JSON; returns it for people."""
    rows = run.rows(flags.WITH_SUMMARY)
    counted, found = summaries.summarise(rows), flags.raised(rows)
    write(run, flags.marked(counted, found))
    return summaries.report(counted), summaries.brief(counted), found


def _table3(run: Run) -> tuple[pd.DataFrame, pd.DataFrame, list[Raised]]:
    rows = run.rows(flags.WITH_SUMMARY)
    lines = table3.compare(rows)
    write(run, lines)
    return table3.report(lines), table3.brief(lines), flags.raised(rows)


def write(run: Run, summary: pd.DataFrame) -> None:
    """Keep a summary with its run, as CSV and JSON."""
    files.write_atomically(run.folder / "summary.csv", tables.csv(summary))
    files.write_atomically(run.folder / "summary.json", summary.to_json(orient="records", indent=1).encode())
