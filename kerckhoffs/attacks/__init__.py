"""Adversarial attacks, one file each. To add one, write its file and its entry in ATTACKS.

Menus, the command line and the contract tests walk the registry. attacks/base.py says what an attack is.
"""

from kerckhoffs.attacks.base import Attack, OnStep, Option, Step
from kerckhoffs.attacks.cw_l2 import cw_l2
from kerckhoffs.attacks.fgsm import fgsm

__all__ = ["ATTACKS", "Attack", "OnStep", "Option", "Step", "cw_l2", "fgsm"]

ATTACKS: dict[str, Attack] = {
    attack.id: attack
    for attack in (
        Attack(
            id="fgsm",
            name="FGSM",
            norm="linf",
            kind="budget",
            access="gradients",
            targeted=True,
            options=(
                Option("epsilon", float, 0.3, 0.0, 1.0, "The largest change of a pixel."),
                Option("perturb_all", bool, False, 0, 1, "Return failed examples too, as the paper's table counts."),
            ),
            source="Goodfellow et al. 2015; the paper, equation (4); CleverHans' tutorial for epsilon",
            cost=1,
            function=fgsm,
        ),
        Attack(
            id="cw_l2",
            name="Carlini-Wagner l2",
            norm="l2",
            kind="minimal",
            access="gradients",
            targeted=True,
            options=(
                Option("confidence", float, 0.0, 0.0, 100.0, "By how many logits the wrong class must lead (kappa)."),
                Option("learning_rate", float, 1e-2, 1e-5, 1.0, "Adam's step size."),
                Option("binary_search_steps", int, 9, 1, 20, "How many values of the constant c are tried."),
                Option("max_iterations", int, 1000, 1, 100_000, "Gradient steps for each c, at most."),
                Option("initial_const", float, 1e-3, 1e-9, 1e6, "The first c."),
            ),
            source="Carlini and Wagner 2017, section 6.A; the paper, equations (5) and (6)",
            cost=5000,
            function=cw_l2,
        ),
    )
}
