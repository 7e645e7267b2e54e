"""kerckhoffs train: fit a classifier and add it to a folder of models. Interrupted, it goes on where it was."""

import dataclasses
import hashlib
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from kerckhoffs import data, keys, places, zoo
from kerckhoffs.challenge.service import check_unhidden
from kerckhoffs.defences import DEFENCES
from kerckhoffs.evaluation import summaries
from kerckhoffs.evaluation.metrics import wilson
from kerckhoffs.zoo import train
from kerckhoffs.zoo.train import Checkpoint, Recipe, pool


def train_command(
    model: Annotated[
        str,
        typer.Argument(
            help=f"<{'|'.join(data.DATASETS)}>-<{'|'.join(zoo.NETWORKS)}>-<defence>, for example "
            "mnist-table1-keyed-adversarial. `kerckhoffs defences` lists the defences."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder of models; that of your own ones by default.")] = None,
    key: Annotated[
        list[Path] | None, typer.Option(help="Key file of a keyed model, repeated for several; new keys by default.")
    ] = None,
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
    epsilon: Annotated[
        float | None, typer.Option(help="Adversarial trainings: the largest change of a pixel (linf).")
    ] = None,
    attack_steps: Annotated[
        int | None, typer.Option(help="Adversarial training: steps of PGD; 1 is FGSM from a random start.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="Distillation: what logits are divided by.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, order and augmentation.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A plain training in a minute, for some tenths of a point of error.")
    ] = False,
    name: Annotated[str, typer.Option(help="Of one among several of its kind: the model is <model>-<name>.")] = "",
    start: Annotated[
        str,
        typer.Option(help="A model of the same network whose weights it starts from, as after a new key."),
    ] = "",
    float16: Annotated[
        bool, typer.Option("--float16", help="Round the weights to float16: half the file. Errors are measured after.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew where an earlier training was interrupted.")
    ] = False,
) -> int:
    """Fit a classifier and add it to a folder of models. Ctrl-C keeps the best so far; the same command goes on.

    Options that are left out come from the recipe of the shipped model, or of its set and training. The full training
    set is read from the folder KERCKHOFFS_DATA, or downloaded.
    """
    dataset, network, defence = zoo.parse(model)
    if quick and DEFENCES[defence].training != "clean":
        raise ValueError(f"--quick is for plain trainings, and that of {defence} is {DEFENCES[defence].training}")
    id_ = f"{model}-{name}" if name else model
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
        epsilon=epsilon,
        attack_steps=attack_steps,
        temperature=temperature,
        seed=seed,
    )
    given = {name: value for name, value in given.items() if value is not None}
    usual = train.recipe_for(dataset, network, defence)
    recipe = dataclasses.replace(train.quick(usual) if quick else usual, **given)  # type: ignore[arg-type]
    train.check_recipe(recipe, DEFENCES[defence].training)
    if recipe.seed >= train.ATTACKERS_FROM:
        raise ValueError(f"seed must be below {train.ATTACKERS_FROM}, but is {recipe.seed}: those are attackers' own")
    folder = out or zoo.own_folder()
    lengths = DEFENCES[defence].key_lengths(data.DATASETS[dataset].shape)
    if not lengths and (key or publish_key):
        raise ValueError(f"{model} is a {DEFENCES[defence].name} classifier and takes no key")
    zoo.check_folder(folder)  # before the work, not after it
    check_unhidden(id_, folder)
    public = [folder / f"{id_}.key{number or ''}.json" for number in range(len(lengths))] if publish_key else []
    begun = _checkpoint(id_, recipe, [folder.absolute(), *(each.absolute() for each in key or []), publish_key, start])
    if fresh:
        begun.remove()
    weights = dict(zoo.load_network(start).state_dict()) if start else None
    secrets = _training_keys(lengths, key or [], public, begun)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(id_, total=None)

        shown = None

        def show(progress: train.Progress) -> None:
            nonlocal shown
            stage = "" if progress.stage == "network" else f"{progress.stage}: "
            text = f"{stage}epoch {progress.epoch + 1}, loss {progress.loss:.3f}"
            bar.update(task, total=progress.steps, completed=progress.step, description=text)
            if progress.validation_error is not None and shown != (progress.stage, progress.epoch):
                shown = progress.stage, progress.epoch
                bar.console.print(f"{stage}epoch {progress.epoch}, validation: {_errors(progress)}")

        try:
            validation = len(data.load(dataset, "validation")[1])  # a set that is not there leaves no key behind
            _keep(secrets, public)
            _begin(begun, secrets)
            fitted = train.fit(
                dataset,
                network,
                defence,
                keys=secrets,
                recipe=recipe,
                start=weights,
                on_step=show,
                checkpoint=begun.folder,
            )
        except KeyboardInterrupt:
            bar.stop()
            print(
                "stopped before the first epoch was over: there is no model to keep. The same command goes on",
                file=sys.stderr,
            )
            return 130

    options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if name != "flip"]
    options += [] if flip is None else ["--flip" if flip else "--no-flip"]
    options += ["--quick"] * quick + [f"--name={name}"] * bool(name) + [f"--start={start}"] * bool(start)
    options += [f"--out={out}"] * (out is not None) + ["--publish-key"] * publish_key + ["--float16"] * float16
    pooled = {"pool": [each.seed for each in pool.recipes(recipe)]} if _pooled(defence) else {}
    card = train.add(
        fitted,
        id_,
        (dataset, network, defence),
        folder,
        recipe=recipe,
        keys=secrets,
        key_files=[path.name for path in public],
        command=shlex.join(["python", "-m", "kerckhoffs", "train", model, *options]),
        said=pooled | ({"quick": True} if quick else {}) | ({"start": start} if start else {}),
        float16=float16,
    )
    if not fitted.stopped:
        begun.remove()
    errors = _percent(card.validation_error, validation), _percent(card.test_error, card.test_samples)
    print(f"{card.title}, in percent with 95 % intervals: validation error {errors[0]}, test error {errors[1]}")
    print(f"written to {folder / card.file}")
    return 130 if fitted.stopped else 0


def _pooled(defence: str) -> bool:
    return DEFENCES[defence].training == "ensemble-adversarial"


def _checkpoint(model: str, recipe: Recipe, others: list[object]) -> Checkpoint:
    """Where this training goes on: a folder that is named by all that was asked for, and of which program."""
    asked = repr([model, dataclasses.asdict(recipe), zoo.versions(), *map(str, others)])
    return Checkpoint(places.home() / "training" / f"{model}-{hashlib.sha256(asked.encode()).hexdigest()[:12]}")


def _errors(progress: train.Progress) -> str:
    assert progress.validation_error is not None
    clean = f"clean error {100 * progress.validation_error:.2f} %"
    return clean if progress.attacked_error is None else f"{clean}, attacked {100 * progress.attacked_error:.2f} %"


def _percent(error: float, samples: int) -> str:
    return summaries.percent(error, *wilson(round(error * samples), samples))


def _training_keys(
    lengths: tuple[int, ...], given: list[Path], public: list[Path], begun: Checkpoint
) -> tuple[keys.Key, ...]:
    """The keys to train with: of the files that were given, that are public or that were begun with, else new ones."""
    if not given and not public:
        kept = [zoo.user_key_path(fingerprint) for fingerprint in _begun_with(begun)]
        given = kept if all(path.exists() for path in kept) else []
    if given and len(given) != len(lengths):
        raise ValueError(f"{len(lengths)} keys are needed, but {len(given)} files were given")
    found = []
    for number, length in enumerate(lengths):
        key = keys.find(given[number], length=length) if given else None
        if public and public[number].exists():
            published = keys.Key.load(public[number], length=length, public=True)
            if key and key.fingerprint != published.fingerprint:
                raise ValueError(f"{public[number]} is another key than {given[number]}; remove one of them")
            key = published
        found.append(key or keys.Key.generate(length))
    return tuple(found)


def _begun_with(begun: Checkpoint) -> list[str]:
    """The fingerprints of the keys that an earlier session trained with."""
    state = begun.read("keys")
    return list(state[1]["keys"]) if state else []


def _begin(begun: Checkpoint, secrets: tuple[keys.Key, ...]) -> None:
    """Note the keys. What was trained with others, which are gone, is of no use any more."""
    fingerprints = [each.fingerprint for each in secrets]
    if _begun_with(begun) != fingerprints:
        begun.remove()
    begun.write("keys", {}, {"keys": fingerprints})


def _keep(secrets: tuple[keys.Key, ...], public: list[Path]) -> None:
    """Write keys to their files where they are not there yet, so that no training is for a key that is lost."""
    for path, key in zip(public or [zoo.user_key_path(each.fingerprint) for each in secrets], secrets, strict=True):
        if not path.exists():
            key.save(path, public=bool(public))
