"""Adversarial attacks, one file each. To add one, write its file and list its entry here.

Menus, the command line and the contract tests walk the registry. attacks/base.py says what an attack is.
"""

from kerckhoffs.attacks.base import Attack, OnStep, Option, Step
from kerckhoffs.attacks.cw_l2 import CW_L2, cw_l2
from kerckhoffs.attacks.fgsm import FGSM, fgsm

__all__ = ["ATTACKS", "Attack", "OnStep", "Option", "Step", "cw_l2", "fgsm"]

ATTACKS: dict[str, Attack] = {
    attack.id: attack
    for attack in (
        FGSM,
        CW_L2,
    )
}
