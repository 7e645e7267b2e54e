"""What it has cost an attacker to have the model that is attacked, in words."""

from typing import Any

from kerckhoffs.attackers import Cost, crafted_on
from kerckhoffs.ui import models
from kerckhoffs.zoo import ModelCard

FREE = {
    "noise": "It costs nothing.",
    "labels": "It costs queries alone, which are counted as they are asked.",
    "scores": "It costs queries alone, which are counted as they are asked.",
}
NOTHING = "It costs no training and no query."
WORK = {"bypass": "fitting", "recovery": "searching"}  # where it is no training


def price(attacker: str, defended: ModelCard, given: tuple[tuple[str, Any], ...]) -> str:
    """One sentence: what the attacker has spent before the attack begins, or would have to."""
    name = crafted_on(attacker, defended, dict(given))
    if attacker in FREE or name == defended.id:
        return FREE.get(attacker, NOTHING)
    if not models.there(name):
        return "Their model has to be made first."
    return spent(models.cost(name), WORK.get(attacker, "training"))


def spent(cost: Cost, work: str = "training") -> str:
    """A cost in a sentence."""
    said = [f"{span(cost.seconds)} of {work}"] if cost.seconds else []
    said += [f"{cost.queries} {'query' if cost.queries == 1 else 'queries'}"] if cost.queries else []
    return f"Cost so far: {' and '.join(said)}." if said else NOTHING


def span(seconds: float) -> str:
    """A length of time for people."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if whole else "less than a second"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
