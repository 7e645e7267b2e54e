"""The attacker's knowledge: it decides which model an example is crafted on, and nothing else.

Paper, section 2.2. The defended classifier stays the same and success is judged on it (evaluate.py). To add a
kind of attacker, add its entry in KNOWLEDGE.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kerckhoffs.attacks import Attack
from kerckhoffs.checks import check_choice
from kerckhoffs.zoo import ModelCard, model_id, surrogate_id

PARTS = ("transform", "key", "network", "weights", "output")
"""What the keyed classifier consists of: P, k, the architecture and the data, the trained weights, the answers."""


@dataclass(frozen=True)
class Knowledge:
    """What an attacker is given, and the id of the model that examples against a keyed classifier are crafted on.

    Args:
        hidden: the PARTS of the defended classifier that this attacker does not see.
        reads: what its attacks may read of the model that they craft on (Attack.access).
        crafted_on: the id of that model, from the card of either classifier of a pair.
    """

    id: str
    name: str
    summary: str
    hidden: tuple[str, ...]
    crafted_on: Callable[[ModelCard], str]
    reads: tuple[str, ...] = ("gradients", "scores", "labels")


def _keyed(card: ModelCard) -> str:
    return model_id(card.dataset, card.classifier, keyed=True)


KNOWLEDGE: dict[str, Knowledge] = {
    "black-box": Knowledge(
        "black-box",
        "Black box: queries only",
        "The attacker asks the keyed classifier and sees only its answers: the attack reads scores or labels, never "
        "gradients.",
        ("transform", "key", "network", "weights"),
        _keyed,
        reads=("scores", "labels"),
    ),
    "gray-box": Knowledge(
        "gray-box",
        "Gray box: classical twin",
        "The attacker knows the architecture and the data, not the key, and attacks an undefended twin: the paper's "
        "case.",
        ("key", "weights"),
        lambda card: model_id(card.dataset, card.classifier, keyed=False),
    ),
    "wrong-key": Knowledge(
        "wrong-key",
        "Gray box: a key of their own",
        "The attacker knows the design and the data, makes up a key, trains the same keyed network with it, and "
        "attacks that surrogate.",
        ("key", "weights"),
        lambda card: surrogate_id(card.dataset, card.classifier),
    ),
    "white-box": Knowledge(
        "white-box",
        "White box: the key has leaked",
        "The attacker has the key as well and attacks the keyed classifier itself: a key that leaks leaves no defence.",
        (),
        _keyed,
    ),
}


def crafted_on(knowledge: str, card: ModelCard) -> str:
    """The id of the model that this attacker crafts on against the pair of classifiers that `card` is of.

    Raises:
        ValueError: on an unknown kind of knowledge.
    """
    check_choice(knowledge, KNOWLEDGE, "knowledge")
    return KNOWLEDGE[knowledge].crafted_on(card)


def check_access(knowledge: str, attack: Attack) -> None:
    """Refuse an attack that reads more of the model than this attacker has.

    Raises:
        ValueError: on an unknown kind of knowledge, or such an attack.
    """
    check_choice(knowledge, KNOWLEDGE, "knowledge")
    reads = KNOWLEDGE[knowledge].reads
    if attack.access not in reads:
        raise ValueError(
            f"{attack.name} reads {attack.access}, but this attacker has {' and '.join(reads)} only; "
            "choose an attack that reads no more"
        )
