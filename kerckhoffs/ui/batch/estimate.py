"""How long a run will take, before it is begun: a measured gradient, times what each attack takes of them."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import streamlit as st
import torch

from kerckhoffs.evaluation import costs
from kerckhoffs.evaluation.experiments import BLOCK, Experiment, examples_of_a_sample
from kerckhoffs.ui.models import card, model, samples

MAX_EXPERIMENTS, MAX_EXAMPLES = 1000, 100_000
MAX_HOURS = 24
STARTING = 8.0  # seconds until a process has loaded everything
REPEATS = 3


@st.cache_data(max_entries=64, show_spinner=False)
def gradient_seconds(model_id: str) -> float:
    """Seconds for one gradient of one image on one core, in blocks as a run does them."""
    crafted_on = model(model_id)
    images = samples(card(model_id).dataset)[0][:BLOCK].clone().requires_grad_()

    def measure() -> float:
        taken = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            torch.autograd.grad(crafted_on(images).sum(), images)
            taken.append(time.perf_counter() - began)
        return min(taken) / BLOCK

    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as one:
        return one.submit(measure).result()


def check_size(experiments: int, examples: int) -> None:
    """Refuse a grid that is too large to be built and run here.

    Raises:
        ValueError: naming how much it is.
    """
    for number, most, words in (
        (examples, MAX_EXAMPLES, "examples"),
        (experiments, MAX_EXPERIMENTS, "combinations of attack, model, targets and seed"),
    ):
        if number > most:
            raise ValueError(
                f"this makes {number} {words}, more than the {most} that are made here; choose fewer attacks, models, "
                "targets, seeds or samples, or use the command line"
            )


def estimate(what: Sequence[Experiment]) -> tuple[int, float]:
    """How many examples some experiments are, and how many seconds one core takes for them, roughly.

    Raises:
        ValueError: if that is more than is done here.
    """
    examples = [each.samples * examples_of_a_sample(each.targets, card(each.crafted_on).dataset) for each in what]
    check_size(len(what), sum(examples))
    taken = STARTING + sum(
        costs.work(each, number) * gradient_seconds(each.crafted_on)
        for each, number in zip(what, examples, strict=True)
    )
    if taken > 3600 * MAX_HOURS:
        raise ValueError(
            f"this takes {duration(taken)}, more than the {MAX_HOURS} hours that are spent here; choose fewer samples "
            "or weaker options, or use the command line with more workers"
        )
    return sum(examples), taken


def duration(taken: float) -> str:
    """Seconds for people, with no more digits than an estimate has."""
    if taken < 90:
        return f"about {max(round(taken / 5) * 5, 5)} s"
    if taken < 5400:
        return f"about {taken / 60:.0f} min"
    return f"about {taken / 3600:.1f} hours"
