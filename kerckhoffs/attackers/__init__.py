"""Who attacks: what they know decides the model that an example is crafted on, and what it costs to have it."""

from kerckhoffs.attackers.base import PARTS, Attacker, Target
from kerckhoffs.attackers.crafters import (
    AGAINST,
    MadeCard,
    attacker,
    card,
    check_access,
    cost,
    crafted_on,
    is_made,
    load,
    make,
    offered,
    read,
    resolve,
)
from kerckhoffs.attackers.kept import Cost
from kerckhoffs.attackers.making import Progress
from kerckhoffs.attackers.registry import ALIASES, ATTACKERS

__all__ = [
    "AGAINST",
    "ALIASES",
    "ATTACKERS",
    "PARTS",
    "Attacker",
    "Cost",
    "MadeCard",
    "Progress",
    "Target",
    "attacker",
    "card",
    "check_access",
    "cost",
    "crafted_on",
    "is_made",
    "load",
    "make",
    "offered",
    "read",
    "resolve",
]
