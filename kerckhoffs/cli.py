"""The command line: python -m kerckhoffs train | evaluate | table3 | key | bench.

Bad arguments end with status 2 and one line. A command reads its options, calls one function and prints.
"""

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from typer.exceptions import TyperException

from kerckhoffs import bench, cli_runs, contestants, data, keys, runs, summaries, train, zoo
from kerckhoffs.checks import FileRefused, check_choice
from kerckhoffs.classifiers import CLASSIFIERS
from kerckhoffs.metrics import wilson

app = typer.Typer(
    help="Classifiers defended by a secret key, the attacks on them, and their honest evaluation.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
key_app = typer.Typer(help="Make and inspect keys. The key itself is never printed.")
app.add_typer(key_app, name="key")
app.command("evaluate")(cli_runs.evaluate_command)
app.command("table3")(cli_runs.table3_command)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        command = typer.main.get_command(app)
        status = command(arguments or ["--help"], prog_name="python -m kerckhoffs", standalone_mode=False)
    except TyperException as error:
        return _refuse(error.format_message() if hasattr(error, "format_message") else str(error))
    except (ValueError, OSError) as error:
        return _refuse(str(error))
    return status if isinstance(status, int) else 0


def _refuse(message: str) -> int:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return 2


@key_app.command("new")
def key_new(
    length: Annotated[int, typer.Option(help="Values in the key: C x H x W of the images.")] = 28 * 28,
    out: Annotated[Path | None, typer.Option(help="File to write; your data folder by default.")] = None,
    secret: Annotated[Path | None, typer.Option(help="Derive from this master secret: 16 to 32 random bytes.")] = None,
    context: Annotated[str, typer.Option(help="What a derived key is for; each context gives another key.")] = "",
) -> None:
    """Make a key from the operating system's entropy and keep it where only you can read it (mode 0600)."""
    if (secret is None) != (context == ""):
        raise ValueError("--secret and --context go together")
    key = keys.Key.generate(length) if secret is None else keys.Key.derive(keys.load_secret(secret), length, context)
    _print_key(key, key.save(out or zoo.user_key_path(key.fingerprint)))


@key_app.command("show")
def key_show(
    key: Annotated[str, typer.Argument(help="A key file, or the fingerprint of a key in your data folder.")],
    public: Annotated[bool, typer.Option(help="Accept a file that others can read: a demonstration key.")] = False,
) -> None:
    """Print a key's fingerprint and entropy, never the key."""
    path, kept = Path(key), zoo.user_key_path(key)
    if not path.exists():
        if not kept.exists():
            raise ValueError(f"there is no file {key}, and no key with that fingerprint in {kept.parent}")
        path = kept
    try:
        found = keys.Key.load(path, public=public)
    except FileRefused as error:
        keys.Key.load(path, public=True)  # what else is wrong with the file comes first
        raise FileRefused(
            f"others can read {path}: add --public if it is a demonstration key, or else run: chmod 600 {path}"
        ) from error
    _print_key(found, path)


def _print_key(key: keys.Key, path: Path) -> None:
    print(f"fingerprint  {key.fingerprint}")
    print(f"entropy      {key.entropy_bits:.0f} bits, {key.origin}")
    print(f"length       {len(key)} values")
    print(f"file         {path}")


@app.command("train")
def train_command(
    model: Annotated[str, typer.Argument(help="<dataset>-<table1|table2>-<classical|keyed|surrogate>")],
    out: Annotated[Path | None, typer.Option(help="Folder of models; your data folder by default.")] = None,
    key: Annotated[Path | None, typer.Option(help="Key file of a keyed model; a new key by default.")] = None,
    publish_key: Annotated[
        bool, typer.Option(help="Keep the key, readable by all, beside the weights: demonstrations only.")
    ] = False,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training set.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak of the cycle.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="AdamW's.")] = None,
    average: Annotated[float | None, typer.Option(help="Share of the running average kept at each step.")] = None,
    rotate: Annotated[float | None, typer.Option(help="Largest random rotation, degrees, before P.")] = None,
    shift: Annotated[float | None, typer.Option(help="Largest random shift, pixels, before P.")] = None,
    scale: Annotated[float | None, typer.Option(help="Largest random change of size, a share, before P.")] = None,
    flip: Annotated[bool | None, typer.Option(help="Mirror half of the images, before P.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, order and augmentation.")] = None,
) -> int:
    """Fit a classifier and add it to a folder of models. Ctrl-C keeps the best so far.

    Options that are left out come from the recipe of the shipped model. The full training set is read from the
    folder KERCKHOFFS_DATA, or downloaded.
    """
    dataset, classifier, keyed = _parse_model_id(model)
    given = dict(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        average=average,
        rotate=rotate,
        shift=shift,
        scale=scale,
        flip=flip,
        seed=seed,
    )
    given = {name: value for name, value in given.items() if value is not None}
    recipe = dataclasses.replace(train.RECIPES[model], **given)  # type: ignore[arg-type]
    folder = out or keys.home() / "models"
    if not keyed and (key or publish_key):
        raise ValueError(f"{model} is a classical classifier and takes no key")
    zoo.check_folder(folder)  # before the work, not after it
    secret, public_path = _training_key(model, folder, key, publish_key) if keyed else (None, None)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(model, total=None)

        def show(progress: train.Progress) -> None:
            best = "" if progress.best_error is None else f", best {100 * progress.best_error:.2f} %"
            text = f"epoch {progress.epoch + 1}/{recipe.epochs}, loss {progress.loss:.3f}{best}"
            bar.update(task, total=progress.steps, completed=progress.step, description=text)

        try:
            validation = len(data.load(dataset, "validation")[1])  # a set that is not there leaves no key behind
            if secret:
                _keep(secret, public_path)
            fitted = train.fit(dataset, classifier, key=secret, recipe=recipe, on_step=show)
        except KeyboardInterrupt:
            bar.stop()
            print("stopped before the first epoch was over: there is nothing to keep", file=sys.stderr)
            return 130

    images, labels = data.load(dataset)
    options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if name != "flip"]
    options += [] if flip is None else ["--flip" if flip else "--no-flip"]
    options += [f"--out={out}"] * (out is not None) + ["--publish-key"] * publish_key
    card = zoo.save(
        zoo.ModelCard(
            id=model,
            dataset=dataset,
            classifier=classifier,
            transform="permutation" if keyed else None,
            key_fingerprint=secret.fingerprint if secret else None,
            key_file=public_path.name if public_path else None,
            file=f"{model}.safetensors",
            sha256="",
            validation_error=fitted.validation_error,
            test_error=train.error_rate(fitted.model, images, labels),
            test_samples=len(labels),
            command=shlex.join(["python", "-m", "kerckhoffs", "train", model, *options]),
            training=dataclasses.asdict(recipe)
            | {"best_epoch": fitted.epoch + 1, "seconds": round(fitted.seconds), "stopped": fitted.stopped},
            versions=zoo.versions(),
        ),
        fitted.model.classifier,
        folder,
    )
    errors = _percent(card.validation_error, validation), _percent(card.test_error, card.test_samples)
    print(f"{card.title}, in percent with 95 % intervals: validation error {errors[0]}, test error {errors[1]}")
    print(f"written to {folder / card.file}")
    return 130 if fitted.stopped else 0


def _percent(error: float, samples: int) -> str:
    return summaries.percent(error, *wilson(round(error * samples), samples))


def _parse_model_id(model: str) -> tuple[str, str, bool]:
    pairs = [(d, c) for d in data.DATASETS for c in CLASSIFIERS]
    known = {zoo.model_id(*pair, keyed=k): (*pair, k) for pair in pairs for k in (False, True)}
    known |= {zoo.surrogate_id(*pair): (*pair, True) for pair in pairs}
    check_choice(model, known, "model")
    return known[model]


def _training_key(model: str, folder: Path, path: Path | None, publish: bool) -> tuple[keys.Key, Path | None]:
    """The key to train with, and its file if it is to be public."""
    length = 28 * 28
    public_path = folder / f"{model}.key.json"
    given = keys.Key.load(path, length=length) if path else None
    if publish and public_path.exists():
        published = keys.Key.load(public_path, length=length, public=True)
        if given and given.fingerprint != published.fingerprint:
            raise ValueError(f"{public_path} is another key than {path}; remove one of them")
        return published, public_path
    return given or keys.Key.generate(length), public_path if publish else None


def _keep(key: keys.Key, public_path: Path | None) -> None:
    """Write the key to its file if it is not there yet, so that no training is for a key that is lost."""
    path = public_path or zoo.user_key_path(key.fingerprint)
    if not path.exists():
        key.save(path, public=public_path is not None)


@app.command("bench")
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
) -> int:
    """Measure attacks side by side on the same images. Ctrl-C keeps what is done.

    Lists are comma-separated or repeated. Seconds, gradients and forwards are an example's. Success is judged here, in
    float32; a failure counts as infinite in the median, and is left out of the mean.
    """
    field, missing = contestants.chosen(suite, cli_runs.listed(attacks), cli_runs.listed(peers))
    for library, specs in missing.items():
        print(f"left out: {', '.join(specs)}; {library} is not installed (benchmarks/README.md)", file=sys.stderr)
    for path in filter(None, (csv, curve, plot)):
        cli_runs.check_file(path)
    if threads:
        torch.set_num_threads(threads)
    network = zoo.load(model)
    test = data.load(zoo.card(model).dataset)
    shown, labels = bench.examples(network, *test, count=images, targets=targets, seed=seed)
    conditions = bench.machine() | {"model": model, "targets": targets, "seed": seed, "batch": batch or len(shown)}
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
    print(bench.summary(results))
    if csv:
        runs.write_atomically(csv, bench.table(results, **conditions).to_csv(index=False).encode())
    if curve:
        runs.write_atomically(curve, bench.security_curve(results).to_csv(index=False).encode())
    if plot:
        from kerckhoffs import plots  # slow

        plots.security_curves(bench.security_curve(results)).write_html(plot)
    return 0 if len(results) == len(field) else 130
