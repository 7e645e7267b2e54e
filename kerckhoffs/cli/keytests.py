"""kerckhoffs key test: how good a classifier's key is. Errors, counts and times; the key itself is never printed."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from kerckhoffs import data, places, zoo
from kerckhoffs.cli.show import Markdown, document, fitted
from kerckhoffs.data import TEST_SAMPLES
from kerckhoffs.evaluation import files, ladder, tables
from kerckhoffs.evaluation.keytests import TESTS, Subject, examine, fellows, price, report, twin_of, work
from kerckhoffs.evaluation.keytests.lines import WRONG


def key_test(
    model: Annotated[str, typer.Argument(help="A classifier with a key.")],
    models: Annotated[Path | None, typer.Option(help="Its folder; the shipped models and your own by default.")] = None,
    samples: Annotated[int, typer.Option(help="The first so many test samples.")] = TEST_SAMPLES,
    wrong: Annotated[int, typer.Option(help="How many wrong keys.")] = WRONG,
    seed: Annotated[int, typer.Option(help="Of what is drawn; a private key's draws cannot be repeated.")] = 0,
    train: Annotated[
        bool, typer.Option("--train", help="What the key is worth on the training set too, which may be downloaded.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="File for all lines, .csv.")] = None,
    markdown: Markdown = False,
) -> None:
    """Test a key: guess it, try wrong ones, exchange places of it, let a part of it leak, try others' keys.

    Every error has a 95 % interval, over samples and over the keys that were drawn.
    """
    if not 1 <= samples <= TEST_SAMPLES:
        raise ValueError(f"--samples must be between 1 and {TEST_SAMPLES}, but is {samples}")
    if wrong < 1:
        raise ValueError(f"--wrong must be at least 1, but is {wrong}")
    cards = zoo.models(models)
    subject = Subject.load(model, models)
    others = [Subject.load(each.id, models) for each in fellows(subject.card, cards.values()) if each.id != model]
    images, labels = data.load(subject.card.dataset, indices=range(samples))
    twin = twin_of(subject.card, cards)
    prices = [price(name, images, labels, folder=models) for name in (model, twin) if name]
    columns = (TextColumn("keys"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("keys", total=work(subject, len(others), wrong))
        made = list(
            examine(
                subject,
                images,
                labels,
                others=others,
                prices=prices,
                train=data.load(subject.card.dataset, "train")[0] if train else None,
                wrong=wrong,
                seed=seed,
                on_draw=lambda: bar.advance(task),
            )
        )
    climbed = places.shipped("results") / "ladder" / f"{model}.csv"
    if models is None and climbed.is_file():
        made += report.attacked(ladder.read_points(climbed), model)
    lines = report.frame(made)
    if csv:
        files.write_atomically(csv, tables.csv(lines), private=False)
    console = Console() if sys.stdout.isatty() and not markdown else None
    for test, table in report.tables(lines).items():
        print(f"## {TESTS[test]}\n")
        if console:
            console.print(fitted(table, console))
        else:
            print(document(table, []))
        print(report.sentence(lines, test) + "\n")
