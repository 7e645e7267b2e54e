"""kerckhoffs bench: attacks side by side, measured from outside."""

import sys
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from kerckhoffs import bench, data, zoo
from kerckhoffs.bench import contestants
from kerckhoffs.cli.runs import check_file, listed
from kerckhoffs.cli.show import Markdown, show
from kerckhoffs.evaluation import files, tables
from kerckhoffs.evaluation.machine import machine


def bench_command(
    suite: Annotated[
        str | None,
        typer.Option(help=f"Named set: {', '.join(contestants.SUITES)}; cw_l2 if nothing else is asked for."),
    ] = None,
    attacks: Annotated[
        list[str] | None, typer.Option(help="Ours, in place of the suite's: id or id:option=value, or none.")
    ] = None,
    peers: Annotated[
        list[str] | None, typer.Option(help="Other libraries', in place of the suite's: id, library, all or none.")
    ] = None,
    model: Annotated[str, typer.Option(help="<dataset>-<table1|table2>-<classical|keyed>")] = "mnist-table2-classical",
    images: Annotated[int, typer.Option(help="How many: the first test samples that the model reads right.")] = 20,
    targets: Annotated[str, typer.Option(help=f"Classes to aim at: {', '.join(bench.TARGETS)}.")] = "random",
    seed: Annotated[int, typer.Option(min=0, help="Of the random targets.")] = 0,
    batch: Annotated[int, typer.Option(min=0, help="Images that an attack gets at once; 0 for all.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of torch; its own choice by default.")] = None,
    csv: Annotated[Path | None, typer.Option(help="File for the table.")] = None,
    curve: Annotated[Path | None, typer.Option(help="CSV file for the security curves.")] = None,
    plot: Annotated[Path | None, typer.Option(help="HTML file for the security curves.")] = None,
    markdown: Markdown = False,
) -> int:
    """Measure attacks side by side on the same images. Ctrl-C keeps what is done.

    Lists are comma-separated or repeated. Seconds, gradients and forwards are an example's. Success is judged here, in
    float32; a failure counts as infinite in the median, and is left out of the mean.
    """
    field, missing = contestants.chosen(suite, listed(attacks), listed(peers))
    for library, specs in missing.items():
        print(f"left out: {', '.join(specs)}; {library} is not installed (benchmarks/README.md)", file=sys.stderr)
    for path in filter(None, (csv, curve, plot)):
        check_file(path)
    if threads:
        torch.set_num_threads(threads)
    network = zoo.load(model)
    test = data.load(zoo.card(model).dataset)
    shown, labels = bench.examples(network, *test, count=images, targets=targets, seed=seed)
    conditions = machine() | {"model": model, "targets": targets, "seed": seed, "batch": batch or len(shown)}
    print(", ".join(f"{name} {value}" for name, value in conditions.items()) + f", examples {len(shown)}")
    bench.warm_up(network, shown)
    results: list[bench.Result] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), refresh_per_second=1) as bar:
        task = bar.add_task("", total=len(field))
        try:
            for each in field:
                bar.update(task, description=each.name)
                results.append(bench.measure(each, network, shown, labels, targeted=targets != "none", batch=batch))
                bar.advance(task)
        except KeyboardInterrupt:
            print("stopped; what was measured before:", file=sys.stderr)
    if results:
        full = bench.report(results)
        full = (
            full.astype(object)
            .where(full.notna(), "-")
            .map(lambda cell: f"{cell:.4g}" if isinstance(cell, float) else cell)
        )
        brief = full[["attack", "of", "success %", "mean", "seconds", "gradients", "forwards"]]
        show(full, brief, markdown=markdown, more="All columns: --markdown, or --csv FILE.")
    print("\n".join(bench.notes(results)) or "nothing was measured")
    if csv:
        files.write_atomically(csv, tables.csv(bench.table(results, **conditions)), private=False)
    if curve:
        files.write_atomically(curve, tables.csv(bench.security_curve(results)), private=False)
    if plot:
        from kerckhoffs.plots import charts  # slow

        charts.security_curves(bench.security_curve(results)).write_html(plot)
    return 0 if len(results) == len(field) else 130
