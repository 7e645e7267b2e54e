"""A trained classifier is judged and added to a folder of models."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerckhoffs import data, zoo
from kerckhoffs.keys import Key
from kerckhoffs.zoo import ModelCard
from kerckhoffs.zoo.train import judging
from kerckhoffs.zoo.train.loop import Fitted
from kerckhoffs.zoo.train.recipes import Recipe


def add(
    fitted: Fitted,
    id_: str,
    what: tuple[str, str, str],
    folder: Path,
    *,
    recipe: Recipe,
    keys: Sequence[Key] = (),
    key_files: Sequence[str] = (),
    command: str,
    said: Mapping[str, Any] | None = None,
    float16: bool = False,
) -> ModelCard:
    """Judge a trained classifier on the validation and the test samples, and add it to a folder of models.

    Args:
        what: its dataset, network and defence.
        key_files: where its keys lie in the folder, if they are public.
        command: that makes it.
        said: more about its training, beside the recipe, best epoch and seconds.
        float16: round its weights to half the bytes, before it is judged.

    Raises:
        ValueError, FileRefused: as zoo.save does.
    """
    if float16:
        fitted.model.network.half().float()
    dataset, network, defence = what
    images, labels = data.load(dataset)
    attacked = {} if fitted.attacked_error is None else {"attacked_validation_error": fitted.attacked_error}
    trained = {"best_epoch": fitted.epoch + 1, "seconds": round(fitted.seconds), "stopped": fitted.stopped}
    card = ModelCard(
        id=id_,
        dataset=dataset,
        network=network,
        defence=defence,
        options={},
        keys=tuple(key.fingerprint for key in keys),
        key_files=tuple(key_files),
        file=f"{id_}.safetensors",
        sha256="",
        validation_error=judging.error_rate(fitted.model, *data.load(dataset, "validation")),
        test_error=judging.error_rate(fitted.model, images, labels),
        test_samples=len(labels),
        command=command,
        training=dataclasses.asdict(recipe) | trained | attacked | dict(said or {}),
        versions=zoo.versions(),
    )
    return zoo.save(card, fitted.model.network, folder, float16=float16)
