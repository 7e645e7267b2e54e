"""What a key costs: clean error and time, beside the same network without one, trained in the same way."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from kerckhoffs import zoo
from kerckhoffs.checks.arithmetic import in_float32
from kerckhoffs.evaluation.keytests.errors import Wrong, misread
from kerckhoffs.zoo import ModelCard

BATCH = 128


@dataclass(frozen=True, eq=False)
class Price:
    """What one classifier costs.

    Args:
        wrong: bool (S,), the clean samples that it misreads.
        one, many: milliseconds an image, shown alone and 128 at once: the median of the repeats.
        training: seconds, as its card has them; None where it has none.
    """

    model: str
    wrong: Wrong
    one: float
    many: float
    training: float | None


def twin_of(card: ModelCard, cards: Mapping[str, ModelCard]) -> str | None:
    """The classifier of the same set and network that is trained in the same way without a key; None if none is."""
    defence = "classical" if card.entry.training == "clean" else card.entry.training
    name = zoo.model_id(card.dataset, card.network, defence)
    return name if name in cards else None


@in_float32()
def price(
    model_id: str, images: Tensor, labels: Tensor, *, folder: str | Path | None = None, repeats: int = 9
) -> Price:
    """Measure a classifier, in this thread.

    Args:
        images, labels: float32 (S, C, H, W) in [0, 1] and (S,).
        repeats: of the 128 at once; one alone is shown ten times as often.

    Raises:
        ValueError: on an unknown id.
        FileRefused: if its weights or its key are missing.
    """
    card, model = zoo.card(model_id, folder), zoo.load(model_id, folder=folder)
    wrong = misread(model, images, labels)
    batch = images.repeat(-(-BATCH // len(images)), 1, 1, 1)[:BATCH]
    known = card.training.get("seconds")
    return Price(
        model_id,
        wrong,
        _milliseconds(model, batch[:1], 10 * repeats),
        _milliseconds(model, batch, repeats) / BATCH,
        float(known) if isinstance(known, int | float) else None,
    )


def _milliseconds(model: torch.nn.Module, images: Tensor, repeats: int) -> float:
    taken = []
    with torch.no_grad():
        model(images)
        for _ in range(repeats):
            began = time.perf_counter()
            model(images)
            taken.append(time.perf_counter() - began)
    return 1000 * median(taken)
