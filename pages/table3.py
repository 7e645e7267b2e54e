"""Table 3 of the paper beside what came out here, why, and any row made again."""

import streamlit as st

from kerckhoffs.data import TEST_SAMPLES
from kerckhoffs.evaluation import runs, table3
from kerckhoffs.evaluation.runs import MANIFEST
from kerckhoffs.ui.batch import table3 as batch_table3
from kerckhoffs.ui.batch.choose import command
from kerckhoffs.ui.batch.estimate import duration, estimate
from kerckhoffs.ui.batch.watch import begin, shown, watch
from kerckhoffs.ui.models import cards, need
from kerckhoffs.ui.page import page, panel, sentences

RUN = "table3_run"
SAMPLES = 50  # that a row is made again with, to begin with


def result() -> None:
    """What ships with the program."""
    lines = batch_table3.shipped()
    if lines is None:
        words = "python -m kerckhoffs table3 --out results/table3 --csv results/table3/rows.csv.gz"
        st.info(
            f"The measured table is not here: there is no results/table3. `{words}` makes it.", icon=":material/info:"
        )
        return
    batch_table3.draw(lines, "shipped")
    st.markdown(f"**The likely reason.** {table3.WHY}")
    with st.container(horizontal=True, gap="small"):
        for label, name in (("Summary", "summary.csv"), ("Rows", "rows.csv.gz"), ("Manifest", MANIFEST)):
            if (path := batch_table3.SHIPPED / name).is_file():
                st.download_button(
                    f"{label} ({name.partition('.')[2]})",
                    path.read_bytes,
                    f"table3-{name}",
                    on_click="ignore",
                    icon=":material/download:",
                    key=f"table3_{name}",
                )


def again() -> None:
    """Choose a row and how many samples; run it."""
    every = batch_table3.choices(batch_table3.shipped())
    choices = [each for each in every if set(each.models) <= set(cards())]
    if not choices:
        need(*every[0].models)
    which, many, button = st.columns([3, 1, 1], vertical_alignment="bottom")
    number = which.selectbox(
        "Row",
        range(len(choices)),
        format_func=lambda each: choices[each].words,
        key="table3_row",
        persist_state="session",
    )
    samples = many.number_input("Samples", 1, TEST_SAMPLES, SAMPLES, key="table3_samples", persist_state="session")
    what = (choices[number].experiment(samples),)
    examples, taken = estimate(what)
    st.caption(
        f"{examples} examples, {duration(taken)} on one core. The paper's row has {TEST_SAMPLES} samples; a few "
        "dozen are too few to tell whether the error agrees with it."
    )
    if button.button("Run again", type="primary", icon=":material/replay:", width="stretch", key="table3_start"):
        begin(runs.create(what, command=command(what)), RUN)
        st.rerun()


with page("Table 3", heading="Table 3, made again"):
    with panel(1, "The paper and this program", "table3_result"), sentences():
        result()
    with panel(2, "Make a row again", "table3_again"), sentences():
        if run := shown(RUN):
            watch(run, RUN, batch_table3.results, "Another row")
        else:
            again()
