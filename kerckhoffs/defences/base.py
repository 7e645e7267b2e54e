"""What a defence is to the rest of the project: an entry of the registry, and the classifier that it makes.

A defended classifier is an nn.Module from images (N, C, H, W) in [0, 1] to logits (N, K). It holds one network, or
several, and what stands before them; its weights are those of the networks, and a key is none of them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from kerckhoffs.keys import Key
from kerckhoffs.transforms import Shape
from kerckhoffs.transforms.base import Distance

Build = Callable[[Callable[[], nn.Module], Shape, tuple[Key, ...]], "DefendedClassifier"]
"""From a function that makes an untrained network, the shape of an image and the keys to the classifier."""

Training = Literal["clean", "distilled", "adversarial", "ensemble-adversarial"]
"""How a defence is trained (zoo/train has the code of each)."""


class DefendedClassifier(nn.Module):
    """A network as it is deployed: D(x) = argmax E(x) (paper, equation 2). A defence changes what the network sees.

    Args:
        network: what the network sees to logits; its state is all that is trained and saved.
        shape: (C, H, W) of the images that it was made for; if given, others are refused.
    """

    thread_safe = True  # several threads may ask it at a time (attacks/threads.py)
    generator: torch.Generator | None = None  # where a randomised defence draws from; left out, where it says itself

    def __init__(self, network: nn.Module, shape: Shape | None = None) -> None:
        super().__init__()
        self.network = network
        self.shape = shape

    def view(self, images: Tensor) -> Tensor:
        """What the network sees: the images themselves. Where there are several networks, all they see, as a grid."""
        return images

    def members(self, images: Tensor) -> tuple[Tensor, ...]:
        """The logits (N, K) of each network; training fits each of them."""
        return (self.network(self.view(images)),)

    def combine(self, logits: tuple[Tensor, ...]) -> Tensor:
        """What the classifier says, (N, K), when its networks say this."""
        [only] = logits
        return only

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K).

        Raises:
            ValueError: if the images are not of the classifier's shape.
        """
        if self.shape is not None and (images.ndim != 4 or tuple(images.shape[1:]) != self.shape):
            needed = ", ".join(str(side) for side in self.shape)
            raise ValueError(
                f"this classifier takes images of shape (N, {needed}), but was given {tuple(images.shape)}"
            )
        return self.combine(self.members(images))


def mean_soft_output(logits: tuple[Tensor, ...]) -> Tensor:
    """log((1 / J) sum_j softmax(Z_j)), (N, K): the logarithm of the mean of the soft outputs."""
    return torch.stack([each.log_softmax(1) for each in logits]).logsumexp(0) - math.log(len(logits))


@dataclass(frozen=True)
class Defence:
    """An entry of the registry. Each defence's file ends with its own; defences/__init__.py lists them.

    Args:
        id: the last part of a model's id.
        name: for people, as it stands in a title: "MNIST, Table 2, keyed".
        family: "none"; "keyed": a keyed transform stands before the network; "keyless": something without a key does.
        what: what it is, in a sentence.
        cost: what it costs, in a sentence.
        known: what is known against it.
        trained: how it is trained, in words.
        source: where it was published.
        key_lengths: of the keys that it needs for images of a shape; () if it needs none.
        build: makes the classifier, untrained.
        by_attacker: whether it is an attacker who makes such a classifier, to craft examples on it.
        training: how it is trained.
        randomized: whether two calls on the same image may differ.
        networks: how many networks it has.
        sees: how its network sees the pixels, in words that end a sentence.
        box: what stands before the network, in a word for a drawing; "" if nothing does.
        keeps: the distances between two images, whatever they are, that are the same between what the network sees.
        entropy_bits: of all its keys for images of a shape; 0 without a key.
    """

    id: str
    name: str
    family: Literal["none", "keyed", "keyless"]
    what: str
    cost: str
    known: str
    trained: str
    source: str
    key_lengths: Callable[[Shape], tuple[int, ...]]
    build: Build
    by_attacker: bool = False
    training: Training = "clean"
    randomized: bool = False
    networks: int = 1
    sees: str = "as they are"
    box: str = ""
    keeps: tuple[Distance, ...] = ()
    entropy_bits: Callable[[Shape], float] = lambda shape: 0.0

    @property
    def keyed(self) -> bool:
        """Whether it has a key."""
        return self.family == "keyed"

    @property
    def structure(self) -> str:
        """The id of what stands around the network, however that is trained; "classical" where nothing does."""
        if self.training == "clean":
            return self.id
        return "classical" if self.id == self.training else self.id.removesuffix(f"-{self.training}")

    @property
    def summary(self) -> str:
        """What it is and what it costs, in two sentences."""
        return f"{self.what} {self.cost}"
