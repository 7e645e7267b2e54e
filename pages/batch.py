"""Batch: many samples, attacks and models at once, in a process of its own; tables, figures and files of the rows."""

import streamlit as st

from kerckhoffs.evaluation import runs
from kerckhoffs.ui import link
from kerckhoffs.ui.batch.choose import choose, command
from kerckhoffs.ui.batch.estimate import duration, estimate
from kerckhoffs.ui.batch.results import results
from kerckhoffs.ui.batch.watch import begin, mine, shown, watch
from kerckhoffs.ui.page import page

RUN = "batch_run"


def new_batch() -> None:
    """Choose, see how long it takes, and start."""
    chosen = choose()
    if chosen is None:
        return
    examples, taken = estimate(chosen.experiments)
    evaluated = len(chosen.experiments[0].evaluated_on)
    button, words = st.columns([1, 4], vertical_alignment="center")
    words.markdown(
        f"**{examples} {'examples' if examples > 1 else 'example'}**, each shown to {evaluated} "
        f"{'models' if evaluated > 1 else 'model'}: "
        f"**{duration(taken)}** on one core, if no other batch waits before it."
    )
    if button.button("Start", type="primary", icon=":material/play_arrow:", width="stretch", key="batch_start_button"):
        run = runs.create(chosen.experiments, command=command(chosen.experiments), uploaded=chosen.uploaded)
        begin(run, RUN)
        st.rerun()


with page("Batch", heading="Attacks on many samples"):
    link.arrive()
    if run := shown(RUN):
        watch(run, RUN, results, "New batch")
    else:
        mine()
        new_batch()
