"""The attackers in the order of the ladder: from nothing to the key. To add one, write its file and its line here."""

from kerckhoffs.attackers.answers import LABELS, NOISE, SCORES
from kerckhoffs.attackers.base import Attacker
from kerckhoffs.attackers.leaked import KEY, PART_OF_KEY
from kerckhoffs.attackers.substitute import SUBSTITUTE
from kerckhoffs.attackers.surrogates import OWN_KEY, OWN_KEY_ALIKE, OWN_KEYS
from kerckhoffs.attackers.twins import DATA, TWIN, TWIN_ALIKE
from kerckhoffs.attackers.weights import BYPASS, RECOVERY

ATTACKERS: dict[str, Attacker] = {
    attacker.id: attacker
    for attacker in (
        NOISE,
        LABELS,
        SCORES,
        DATA,
        TWIN,
        TWIN_ALIKE,
        OWN_KEY,
        OWN_KEY_ALIKE,
        OWN_KEYS,
        SUBSTITUTE,
        BYPASS,
        RECOVERY,
        PART_OF_KEY,
        KEY,
    )
}

ALIASES = {"black-box": "scores", "gray-box": "twin", "wrong-key": "own-key", "white-box": "key"}
"""What addresses called four of them before there was a ladder."""
