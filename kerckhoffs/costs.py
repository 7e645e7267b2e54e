"""What examples cost, in gradients of one image, roughly: for the time that is left, and for estimates beforehand."""

from collections.abc import Mapping
from typing import Any

from kerckhoffs.attacks import ATTACKS
from kerckhoffs.experiments import Experiment

JUDGING = 10  # what judging an example costs, in gradients
EFFORTS = ("iterations", "max_iterations", "max_queries", "starts", "restarts", "binary_search_steps", "passes")
# Rounds of a reference solver with its default options, each of max_iterations: benchmarks/README.md.
ROUNDS = {"cw_l0": 32, "cw_linf": 29}
# How many times the steps of a start the best example takes alone, after all starts: attacks/walk.py.
ALONE = {"cw_l2": 2}


def effort(attack: str, options: Mapping[str, Any]) -> float:
    """Gradients or queries that an example takes: the registered cost, scaled by the options that count."""
    entry = ATTACKS[attack]
    defaults = {option.name: option.default for option in entry.options}
    chosen = defaults | dict(options)

    def product(values: Mapping[str, Any]) -> float:
        found = 1.0
        for option in entry.options:
            if option.name in EFFORTS and (option.when is None or values[option.when[0]] == option.when[1]):
                alone = ALONE.get(attack, 0) if option.name == "starts" else 0
                found *= (values[option.name] + alone) / (1 + alone)
        return found

    reference = chosen.get("solver") == "reference"
    return entry.cost * product(chosen) / product(defaults) * (ROUNDS.get(attack, 1) if reference else 1)


def work(experiment: Experiment, examples: int) -> float:
    """What some examples of an experiment cost, with the judging."""
    return examples * (effort(experiment.attack, experiment.options) + JUDGING)
