"""Milliseconds that a classifier takes for an image, measured here: once in a process, for one image at a time."""

import time

from kerckhoffs.evaluation.judge import predict
from kerckhoffs.ui.models import model, samples
from kerckhoffs.zoo import ModelCard

LOOKS = 5  # the quickest counts: what else the machine does only adds
MOST = 1000  # that are remembered

_measured: dict[tuple[str, str], float | None] = {}


def known(entry: ModelCard) -> bool:
    """Whether it was measured before."""
    return (entry.id, entry.sha256) in _measured


def milliseconds(entry: ModelCard) -> float | None:
    """Of one image, the least of a few; None where the classifier cannot be loaded."""
    if not known(entry):
        if len(_measured) >= MOST:
            _measured.clear()
        _measured[entry.id, entry.sha256] = _measure(entry)
    return _measured[entry.id, entry.sha256]


def _measure(entry: ModelCard) -> float | None:
    try:
        classifier = model(entry.id)
    except ValueError:
        return None
    images, seconds = samples(entry.dataset)[0], []
    for number in range(1 + LOOKS):
        began = time.perf_counter()
        predict(classifier, images[number : number + 1])
        seconds.append(time.perf_counter() - began)
    return 1000 * min(seconds[1:])  # the first one makes what torch keeps
