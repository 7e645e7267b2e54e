"""The judge of a challenge: what the keyed classifier says of an image, in float32, and whether an image counts.

An image counts if the classifier read the original rightly, the change is within the budget, and it is misread. Images
beyond the budget are not shown to the classifier.
"""

import threading
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kerckhoffs import data, zoo
from kerckhoffs.challenge.rules import Rules
from kerckhoffs.checks import check_images
from kerckhoffs.evaluation.judge import CALLS, JUDGED_AT_ONCE, predict
from kerckhoffs.evaluation.metrics import distances

TOLERANCE = 1e-6  # what float32 rounds, beyond the budget


@dataclass(frozen=True)
class Judged:
    """What became of one submitted image.

    Args:
        position: of its original.
        distance: from it, in the rules' norm.
        within: whether that is within the budget.
        read_as: the classifier's class; None beyond the budget.
        counts: whether it fooled the classifier as the rules want.
    """

    position: int
    distance: float
    within: bool
    read_as: int | None
    counts: bool


class Judge:
    """Answers and judges; safe from several threads.

    Args:
        model: the keyed classifier, images to logits.
        images: the originals, float32 (N, C, H, W); labels: int64 (N,).
        calls: how often a randomised classifier is asked; its answer is the mean.
    """

    def __init__(self, model: nn.Module, rules: Rules, images: Tensor, labels: Tensor, *, calls: int = 1) -> None:
        self.rules, self.images, self.labels = rules, images, labels
        self._model, self._calls = model, calls
        self._one = None if getattr(model, "thread_safe", False) else threading.Lock()
        self.right = self.probabilities(images).argmax(1) == labels  # (N,)

    @classmethod
    def load(cls, rules: Rules) -> "Judge":
        """With the classifier that the rules name.

        Raises:
            FileRefused: if it, or its key, cannot be read.
        """
        images, labels = originals(rules)
        calls = CALLS if zoo.card(rules.model).entry.randomized else 1
        return cls(zoo.load(rules.model), rules, images, labels, calls=calls)

    def probabilities(self, images: Tensor) -> Tensor:
        """Of the classes, (N, K).

        Args:
            images: float32 (N, C, H, W) in [0, 1].

        Raises:
            ValueError: on images that are none.
        """
        check_images(images)
        if self._one is None:
            return self._ask(images)
        with self._one:
            return self._ask(images)

    def _ask(self, images: Tensor) -> Tensor:
        return torch.cat([predict(self._model, some, calls=self._calls) for some in images.split(JUDGED_AT_ONCE)])

    def judge(self, images: Tensor, positions: list[int]) -> list[Judged]:
        """What becomes of submitted images.

        Args:
            images: float32 (N, C, H, W) in [0, 1].
            positions: of their originals, N numbers below the number of samples.
        """
        size: Any = distances(self.images[positions].double(), images.double())
        distance = getattr(size, self.rules.norm)  # (N,)
        within = distance <= self.rules.budget + TOLERANCE
        read = torch.full((len(images),), -1)
        if bool(within.any()):
            read[within] = self.probabilities(images[within]).argmax(1)
        fooled = within & self.right[positions] & (read != self.labels[positions])
        rows = zip(positions, distance.tolist(), within.tolist(), read.tolist(), fooled.tolist(), strict=True)
        return [Judged(at, far, near, said if near else None, counts) for at, far, near, said, counts in rows]


def originals(rules: Rules) -> tuple[Tensor, Tensor]:
    """The images that are to be attacked, float32 (N, C, H, W), and their labels, int64 (N,)."""
    return data.load(rules.dataset, indices=rules.samples)
