"""What a run has found: the summary, the figures, the files to take away."""

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from kerckhoffs.evaluation import flags, summaries, tables
from kerckhoffs.evaluation.flags import Raised
from kerckhoffs.evaluation.runs import MANIFEST, Run
from kerckhoffs.plots import runs as plots_runs
from kerckhoffs.plots.runs import BUDGETS, NORMS
from kerckhoffs.ui import foreign
from kerckhoffs.ui.batch.rows import explorer
from kerckhoffs.ui.batch.runner import Status
from kerckhoffs.ui.page import panel

SEEN = 10  # sentences of one warning
UPDATES = 20  # summaries of a running run, at most: each reads all that is done

Figures = dict[str, Callable[[], go.Figure]]


@st.cache_resource(max_entries=4, show_spinner=False)
def rows(_run: Run, kept: str) -> pd.DataFrame:
    """The rows that are done; shared, so nobody may write into them."""
    return _run.rows()


@st.cache_data(max_entries=64, show_spinner=False)
def summary(_run: Run, kept: str) -> pd.DataFrame:
    """The summary of what is done."""
    return summaries.summarise(_run.rows(summaries.NEEDED))


@st.cache_resource(max_entries=64, show_spinner=False)
def warned(_run: Run, kept: str) -> list[Raised]:
    """What to be wary of in what is done."""
    return flags.raised(_run.rows(flags.NEEDED))


def kept(run: Run, done: int | None = None) -> str:
    """What names the rows of a run: its folder, and the files that are in it, or only how many are done so far.

    What the run says of itself names nothing: a copy of it says the same.
    """
    files = sorted(path.name for path in run.shards().values()) if done is None else [str(done)]
    return "\n".join([str(run.folder.absolute()), run.seal, *files])


def results(run: Run, status: Status) -> None:
    """Everything that there is of a run so far; the whole once it does not work any more."""
    done = len(run.shards())
    if done == 0:
        st.caption("There are no rows yet.")
        return
    if status.busy:
        done -= done % max(len(run.blocks) // UPDATES, 1)
        if done:
            st.markdown("**So far**")
            now = kept(run, done)
            table(summary(run, now))
            warnings(warned(run, now))
        return
    now = kept(run)
    counted, found = summary(run, now), warned(run, now)
    with panel(1, "Summary", "batch_summary"):
        table(counted)
        warnings(found)
    with panel(2, "Figures", "batch_figures"):
        norm = figures(counted, rows(run, now))
    with panel(3, "Single images", "batch_explorer"):
        explorer(run, rows(run, now))
    with panel(4, "Take it away", "batch_files"):
        downloads(run, flags.marked(counted, found), lambda: drawn(counted, rows(run, now), norm))


def table(counted: pd.DataFrame) -> None:
    """The summary for people."""
    st.dataframe(
        summaries.report(counted),
        hide_index=True,
        height="content" if len(counted) < 12 else 460,
        key="batch_table",
        alt="Summary: an attack, what it was crafted on and evaluated on, and shares in percent with intervals",
    )
    st.caption(
        "Percent with 95 % intervals. **Clean** and **attacked error**: read wrong before and after the attack, of all "
        "examples. **Attack success**: turned wrong, into any class, of those right before. **Crafted-on success**: "
        "did what they were made to do on the crafted-on model, of all; with a target, that is to be read as the "
        "target. **Transfer**: turned wrong, of those that were right before and had crafted-on success, where "
        "there was something to attack. An attack "
        "that fails where it was crafted says nothing about another model. Medians count failures as infinite."
    )


def warnings(found: Sequence[Raised]) -> None:
    """What to be wary of in these results, if there is anything."""
    for each in found:
        seen = [f"- {seen.words(foreign.code)}" for seen in each.seen[:SEEN]]
        more = len(each.seen) - len(seen)
        seen += [f"- {more} more; the file of the summary says which lines they are about."] * (more > 0)
        said = "\n".join(seen)
        st.warning(f"**{each.flag.title}.** {each.flag.means}\n\n{said}", icon=":material/warning:")
        st.caption(f"Raised if: {each.flag.raised_if}")


def figures(counted: pd.DataFrame, all_rows: pd.DataFrame) -> str:
    """The figures, one at a time; returns the norm in which sizes are shown."""
    heading, size = st.columns([3, 1], vertical_alignment="bottom")
    norm = size.segmented_control(
        "Size of a change", list(NORMS), default="linf", required=True, key="batch_norm", persist_state="session"
    )
    assert norm is not None
    shown = drawn(counted, all_rows, norm)
    name = heading.segmented_control(
        "Figure",
        list(shown),
        default=next(iter(shown)),
        required=True,
        key="batch_figure",
        label_visibility="collapsed",
    )
    assert name is not None
    st.plotly_chart(shown[name](), key=f"batch_chart_{name}", config={"displayModeBar": False}, alt=name)
    st.caption(SAYS.get(name, "Error after the attack, with its 95 % interval, for each value that was tried."))
    return norm


BY_MODEL, SIZES, WITHIN = "Error by attack and model", "Sizes of changes", "Fooled within a size"
SAYS = {
    BY_MODEL: "Error after the attack, with its 95 % interval; what it was before is shown under the pointer.",
    SIZES: "Examples that worked on the crafted-on model: median, quartiles, and the whiskers hold 90 %.",
    WITHIN: "Of the samples that were read right: the share that fools the model with a change of at most so much.",
}


def drawn(counted: pd.DataFrame, all_rows: pd.DataFrame, norm: str) -> Figures:
    """The figures by their headings, each drawn when it is called."""
    found: Figures = {
        BY_MODEL: partial(plots_runs.errors, counted),
        SIZES: partial(plots_runs.distortions, all_rows, norm),
        WITHIN: partial(plots_runs.fooled_within, all_rows, norm),
    }
    for budget in BUDGETS:
        if plots_runs.curves(counted, budget):
            found[f"By {budget.replace('_', ' ')}"] = partial(plots_runs.errors_by, counted, budget)
    return found


def downloads(run: Run, counted: pd.DataFrame, draw: Callable[[], Figures]) -> None:
    """Files of the run, each made when its button is pressed."""
    name = f"kerckhoffs-{run.id[:15]}"
    files: tuple[tuple[str, Callable[[], str | bytes], str, str], ...] = (
        ("Rows (.csv)", lambda: tables.csv(run.rows()), f"{name}-rows.csv", "text/csv"),
        ("Summary (.csv)", lambda: tables.csv(counted), f"{name}-summary.csv", "text/csv"),
        ("Manifest (.json)", lambda: (run.folder / MANIFEST).read_bytes(), f"{name}.json", "application/json"),
        (
            "Figures (.html)",
            lambda: plots_runs.html({title: figure() for title, figure in draw().items()}, name),
            f"{name}-figures.html",
            "text/html",
        ),
    )
    with st.container(horizontal=True, gap="small"):
        for label, content, file_name, kind in files:
            st.download_button(
                label, content, file_name, kind, on_click="ignore", icon=":material/download:", key=f"batch_{label}"
            )
    st.caption(
        "In the rows, `success` says whether the evaluated model reads the target, or any wrong class where there is "
        "no target. In the summary, `warnings` names those that are about a line. The same on a command line:"
    )
    st.code(foreign.visible(run.command, 20_000), language="bash", wrap_lines=True)
