"""What an attack is to the rest of the project: an entry of the registry, its options, its progress.

An attack is a function

    attack(model, images, labels, *, targeted=False, ..., on_step=None) -> Tensor

from float32 images (N, C, H, W) in [0, 1] and int64 labels (N,) (the targets if targeted) to images of the same
shape in [0, 1]. `model` maps images to logits (N, K) and is all that an attack ever sees: no key, no defence, no
judge. An example that does not fool the model comes back unchanged, and so does an image that the model already
misreads. An attack changes neither its inputs nor the model nor its mode nor any global seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from kerckhoffs.checks import check_images, check_labels


@dataclass(frozen=True)
class Step:
    """Progress of a running attack.

    Args:
        done, total: steps taken, and at most to be taken.
        current: the images that are being tried, (N, C, H, W).
        best: what the attack would return now, (N, C, H, W).
    """

    done: int
    total: int
    current: Tensor
    best: Tensor


OnStep = Callable[[Step], bool | None]
"""Called after every step; a true answer stops the attack, which then returns the best so far."""


@dataclass(frozen=True)
class Option:
    """An option of an attack: enough for a menu, a command line and a check."""

    name: str
    type: type
    default: Any
    low: float
    high: float
    help: str

    def check(self, value: Any) -> None:
        """Refuse a value of another type or outside [low, high].

        Raises:
            ValueError: naming the option and the value.
        """
        accepted = (int, float) if self.type is float else (self.type,)
        if type(value) not in accepted:
            raise ValueError(f"{self.name} must be of type {self.type.__name__}, but is {value!r}")
        if not self.low <= value <= self.high:
            raise ValueError(f"{self.name} must be between {self.low:g} and {self.high:g}, but is {value!r}")


@dataclass(frozen=True)
class Attack:
    """An entry of the registry.

    Args:
        kind: "budget" (as wrong as possible within a size), "minimal" (the smallest that fools) or "universal"
            (one perturbation for every image).
        access: what the attack reads from the model: "gradients", "scores" or "labels".
        targeted: whether it can aim at a class.
        cost: roughly how many gradients one image takes with the default options.
    """

    id: str
    name: str
    norm: Literal["l0", "l2", "linf"]
    kind: Literal["budget", "minimal", "universal"]
    access: Literal["gradients", "scores", "labels"]
    targeted: bool
    options: tuple[Option, ...]
    source: str
    cost: int
    function: Callable[..., Tensor]

    def run(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        targeted: bool = False,
        on_step: OnStep | None = None,
        **options: Any,
    ) -> Tensor:
        """Run the attack with checked options; see this module for what goes in and comes out.

        Raises:
            ValueError: on bad images or labels, an unknown option, or a value out of range.
        """
        known = {option.name: option for option in self.options}
        for name, value in options.items():
            if name not in known:
                raise ValueError(f"{self.id} has no option {name!r}; it has: {', '.join(known)}")
            known[name].check(value)
        if targeted and not self.targeted:
            raise ValueError(f"{self.id} cannot be targeted")
        return self.function(model, images, labels, targeted=targeted, on_step=on_step, **options)


def check_inputs(images: Tensor, labels: Tensor) -> None:
    """Refuse images or labels that are not what every attack takes.

    Raises:
        ValueError: naming the argument and its value.
    """
    check_images(images)
    check_labels(labels, len(images))


def margins(logits: Tensor, labels: Tensor, targeted: bool) -> Tensor:
    """How far each example is from success, (N,): negative where the model is fooled.

    Untargeted Z_y - max_{j != y} Z_j, targeted max_{j != t} Z_j - Z_t (Carlini and Wagner 2017, section 6).

    Raises:
        ValueError: on logits that are not (N, K), K >= 2, or a label that is not below K.
    """
    if logits.ndim != 2 or len(logits) != len(labels) or logits.shape[1] < 2:
        raise ValueError(f"model must return logits (N, K) with K >= 2, but returned shape {tuple(logits.shape)}")
    if int(labels.max()) >= logits.shape[1]:
        raise ValueError(
            f"labels must be below {logits.shape[1]}, the number of classes, but one is {int(labels.max())}"
        )
    column = labels[:, None]
    own = logits.gather(1, column).squeeze(1)
    others = logits.scatter(1, column, -torch.inf).amax(1)
    return others - own if targeted else own - others


def beaten(margin: Tensor, logits: Tensor, confidence: float = 0.0) -> Tensor:
    """Where margins (N,) of logits (N, K) are beaten by at least `confidence`, (N,) bool.

    A hair more is asked for than equality (1e-5 of the largest logit), because the logits of one image differ by
    rounding from batch to batch, and a success must stay one when the image is judged alone.
    """
    return margin + confidence < -1e-5 * logits.abs().amax(1)


def fooled(logits: Tensor, labels: Tensor, targeted: bool, confidence: float = 0.0) -> Tensor:
    """Where the model says what the attack wants, by at least `confidence`, (N,) bool; see `beaten`."""
    return beaten(margins(logits, labels, targeted), logits, confidence)
