"""The attacker's knowledge: it decides which model an example is crafted on, and nothing else.

Paper, section 2.2. The defended classifier stays the same and success is judged on it (evaluate.py). To add a
kind of attacker, add its entry in KNOWLEDGE.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kerckhoffs.checks import check_choice
from kerckhoffs.zoo import ModelCard


@dataclass(frozen=True)
class Knowledge:
    """What an attacker is given, and the id of the model that examples against a keyed classifier are crafted on."""

    id: str
    name: str
    summary: str
    crafted_on: Callable[[ModelCard], str]


KNOWLEDGE: dict[str, Knowledge] = {
    "gray-box": Knowledge(
        "gray-box",
        "Gray box: classical twin",
        "The attacker knows the architecture and the data but not the key, and attacks an undefended twin. "
        "This is the paper's case.",
        lambda card: card.twin if card.keyed else card.id,
    ),
    "white-box": Knowledge(
        "white-box",
        "White box: the key has leaked",
        "The attacker has the key as well and attacks the keyed classifier itself. A key that leaks, or that was "
        "published as these demonstration keys were, leaves no defence.",
        lambda card: card.id if card.keyed else card.twin,
    ),
}


def crafted_on(knowledge: str, card: ModelCard) -> str:
    """The id of the model whose gradients this attacker uses against the pair of classifiers that `card` is of.

    Raises:
        ValueError: on an unknown kind of knowledge.
    """
    check_choice(knowledge, KNOWLEDGE, "knowledge")
    return KNOWLEDGE[knowledge].crafted_on(card)
