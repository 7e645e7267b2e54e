"""The ladder: what is left of a defence against attackers who know more and more, and what of it is the key's merit."""

import streamlit as st

from kerckhoffs.evaluation import runs
from kerckhoffs.ui import ladder
from kerckhoffs.ui.batch.choose import command
from kerckhoffs.ui.batch.estimate import duration, estimate
from kerckhoffs.ui.batch.watch import begin, shown, watch
from kerckhoffs.ui.page import page, panel, sentences

RUN = "ladder_run"


def climb() -> None:
    """Choose a classifier and rungs, see how long it takes, and start."""
    what = ladder.choose()
    if not what:
        return
    examples, taken = estimate(what)
    button, words = st.columns([1, 4], vertical_alignment="center")
    words.markdown(f"**{examples} examples: {duration(taken)}** on one core, if no other batch waits before it.")
    if button.button("Climb", type="primary", icon=":material/stairs:", width="stretch", key="ladder_start"):
        begin(runs.create(what, command=command(what)), RUN)
        st.rerun()
    st.caption(
        "Rungs whose models have to be made first are made in Play, or by `python -m kerckhoffs ladder`, which makes "
        "all of them."
    )


with page("Ladder", heading="From nothing to the key"):
    if run := shown(RUN):
        watch(run, RUN, ladder.results, "Another ladder")
    else:
        with panel(1, "What was measured", "ladder_measured"), sentences():
            ladder.measured()
        with panel(2, "The examples of a point", "ladder_examples"), sentences():
            ladder.examples()
        with panel(3, "Climb it yourself", "ladder_climb"), sentences():
            climb()
