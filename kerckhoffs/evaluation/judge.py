"""The judge: what a classifier says of an image, in float32, whatever the attack claims.

An attack never judges itself. Every verdict names the model that an example was crafted on and the one that it was
evaluated on; an attack that failed on the former says nothing about the latter.
"""

import threading
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.logits import answer
from kerckhoffs.checks import check_images
from kerckhoffs.checks.arithmetic import in_float32

JUDGED_AT_ONCE = 16
CALLS = 8
"""Calls of which a randomised defence's answer is the mean, where it is judged."""


@in_float32()
def predict(model: nn.Module, images: Tensor, *, calls: int = 1) -> Tensor:
    """Class probabilities (N, K), the softmax of the model's logits, in float32 whatever is switched on around it.

    Args:
        model: images to logits.
        images: float32 (N, C, H, W) in [0, 1].
        calls: how often the model is asked; the probabilities are the mean.

    Raises:
        ValueError: if the images, or the logits, are not finite numbers of the right shape and range, or if the
            model does not take float32.
    """
    check_images(images)
    found = []
    for _ in range(calls):
        with torch.no_grad():
            logits = answer(model, images)
            found.append(logits.softmax(1))
        if not bool(torch.isfinite(logits).all()):
            raise ValueError("the model returned logits that are not finite, so nothing can be said of these images")
    return torch.stack(found).mean(0)


@dataclass(frozen=True)
class Verdict:
    """What became of one example on one model.

    Args:
        crafted_on, evaluated_on: what people call the two models, for example "classical classifier".
        label: the true class; target: the class the attack aimed at, or None.
        before, after: the evaluated model's classes for the clean and the adversarial image.
        confidence: its probability of `after`.
        crafted_success: whether the model it was crafted on reads the example as the attack wants.
        nothing_to_attack: whether it read the clean image so already.
    """

    crafted_on: str
    evaluated_on: str
    label: int
    target: int | None
    before: int
    after: int
    confidence: float
    crafted_success: bool
    nothing_to_attack: bool = False

    @property
    def fooled(self) -> bool:
        """Whether the model was right before the attack and is wrong after it."""
        return self.before == self.label != self.after

    @property
    def says_nothing(self) -> bool:
        """Whether this is no evidence on the defence: not fooled, but the attack did nothing where it was crafted."""
        return (self.nothing_to_attack or not self.crafted_success) and not self.fooled

    def outcome(self) -> str:
        """One or two words: "fooled", "still right", "was wrong before", or "no evidence"."""
        if self.before != self.label:
            return "was wrong before"
        if self.fooled:
            return "fooled"
        return "no evidence" if self.says_nothing else "still right"

    def sentence(self, classes: tuple[str, ...]) -> str:
        """The verdict in words; it always names both models."""
        read = f"{classes[self.after]} ({percent(self.confidence)})"
        if self.before != self.label:
            said = f"wrong before the attack too ({classes[self.before]} for {classes[self.label]}), now read as {read}"
        elif self.fooled:
            said = f"{classes[self.label]} is now read as {read}"
            if self.target is not None and self.after != self.target:
                said += f", though not as the target {classes[self.target]}"
        else:
            said = f"still read as {read}"
        if self.says_nothing:
            why = "There was nothing to attack" if self.nothing_to_attack else "The attack failed"
            said += f". {why} on the {self.crafted_on}, so this says nothing about the defence"
        return f"Crafted on the {self.crafted_on}, evaluated on the {self.evaluated_on}: {said}."


def succeeded(prediction: int, label: int, target: int | None) -> bool:
    """Whether an attack did what it was to do: reach the target, or any wrong class without one."""
    return prediction != label if target is None else prediction == target


def percent(share: float) -> str:
    """A share in [0, 1] for people; never rounded up to certainty or down to impossibility."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"


@in_float32()
def predictions(model: nn.Module, images: Tensor) -> Tensor:
    """The model's classes (N,), in float32, a few images at once.

    Raises:
        ValueError: if the logits are not finite.
    """
    return torch.cat([predict(model, some).argmax(1) for some in images.split(JUDGED_AT_ONCE)])


class _Calls:
    """Images that went forwards and backwards, in any thread. A copy of a counted model counts here too."""

    def __init__(self) -> None:
        self.forwards = 0
        self.gradients = 0
        self._lock = threading.Lock()  # += reads, adds and writes: another thread's number may come in between

    def add(self, forwards: int = 0, gradients: int = 0) -> None:
        """Count some more."""
        with self._lock:
            self.forwards += forwards
            self.gradients += gradients

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Calls":
        return self


class Counted(nn.Module):
    """A model that counts its calls, in images: each forward, and each backward that reaches its logits.

    An attack may wrap it, copy it or call it without gradients. One that takes the model apart and calls its layers
    itself escapes the count.
    """

    thread_safe = True

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.calls = _Calls()
        self.training = model.training

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K)."""
        logits: Tensor = self.model(images)
        count = len(images)
        self.calls.add(forwards=count)
        if logits.requires_grad:

            def backward(_: Tensor) -> None:
                self.calls.add(gradients=count)

            logits.register_hook(backward)
        return logits
