"""Guessing a key: how many wrong ones this machine can reject in a second, and how long all of them would take."""

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kerckhoffs.checks.arithmetic import in_float32
from kerckhoffs.defences import DefendedClassifier, KeyedClassifier
from kerckhoffs.evaluation.keytests.subjects import Subject
from kerckhoffs.keys import Key

AT_ONCE = 32  # guesses: more are not faster
MOST = 16  # images, for a key that reads all of them right
SECONDS_A_YEAR = 365.25 * 24 * 3600
UNIVERSE_YEARS = 13.8e9  # its age (Planck Collaboration 2020, "Planck 2018 results VI")
MACHINES = 1e10  # more than there are people
ATOMS = 1e80  # in the observable universe, as it is usually estimated


@dataclass(frozen=True)
class Guesses:
    """What guessing cost.

    Args:
        guesses: keys that were drawn.
        images: that were shown, to all of them together.
        left: keys that read right all the images that they were shown.
        seconds: it took.
    """

    guesses: int
    images: int
    left: int
    seconds: float

    @property
    def rate(self) -> float:
        """Keys in a second."""
        return self.guesses / self.seconds

    @property
    def images_each(self) -> float:
        """Images that it took to reject a key."""
        return self.images / self.guesses


@in_float32()
def guess(
    subject: Subject, images: Tensor, labels: Tensor, draw: np.random.Generator, *, seconds: float = 1.0
) -> Guesses:
    """Draw keys, put the networks behind each, and show one image after the other until it misreads one.

    The attacker has the weights and some images of which they know the class. The first that is misread rejects a key;
    the right one would be rejected as often as it errs, an image. Drawing the key counts, and keys are tried 32 at
    once, as fast as one core of this machine goes.

    Args:
        images, labels: float32 (S, C, H, W) in [0, 1] and (S,), of which at most 16 are shown, in this order.
        seconds: how long; at least 32 keys are tried.
    """
    guesses, shown, left, began = 0, 0, 0, time.perf_counter()
    while time.perf_counter() - began < seconds or not guesses:
        models = [subject.behind(Key(draw.standard_normal(len(subject.key)))) for _ in range(AT_ONCE)]
        guesses += len(models)
        for image, label in zip(images[:MOST], labels[:MOST], strict=True):
            shown += len(models)
            read = _read(subject, models, image[None])
            models = [each for each, said in zip(models, read.tolist(), strict=True) if said == label]
            if not models:
                break
        left += len(models)
    return Guesses(guesses, shown, left, time.perf_counter() - began)


def _read(subject: Subject, models: list[DefendedClassifier], image: Tensor) -> Tensor:
    """What each of the models reads an image (1, C, H, W) as, (models,); where they are one network, all at once."""
    with torch.no_grad():
        if isinstance(models[0], KeyedClassifier):
            seen = torch.cat([each.view(image) for each in models])
            logits: Tensor = subject.networks[0](seen)
        else:
            logits = torch.cat([each(image) for each in models])
        return logits.argmax(1)


def log10_years(bits: float, rate: float, machines: float = 1.0) -> float:
    """log10 of the years to try half of 2^bits keys at so many a second on each machine."""
    return (bits - 1) * math.log10(2) - math.log10(rate * machines * SECONDS_A_YEAR)


def log10_tried(rate: float) -> float:
    """log10 of the keys that every atom of the universe had tried, each at this rate and since its beginning."""
    return math.log10(ATOMS * rate * UNIVERSE_YEARS * SECONDS_A_YEAR)


def time_words(log10: float) -> str:
    """A time, given as log10 of its years: "3 seconds", "2 years", "10^1917 years"."""
    if log10 >= 6:
        return f"10^{log10:.0f} years"
    seconds = 10**log10 * SECONDS_A_YEAR
    for unit, length in (("years", SECONDS_A_YEAR), ("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1)):
        if seconds >= length:
            return f"{seconds / length:,.0f} {unit}" if seconds >= 2 * length else f"{seconds / length:.1f} {unit}"
    return "less than a second"
