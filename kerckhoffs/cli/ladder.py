"""kerckhoffs ladder: the attacked error at every rung of what an attacker knows, and the key advantage."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from kerckhoffs import zoo
from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.checks import check_choice
from kerckhoffs.cli import attackers as making
from kerckhoffs.cli.runs import (
    Address,
    Csv,
    Engine,
    Out,
    Resume,
    Workers,
    check_file,
    finish,
    listed,
    this_command,
    write,
)
from kerckhoffs.cli.show import Markdown
from kerckhoffs.evaluation import engines, files, flags, ladder, runs, tables
from kerckhoffs.evaluation.flags import Raised
from kerckhoffs.evaluation.runs import Run


def ladder_command(
    model: Annotated[
        list[str] | None, typer.Argument(help="Defended classifiers of one set, network and defence: one for each key.")
    ] = None,
    control: Annotated[
        list[str] | None,
        typer.Option(help="Classifiers without a key, trained apart: one for each of the defended, in their order."),
    ] = None,
    rung: Annotated[list[str] | None, typer.Option(help=f"All by default: {', '.join(ATTACKERS)}.")] = None,
    epsilon: Annotated[list[float] | None, typer.Option(help="linf budgets; those of the set by default.")] = None,
    queries: Annotated[list[int] | None, typer.Option(help="Budgets of the black boxes.")] = None,
    keys: Annotated[list[int] | None, typer.Option(help="How many keys of their own an attacker has.")] = None,
    share: Annotated[list[float] | None, typer.Option(help="Of the key, that has leaked.")] = None,
    data: Annotated[
        list[int] | None, typer.Option(help="Training samples of an attacker with one own key, beside all.")
    ] = None,
    samples: Annotated[int, typer.Option(help="The first so many test samples.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of random attacks.")] = 0,
    models: Annotated[Path | None, typer.Option(help="Folder of the defended classifiers and the controls.")] = None,
    out: Out = None,
    resume: Resume = None,
    workers: Workers = 1,
    engine: Engine = "local",
    address: Address = None,
    csv: Csv = None,
    points: Annotated[Path | None, typer.Option(help="File for what each rung comes to, .csv.")] = None,
    lines: Annotated[Path | None, typer.Option(help="File for what each attack did, .csv.")] = None,
    markdown: Markdown = False,
) -> int:
    """Be every attacker in turn, from one who knows nothing to one who has the key. What an attacker has to make first
    is made first. Ctrl-C leaves a run that can be resumed.

    Each error has a 95 % interval, over samples and, of several keys, over keys too. The key advantage is the attacked
    error of the control minus that of the keyed classifier, each under the rung's strongest attack on it. It is the
    key's merit alone if the control is of the same network, trained in the same way.
    """
    engines.check(engine, workers)
    for file in filter(None, (points, lines)):
        check_file(file)
    done = partial(
        finish,
        workers=workers,
        engine=engine,
        address=address,
        csv=csv,
        full=markdown,
        report=partial(report, points=points, lines=lines),
    )
    if resume:
        if model or control or rung or out:
            raise ValueError("--resume goes on with what the run's manifest says: leave out what is to be evaluated")
        run = runs.open_run(resume)
        return done(run)
    if not model:
        raise ValueError("name at least one defended classifier, or --resume a run")
    defended = [zoo.card(name, models) for name in model]
    beside = [zoo.card(name, models) for name in listed(control)]
    if len(ladder.groups(defended)) > 1:
        raise ValueError("the defended classifiers must be of one set, network and defence: one for each key")
    if beside and len(beside) != len(defended):
        raise ValueError(f"each key needs a control of its own: {len(defended)} classifiers, {len(beside)} controls")
    if others := sorted({card.network for card in beside} - {defended[0].network}):
        words = f"the control's network is {', '.join(others)}, the defended one's {defended[0].network}"
        print(f"note: {words}: what is called the key's advantage is the networks', too", file=sys.stderr)
    chosen = listed(rung) or list(ATTACKERS)
    for name in chosen:
        check_choice(name, ATTACKERS, "rung")
    every = ladder.rungs(
        queries=queries or ladder.QUERIES,
        keys=keys or ladder.KEYS,
        shares=share or ladder.SHARES,
        samples=data or (),
    )
    what = ladder.plan(
        defended,
        beside,
        [each for each in every if each.attacker in chosen],
        epsilons=epsilon or ladder.EPSILONS.get(defended[0].dataset, (0.1,)),
        samples=samples,
        seed=seed,
    )
    missing = ladder.to_make(what, models)
    if missing:
        print(f"to be made first: {', '.join(missing)}", file=sys.stderr)
        if not making.make(missing, models):
            return 130
    return done(runs.create(what, command=this_command(), folder=out, model_folder=models))


def report(
    run: Run, points: Path | None = None, lines: Path | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, list[Raised]]:
    """The ladder of a run for people, and what to be wary of; what each attack did is kept with the run."""
    rows = run.rows((*flags.WITH_SUMMARY, "forwards"))
    tried, climbed = (each(rows, run.experiments, run.cards) for each in (ladder.lines_of, ladder.points_of))
    write(run, tried)
    for file, table in ((points, climbed), (lines, tried)):
        if file:
            files.write_atomically(file, tables.csv(table))
    shown = ladder.report(climbed)
    return shown, shown, flags.raised(rows)
