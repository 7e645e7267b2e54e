"""The attacker's knowledge: it decides which model an example is crafted on, and nothing else.

Paper, section 2.2. The defended classifier stays the same and success is judged on it (evaluation/). To add a kind of
attacker, add its entry in KNOWLEDGE.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from kerckhoffs.attacks import Attack
from kerckhoffs.checks import check_choice
from kerckhoffs.zoo import ModelCard, model_id

PARTS = ("transform", "key", "network", "weights", "output")
"""What the keyed classifier consists of: P, k, the architecture and the data, the trained weights, the answers."""


@dataclass(frozen=True)
class Knowledge:
    """What an attacker is given, and the id of the model that examples against a defended classifier are crafted on.

    Args:
        name, summary: for people.
        without_key: name and summary where the defended classifier has no key.
        hidden: the PARTS of the defended classifier that this attacker does not see.
        crafted_on: the id of that model, from the card of the defended classifier.
        reads: what its attacks may read of the model that they craft on (Attack.access).
    """

    id: str
    name: str
    summary: str
    without_key: tuple[str, str]
    hidden: tuple[str, ...]
    crafted_on: Callable[[ModelCard], str]
    reads: tuple[str, ...] = ("gradients", "scores", "labels")

    def words(self, card: ModelCard) -> tuple[str, str]:
        """Its name and summary against a defended classifier."""
        return (self.name, self.summary) if card.keyed else self.without_key


def _itself(card: ModelCard) -> str:
    return card.id


TWIN = (
    "Gray box: classical twin",
    "The attacker knows the architecture and the data, not the {}, and attacks an undefended twin: the paper's case.",
)

KNOWLEDGE: dict[str, Knowledge] = {
    "black-box": Knowledge(
        "black-box",
        "Black box: queries only",
        "The attacker asks the keyed classifier and sees only its answers: the attack reads scores or labels, never "
        "gradients.",
        (
            "Black box: queries only",
            "The attacker asks the classifier and sees only its answers: the attack reads scores or labels, never "
            "gradients.",
        ),
        ("transform", "key", "network", "weights"),
        _itself,
        reads=("scores", "labels"),
    ),
    "gray-box": Knowledge(
        "gray-box",
        TWIN[0],
        TWIN[1].format("key"),
        (TWIN[0], TWIN[1].format("weights")),
        ("key", "weights"),
        lambda card: model_id(card.dataset, card.network, "classical"),
    ),
    "wrong-key": Knowledge(
        "wrong-key",
        "Gray box: a key of their own",
        "The attacker knows the network and the data, makes up a key, trains the network with its pixels permuted by "
        "that key, and attacks this surrogate.",
        (
            "Gray box: a keyed surrogate",
            "The attacker attacks a network of their own behind a permutation, although the classifier has no key.",
        ),
        ("key", "weights"),
        lambda card: model_id(card.dataset, card.network, "surrogate"),
    ),
    "white-box": Knowledge(
        "white-box",
        "White box: the key has leaked",
        "The attacker has the key as well and attacks the keyed classifier itself: nothing of it is secret any more.",
        ("White box: all is known", "The attacker has the classifier and attacks it itself: it has no key to hide."),
        (),
        _itself,
    ),
}


def offered(card: ModelCard, models: Collection[str]) -> tuple[str, ...]:
    """The KNOWLEDGE that there can be against a defended classifier: the model to craft on is there, and another one
    where its weights are hidden.

    Args:
        models: ids of the models that there are.
    """
    return tuple(
        name
        for name, each in KNOWLEDGE.items()
        if each.crafted_on(card) in models and (each.crafted_on is _itself or each.crafted_on(card) != card.id)
    )


def crafted_on(knowledge: str, card: ModelCard) -> str:
    """The id of the model that this attacker crafts on against the defended classifier that `card` is of.

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
