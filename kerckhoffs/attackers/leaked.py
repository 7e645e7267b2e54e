"""Those who have the weights and some of the key, or all of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from kerckhoffs import zoo
from kerckhoffs.attackers.base import Attacker, Options, Target, itself
from kerckhoffs.attacks import Option
from kerckhoffs.attacks.averaged import Averaged
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import KeyedClassifier
from kerckhoffs.keys import Key
from kerckhoffs.transforms import Permutation, Shape


def key_of(order: NDArray[np.integer]) -> Key:
    """A key whose permutation is this order (N,)."""
    return Key(np.argsort(order).astype(np.float64))


def behind(order: NDArray[np.integer], network: nn.Module, shape: Shape) -> KeyedClassifier:
    """A network behind a permutation in this order (N,)."""
    return KeyedClassifier(Permutation(key_of(order), shape), network, shape)


def known_places(count: int, share: float, places: str, seed: int = 0) -> NDArray[np.bool_]:
    """Which of the places of the permuted image are known, (N,) bool: the first ones, or places drawn at random."""
    known = np.arange(count) < round(share * count)
    return known if places == "first-rows" else np.random.default_rng(seed).permutation(known)


def guessed(order: NDArray[np.integer], known: NDArray[np.bool_], seed: int) -> NDArray[np.integer]:
    """The order where it is known; elsewhere what is left of the pixels, drawn at random. (N,)"""
    guess = order.copy()
    guess[~known] = np.random.default_rng(seed).permutation(order[~known])
    return guess


def _partly(models: Sequence[nn.Module], target: Target, options: Options, folder: Path | None) -> nn.Module:
    card = zoo.card(target.id, folder)
    [key] = zoo.find_keys(card, folder)
    order = np.asarray(key.permutation())
    known = known_places(len(order), options["share"], options["places"])
    network, shape = zoo.load_network(target.id, folder=folder), DATASETS[target.dataset].shape
    drawn = [guessed(order, known, seed) for seed in range(1, options["draws"] + 1)]
    built = [behind(each, network, shape) for each in drawn]
    return built[0] if len(built) == 1 else Averaged(built)


PART_OF_KEY = Attacker(
    id="part-of-key",
    name="Part of the key has leaked",
    summary="The attacker has the trained weights and a share of the order, draws the rest, and attacks the network "
    "behind that.",
    without_key=("Part of the key", "It has no key of which a part could leak."),
    hidden=("key",),
    model=lambda target, options: None,
    join=_partly,
    options=(
        Option("share", float, 0.5, "Of the places of the permuted image that the attacker knows."),
        Option(
            "places",
            str,
            "random",
            "Which: places drawn at random, or the first rows.",
            choices=("random", "first-rows"),
        ),
        Option("draws", int, 1, "Orders that the attacker draws; the mean of the logits is attacked.", low=1, high=64),
    ),
    against=lambda defence: defence.structure in ("keyed", "surrogate"),
    alone=True,
)

KEY = Attacker(
    id="key",
    name="White box: the key has leaked",
    summary="The attacker has the key as well and attacks the keyed classifier itself: nothing of it is secret any "
    "more.",
    without_key=(
        "White box: all is known",
        "The attacker has the classifier and attacks it itself: it has no key to hide.",
    ),
    hidden=(),
    model=itself,
    alone=True,
)
