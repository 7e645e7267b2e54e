"""How long a run will take, before it is begun: a measured gradient, times what each attack takes of them."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import streamlit as st
import torch

from kerckhoffs import experiments, zoo
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.engines import JUDGING
from kerckhoffs.experiments import BLOCK, Experiment
from kerckhoffs.ui.play import model, samples

MAX_EXAMPLES = 100_000
MAX_HOURS = 24
STARTING = 8.0  # seconds until a process has loaded everything
REPEATS = 3
EFFORTS = ("iterations", "max_iterations", "max_queries", "starts", "restarts", "binary_search_steps", "passes")
# Rounds of a reference solver with its default options, each of max_iterations: benchmarks/README.md.
ROUNDS = {"cw_l0": 32, "cw_linf": 29}


def effort(attack: str, options: Mapping[str, Any]) -> float:
    """Gradients or queries that an example takes, roughly: the registered cost, scaled by the options that count."""
    entry = ATTACKS[attack]
    defaults = {option.name: option.default for option in entry.options}
    chosen = defaults | dict(options)

    def product(values: Mapping[str, Any]) -> float:
        found = 1.0
        for option in entry.options:
            if option.name in EFFORTS and (option.when is None or values[option.when[0]] == option.when[1]):
                found *= values[option.name]
        return found

    reference = chosen.get("solver") == "reference"
    return entry.cost * product(chosen) / product(defaults) * (ROUNDS.get(attack, 1) if reference else 1)


def work(experiment: Experiment, examples: int) -> float:
    """What some examples of an experiment cost, in gradients of one image."""
    return examples * (effort(experiment.attack, experiment.options) + JUDGING)


@st.cache_data(max_entries=64, show_spinner=False)
def gradient_seconds(model_id: str) -> float:
    """Seconds for one gradient of one image on one core, in blocks as a run does them."""
    crafted_on = model(model_id)
    images = samples(zoo.card(model_id).dataset)[0][:BLOCK].clone().requires_grad_()

    def measure() -> float:
        taken = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            torch.autograd.grad(crafted_on(images).sum(), images)
            taken.append(time.perf_counter() - began)
        return min(taken) / BLOCK

    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as one:
        return one.submit(measure).result()


def estimate(what: Sequence[Experiment]) -> tuple[int, float]:
    """How many examples some experiments are, and how many seconds one core takes for them, roughly.

    Raises:
        ValueError: if that is more than is done here.
    """
    cards = zoo.models()
    blocks = experiments.blocks(what, cards)
    examples = sum(block.examples for block in blocks)
    if examples > MAX_EXAMPLES:
        raise ValueError(
            f"this makes {examples} examples, more than the {MAX_EXAMPLES} that are made here; choose fewer attacks, "
            "models, targets, seeds or samples, or use the command line"
        )
    taken = STARTING + sum(
        work(what[block.experiment], block.examples) * gradient_seconds(what[block.experiment].crafted_on)
        for block in blocks
    )
    if taken > 3600 * MAX_HOURS:
        raise ValueError(
            f"this takes {duration(taken)}, more than the {MAX_HOURS} hours that are spent here; choose fewer samples "
            "or weaker options, or use the command line with more workers"
        )
    return examples, taken


def duration(taken: float) -> str:
    """Seconds for people, with no more digits than an estimate has."""
    if taken < 90:
        return f"about {max(round(taken / 5) * 5, 5)} s"
    if taken < 5400:
        return f"about {taken / 60:.0f} min"
    return f"about {taken / 3600:.1f} hours"
