"""What an attacker is to the rest of the project: an entry of the registry, and what it takes to be that attacker.

An attacker is given something of a defended classifier and never the rest. That decides which model an example is
crafted on, and nothing else: the same images, the same budget, the same judge for all. The model is either a trained
classifier that is there (a model id), or one that the attacker makes first. What is made is named by the attacker, its
options and the classifier that it is made against:

    own-keys:number=4@mnist-table1-keyed

and consists of parts, each of which is made once, in a process of its own (making.py), and kept (kept.py).
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from torch import Tensor, nn

from kerckhoffs.attacks import Option
from kerckhoffs.checks import check_choice
from kerckhoffs.defences import DEFENCES, Defence
from kerckhoffs.zoo import ModelCard, model_id, parse

PARTS = ("transform", "key", "network", "weights", "output")
"""What the keyed classifier consists of: P, k, the architecture and the data, the trained weights, the answers."""

Options = Mapping[str, Any]
Answers = Literal["labels", "scores"]


@dataclass(frozen=True)
class Target:
    """What everybody may know of a defended classifier.

    Args:
        id: of the model.
        dataset, network, defence: keys of the registries.
        weights: SHA-256 of its trained weights: it names them, and says nothing of them or of a key.
    """

    id: str
    dataset: str
    network: str
    defence: str
    weights: str = ""

    @classmethod
    def of(cls, card: ModelCard) -> "Target":
        """That of a card."""
        return cls(card.id, card.dataset, card.network, card.defence, card.sha256)

    @classmethod
    def like(cls, id_: str) -> "Target":
        """Any classifier of this set, network and defence, "<dataset>-<network>-<defence>", whatever its key.

        Raises:
            ValueError: on an id that names none.
        """
        return cls(id_, *parse(id_))

    @property
    def entry(self) -> Defence:
        """Its defence."""
        return DEFENCES[self.defence]


class Workshop(Protocol):
    """What a part is made with: nothing of the defended classifier but answers, where the attacker may ask."""

    @property
    def folder(self) -> Path:
        """Where the making may keep what it needs to go on after an interruption."""

    def ask(self, images: Tensor, answers: Answers) -> Tensor:
        """The defended classifier's answers to images (N, C, H, W): classes (N,), or probabilities (N, K)."""

    def network(self, target: Target) -> nn.Module:
        """The trained network of the defended classifier without its key, for an attacker who has the weights."""

    def tell(self, done: int, total: int, words: str) -> None:
        """Say how far it is."""


class Part(ABC):
    """Something that an attacker makes. A frozen dataclass: two that are equal are the same, and are made once."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What it is, as the beginning of a file's name."""

    @property
    def name(self) -> str:
        """Under which it is kept."""
        return f"{self.label}-{hashlib.sha256(repr(self).encode()).hexdigest()[:16]}"

    @abstractmethod
    def make(self, workshop: Workshop) -> dict[str, Tensor]:
        """Make it; in a process of its own."""

    @abstractmethod
    def build(self, tensors: dict[str, Tensor], folder: Path | None) -> nn.Module:
        """The model that was made, images (N, C, H, W) to logits (N, K), in eval mode, frozen.

        Args:
            tensors: what `make` gave.
            folder: of the defended classifier's weights; the shipped models and the user's own by default.
        """


def _only(models: Sequence[nn.Module], target: Target, options: Options, folder: Path | None) -> nn.Module:
    [only] = models
    return only


@dataclass(frozen=True)
class Attacker:
    """An entry of the registry. Each file of attackers ends with its own; attackers/__init__.py lists them.

    Args:
        name, summary: for people.
        without_key: both where the defended classifier has no key.
        hidden: the PARTS of the defended classifier that are never given to this attacker.
        model: the id of a trained classifier to craft on, which is there or is not; None if it is always made.
        parts: what to make where that is not there.
        besides: the ids of trained classifiers that it takes beside the parts.
        join: from the models of the parts to the one to craft on; the only one by default.
        reads: what its attacks may read of the model that they craft on (Attack.access).
        options: its own.
        against: whether it makes sense against a defence.
        alone: whether what it crafts on has to do with this very classifier, its answers, weights or key, and not only
            with what is known of all that are made in the same way.
        takes: how long it takes to be made, in words.
    """

    id: str
    name: str
    summary: str
    without_key: tuple[str, str]
    hidden: tuple[str, ...]
    model: Callable[[Target, Options], str | None]
    parts: Callable[[Target, Options], tuple[Part, ...]] = lambda target, options: ()
    besides: Callable[[Target, Options], tuple[str, ...]] = lambda target, options: ()
    join: Callable[[Sequence[nn.Module], Target, Options, Path | None], nn.Module] = _only
    reads: tuple[str, ...] = ("gradients", "scores", "labels")
    options: tuple[Option, ...] = ()
    against: Callable[[Defence], bool] = lambda defence: True
    alone: bool = False
    takes: str = ""

    def words(self, card: ModelCard) -> tuple[str, str]:
        """Its name and summary against a defended classifier."""
        return (self.name, self.summary) if card.keyed else self.without_key

    def chosen(self, options: Options) -> dict[str, Any]:
        """All its options, those that are not given at their defaults.

        Raises:
            ValueError: naming one that it does not have, or a value that it does not take.
        """
        known = {each.name: each for each in self.options}
        for name in options:
            check_choice(name, known, f"option of {self.id}")
        return {name: each.check(options.get(name, each.default)) for name, each in known.items()}


def itself(target: Target, options: Options) -> str:
    """The defended classifier."""
    return target.id


def trained(target: Target, defence: str, network: str | None = None) -> str:
    """The id of a classifier of the same set with another defence, or of another network."""
    return model_id(target.dataset, network or target.network, defence)
