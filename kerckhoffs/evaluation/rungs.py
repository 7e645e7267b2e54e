"""What to evaluate: at each rung the same samples, the same budget in linf, and the attacks below.

A rung is an attacker (attackers.ATTACKERS). For those who craft on models of their own all classifiers are shown the
same examples; who asks a classifier, or has something of it, attacks each for itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerckhoffs import attackers
from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.evaluation.experiments import Experiment
from kerckhoffs.zoo import ModelCard

EPSILONS = {"mnist": (0.1, 0.2, 0.3), "fashion-mnist": (0.05, 0.1)}
QUERIES = (100, 300, 1000)
KEYS = (2, 4, 8)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
ALL: dict[str, Any] = {"perturb_all": True}
CARRIED: tuple[tuple[str, dict[str, Any]], ...] = (("fgsm", ALL), ("mi_fgsm", ALL))
"""By gradients of another model, or of the mean of several: one step, and ten with momentum; what fails where it was
crafted counts too. Forty steps, at four times the price, follow that model more closely; that they carry over better
was not seen where they were tried."""
GRADIENTS = (*CARRIED, ("pgd", ALL))
"""By gradients of what is attacked itself: forty steps from a random start, too."""
KNOWN = ("bypass", "recovery", "part-of-key", "key")
"""Who has the weights: their like against a control, which has no key, has everything."""


@dataclass(frozen=True)
class Rung:
    """An attacker with options and attacks, each an id with its options but epsilon."""

    attacker: str
    attacks: tuple[tuple[str, Mapping[str, Any]], ...] = CARRIED
    options: Mapping[str, Any] = field(default_factory=dict)

    def against(self, card: ModelCard) -> bool:
        """Whether it makes sense against a classifier."""
        return ATTACKERS[self.attacker].against(card.entry)


def asking(attack: str, queries: Iterable[int]) -> tuple[tuple[str, dict[str, Any]], ...]:
    """An attack by queries at each of these budgets."""
    return tuple((attack, {"max_queries": each}) for each in queries)


def rungs(
    *,
    queries: Sequence[int] = QUERIES,
    keys: Sequence[int] = KEYS,
    shares: Sequence[float] = SHARES,
    samples: Sequence[int] = (),
) -> tuple[Rung, ...]:
    """All rungs, from noise to the key, with the curves along queries, own keys, the leaked share and own data.

    Args:
        queries: budgets of the black boxes and of the substitute.
        keys: how many of their own an attacker has.
        shares: of the key.
        samples: training samples of the attacker with one own key, beside all.
    """
    return (
        Rung("noise", (("noise", ALL),)),
        Rung("labels", asking("rays", queries)),
        Rung("scores", asking("square", queries)),
        *(Rung("data", options={"network": each}) for each in ("linear", "mlp", "cnn")),
        Rung("twin"),
        Rung("twin-alike"),
        *(Rung("own-key", options={"samples": each}) for each in samples),
        Rung("own-key"),
        Rung("own-key-alike"),
        *(Rung("own-keys", options={"number": each}) for each in keys),
        *(Rung("substitute", options={"queries": each}) for each in queries),
        Rung("bypass"),
        Rung("recovery"),
        *(Rung("part-of-key", GRADIENTS if each == 1 else CARRIED, {"share": each}) for each in shares),
        Rung("key", GRADIENTS),
    )


def plan(
    keyed: Sequence[ModelCard],
    controls: Sequence[ModelCard],
    ladder: Sequence[Rung],
    *,
    epsilons: Sequence[float],
    samples: int,
    start: int = 0,
    seed: int = 0,
) -> tuple[Experiment, ...]:
    """What to evaluate.

    Args:
        keyed: the defended classifiers, of one set, network and defence: one for each key.
        controls: classifiers without a key.
        epsilons: linf budgets. An attack for the smallest change runs once for all of them.

    Raises:
        ValueError: if there is nothing to do.
    """
    found: dict[Experiment | tuple[Any, ...], Experiment] = {}
    everyone = (*keyed, *controls)
    for rung in ladder:
        pairs: list[tuple[str, tuple[str, ...]]] = []
        if ATTACKERS[rung.attacker].alone:
            pairs = [(_of(rung, card), (card.id,)) for card in everyone if _of(rung, card)]
        elif rung.against(keyed[0]):
            crafted = attackers.crafted_on(rung.attacker, keyed[0], rung.options)
            pairs = [(crafted, tuple(card.id for card in everyone if card.id != crafted))]
        for crafted, evaluated in pairs:
            for attack, options in rung.attacks:
                budgets = [{}] if ATTACKS[attack].kind == "minimal" else [{"epsilon": each} for each in epsilons]
                for budget in budgets:
                    made = Experiment(
                        attack, crafted, evaluated, {**options, **budget}, seed=seed, start=start, stop=start + samples
                    )
                    found[(attack, crafted, evaluated, made.named_options())] = made
    if not found:
        raise ValueError("there is nothing to evaluate: name rungs that make sense against these classifiers")
    return tuple(found.values())


def _of(rung: Rung, card: ModelCard) -> str:
    """What an attacker who attacks each classifier for itself crafts on; "" if nothing. A control's weights and its all
    are the same."""
    if not card.keyed and rung.attacker in KNOWN:
        return card.id if rung.attacker == "key" else ""
    return attackers.crafted_on(rung.attacker, card, rung.options) if rung.against(card) else ""


def to_make(what: Iterable[Experiment], folder: str | Path | None = None) -> list[str]:
    """The ids of what attackers have to make first."""
    made = dict.fromkeys(each.crafted_on for each in what if attackers.is_made(each.crafted_on))
    return [id_ for id_ in made if not attackers.read(id_, folder).made]
