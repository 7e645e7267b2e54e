"""What a black-box attack had after so many queries: the distance of its example, or what is left of the true class."""

from functools import lru_cache

import streamlit as st
import torch

from kerckhoffs.attacks import ATTACKS, Step
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluation.judge import predict
from kerckhoffs.evaluation.metrics import distances
from kerckhoffs.plots import charts
from kerckhoffs.ui.jobs import Job
from kerckhoffs.ui.models import model
from kerckhoffs.ui.play.experiment import Experiment

FEW = 3  # points that are no curve


def bad(step: Step) -> str:
    """How many of the queries so far the model did not answer as the attack wants, in words; "" if none is counted."""
    return "" if step.bad_queries is None else f", {int(step.bad_queries[0])} of them bad"


def curve(experiment: Experiment, job: Job) -> None:
    """Draw it for an attack that has ended and asked; nothing for others."""
    queries, values = _values(experiment, job)
    if len(queries) < FEW:
        return
    attack, whose = ATTACKS[experiment.attack], experiment.names[experiment.crafted_on]
    minimal = attack.kind == "minimal"
    wanted = experiment.label if experiment.target is None else experiment.target
    called = DATASETS[experiment.dataset].classes[wanted]
    name = f"{attack.norm.replace('linf', 'l∞')} distance" if minimal else f"P({called})"
    what = (
        f"distance of the smallest example that misleads the {whose}"
        if minimal
        else f"probability of {called} by the {whose}, on which it is crafted,"
    )
    st.caption(f"The {what} after so many queries. A bad query is one that is not answered as the attack wants.")
    st.plotly_chart(
        charts.query_curve(queries, values, name, None if minimal else 1.02),
        key="query_curve",
        config={"displayModeBar": False},
        alt=f"The {what} against the number of queries",
    )


@lru_cache(maxsize=8)
def _values(experiment: Experiment, job: Job) -> tuple[list[int], list[float | None]]:
    """Queries, and what there was after them, at the steps of an ended job that are kept."""
    steps = [step for step in job.steps if step.queries is not None]
    if not steps:
        return [], []
    queries = [int(step.queries[0]) for step in steps if step.queries is not None]
    best = torch.cat([step.best for step in steps])
    attack = ATTACKS[experiment.attack]
    if attack.kind != "minimal":
        wanted = experiment.label if experiment.target is None else experiment.target
        return queries, predict(model(experiment.crafted_on), best)[:, wanted].tolist()
    size = getattr(distances(experiment.image.expand_as(best), best), attack.norm).tolist()
    return queries, [value or None for value in size]  # unchanged is no example
