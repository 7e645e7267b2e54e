"""What examples cost, in gradients of one image, roughly: for the time that is left, and for estimates beforehand."""

import math
from collections.abc import Mapping
from typing import Any

from kerckhoffs.attacks import ATTACKS
from kerckhoffs.attacks.walk import gradients
from kerckhoffs.evaluation.experiments import Experiment

JUDGING = 10  # what judging an example costs, in gradients
EFFORTS = (
    "iterations",
    "max_iterations",
    "max_queries",
    "starts",
    "restarts",
    "binary_search_steps",
    "search_steps",
    "passes",
)
# Rounds of a reference solver with its default options, each of max_iterations: benchmarks/README.md.
ROUNDS = {"cw_l0": 32, "cw_linf": 29}
WALKS = {"cw_l2": 2.0, "cw_linf": math.inf}  # whose fast solver is attacks/walk.py, and in which norm


def effort(attack: str, options: Mapping[str, Any]) -> float:
    """Gradients or queries that an example takes: the registered cost, scaled by the options that count."""
    entry = ATTACKS[attack]
    defaults = {option.name: option.default for option in entry.options}
    chosen = defaults | dict(options)

    def product(values: Mapping[str, Any]) -> float:
        found: float = math.prod(
            values[option.name]
            for option in entry.options
            if option.name in EFFORTS and (option.when is None or values[option.when[0]] == option.when[1])
        )
        return found

    if chosen.get("solver") == "reference":
        return product(chosen) * ROUNDS.get(attack, 1)
    if attack in WALKS:
        return gradients(WALKS[attack], chosen["iterations"], chosen["starts"])
    return entry.cost * product(chosen) / product(defaults)


def work(experiment: Experiment, examples: int) -> float:
    """What some examples of an experiment cost, with the judging."""
    return examples * (effort(experiment.attack, experiment.options) + JUDGING)
