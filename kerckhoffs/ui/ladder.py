"""The ladder on its page: what was measured, by rung, along queries, keys and shares; the rows of any point; and a
small ladder of one's own."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from kerckhoffs import attackers, places
from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.checks import FileRefused
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluation import flags, ladder, lessons, tables
from kerckhoffs.evaluation.examples import COLUMNS
from kerckhoffs.evaluation.experiments import Experiment
from kerckhoffs.evaluation.flags import Raised
from kerckhoffs.evaluation.ladder import Rung
from kerckhoffs.evaluation.runs import Run
from kerckhoffs.plots import ladder as drawn
from kerckhoffs.ui import models
from kerckhoffs.ui.batch.results import kept, rows, warned, warnings
from kerckhoffs.ui.batch.rows import explorer, play_address
from kerckhoffs.ui.batch.runner import Status
from kerckhoffs.ui.page import panel
from kerckhoffs.zoo import ModelCard

SHIPPED = places.shipped("results") / "ladder"
ROWS = ".rows.csv.gz"
SHOWN = 50  # rows of a point
QUERIES = (100, 300)  # of a ladder that is made on the page


@st.cache_data(max_entries=8, show_spinner=False)
def table(path: str, changed: int) -> pd.DataFrame:
    """The points of a file, or its lines.

    Args:
        changed: when the file was, so that another one under the same name is read.

    Raises:
        FileRefused: if it is damaged.
    """
    try:
        return (ladder.read_lines if path.endswith(ladder.ATTACKS) else ladder.read_points)(Path(path))
    except (OSError, EOFError, zlib.error, ValueError, KeyError) as error:
        raise FileRefused(f"the shipped file results/ladder/{Path(path).name} is damaged; restore it") from error


def measured() -> None:
    """What ships with the program."""
    files = ladder.measured(SHIPPED)
    if not files:
        words = "python -m kerckhoffs ladder mnist-table1-keyed --control CONTROL --points FILE"
        st.info(f"No measured ladder is here. `{words}` makes one.", icon=":material/info:")
        return
    which = st.segmented_control("Measured on", list(files), default=next(iter(files)), key="ladder_of", required=True)
    path = files[which or next(iter(files))]
    show(table(str(path), path.stat().st_mtime_ns), "shipped")
    attacks, beside = (path.with_name(f"{path.stem}{ending}") for ending in (ladder.ATTACKS, ROWS))
    if beside.is_file():
        warnings(_raised(str(beside), beside.stat().st_mtime_ns))
    with st.container(horizontal=True, gap="small"):
        for label, file in (("Rungs", path), ("Attacks", attacks), ("Rows", beside)):
            if file.is_file():
                name = file.name
                st.download_button(
                    f"{label} ({name.partition('.')[2]})",
                    file.read_bytes,
                    f"ladder-{name}",
                    on_click="ignore",
                    icon=":material/download:",
                    key=f"ladder_{name}",
                )


def show(found: pd.DataFrame, key: str) -> None:
    """What it comes to at a budget, the figure, the table, the curves and the lessons.

    Args:
        found: as evaluation.ladder.points gives them.
    """
    epsilons = sorted(found["epsilon"].unique())
    if not epsilons:
        st.caption("There are no points yet.")
        return
    epsilon = st.segmented_control(
        "Budget",
        epsilons,
        default=epsilons[len(epsilons) // 2],
        format_func="ε = {:g} (linf)".format,
        key=f"{key}_epsilon",
        required=True,
    )
    epsilon = epsilons[0] if epsilon is None else epsilon
    at = found[found["epsilon"] == epsilon]
    rungs, levels = at[at["level"] == ""], at[at["level"] != ""]
    if len(levels):
        _shown(levels, f"{key}_levels", "What it comes to, by what is known: attacked error, the control's, advantage")
        st.caption(
            "**What it comes to.** By what the attacker knows, the strongest of all that was tried with it: whoever "
            "has more can also do what those do who have less. The control has no key and is attacked by whoever knows "
            "as much of it; from the weights on nothing of it is hidden."
        )
    st.plotly_chart(
        drawn.figure(found, epsilon),
        key=f"{key}_figure",
        config={"displayModeBar": False},
        alt="Error after the attack at each rung of what the attacker knows, and the key advantage, with intervals",
    )
    st.caption(
        "From knowing nothing (top) to having the key (bottom), rung by rung: the same samples, the same largest "
        "change of a pixel, and the strongest of the attacks that were tried on that rung; the table has all of them. "
        "**Key advantage**: attacked error of the control, which has no key, minus that of the keyed classifier, each "
        "under the attack that does most to it, in points; right of 0 the key helped. Against who has the weights or "
        "more, the control, which has nothing to hide, is attacked as known. 95 % intervals, over samples and, where "
        "there are several, over keys."
    )
    _shown(rungs, f"{key}_table", "The ladder as a table: attacked error, the control's and key advantage of each rung")
    curves = [what for what in drawn.CURVES if not drawn.along(found, epsilon, what).empty]
    for tab, what in zip(
        st.tabs([f"Along: {drawn.CURVES[each][0]}" for each in curves]) if curves else (), curves, strict=True
    ):
        tab.plotly_chart(
            drawn.curve(found, epsilon, what),
            key=f"{key}_{what}",
            config={"displayModeBar": False},
            alt=f"Error after the attack against {drawn.CURVES[what][0]}",
        )
    with st.expander("What each rung shows", icon=":material/school:"):
        for name in dict.fromkeys(at["attacker"]):
            st.markdown(f"**{ATTACKERS[name].name}.** {lessons.lesson(name, found, epsilon)}")


def _shown(points: pd.DataFrame, key: str, alt: str) -> None:
    table = ladder.report(points).drop(columns="epsilon")
    st.dataframe(
        table,
        hide_index=True,
        height="content" if len(table) < 12 else 420,
        key=key,
        alt=f"{alt} in percent, with intervals",
    )


def choose() -> tuple[Experiment, ...]:
    """A ladder of one's own: the classifier, its control, and the rungs that need nothing to be made."""
    defended = [card for card in models.listed() if card.keyed and not card.entry.by_attacker]
    if not defended:
        st.info("There is no classifier with a key here.", icon=":material/info:")
        return ()
    which, many, budget = st.columns([3, 1, 1], vertical_alignment="bottom")
    number = which.selectbox(
        "Defended classifier",
        range(len(defended)),
        format_func=lambda each: defended[each].title,
        key="ladder_model",
        persist_state="session",
        filter_mode="contains",
    )
    card = defended[number]
    samples = many.number_input("Samples", 1, 1000, 20, key="ladder_samples", persist_state="session")
    epsilon = budget.number_input("ε", 0.01, 1.0, 0.2, 0.05, key="ladder_budget", persist_state="session")
    rungs = possible(card)
    names = [drawn.rung_words(rung.attacker, _options(rung)) for rung in rungs]
    chosen = st.multiselect(
        "Rungs", range(len(rungs)), range(len(rungs)), format_func=names.__getitem__, key=f"ladder_rungs_{card.id}"
    )
    if not chosen:
        st.info("Choose at least one rung.", icon=":material/info:")
        return ()
    beside = models.control(card)
    controls = [models.card(beside)] if beside else []
    return ladder.plan([card], controls, [rungs[each] for each in chosen], epsilons=(epsilon,), samples=int(samples))


def possible(card: ModelCard) -> list[Rung]:
    """The rungs against a classifier that need nothing to be made, and that may be shown of its key."""
    shown = models.attackers(card)
    every = ladder.rungs(queries=QUERIES, shares=(0.0, 0.5, 0.9))
    found = []
    for rung in every:
        if rung.attacker not in shown or not rung.against(card):
            continue
        id_ = attackers.crafted_on(rung.attacker, card, rung.options)
        if not attackers.is_made(id_) or attackers.read(id_).made:
            found.append(rung)
    return found


def _options(rung: Rung) -> str:
    return ":".join(f"{name}={value}" for name, value in ATTACKERS[rung.attacker].chosen(rung.options).items())


def results(run: Run, status: Status) -> None:
    """The ladder of a run so far; its rows too once it does not work any more."""
    if not run.shards():
        st.caption("There are no rows yet.")
        return
    now = kept(run)
    made = rows(run, now)
    show(ladder.points_of(made, run.experiments, run.cards), "own")
    warnings(warned(run, now))
    if not status.busy:
        with panel(3, "The examples of each point", "ladder_rows"):
            explorer(run, made)


def examples() -> None:
    """The rows of a point of a shipped ladder, each with its way into Play."""
    which = st.session_state.get("ladder_of")
    path, rows_path = (SHIPPED / f"{which}{ending}" for ending in (ladder.ATTACKS, ROWS))
    if which not in ladder.measured(SHIPPED) or not (path.is_file() and rows_path.is_file()):
        st.caption("The rows are not here.")
        return
    found = table(str(path), path.stat().st_mtime_ns)
    points = found.to_dict("records")
    number = st.selectbox(
        "Point",
        range(len(points)),
        format_func=lambda each: _point(points[each]),
        key="ladder_point",
        filter_mode="contains",
    )
    there, point = _shipped_rows(str(rows_path), rows_path.stat().st_mtime_ns), points[number]
    same = (there["crafted_on"] == point["crafted_on"]) & (there["attack"] == point["attack"])
    same &= there["options"] == point["attack_options"]
    chosen = there[same].head(SHOWN)
    classes = DATASETS[str(chosen["dataset"].iloc[0])].classes
    images = models.samples(str(chosen["dataset"].iloc[0]))[0]
    listed = chosen[["index", "label", "before", "after", "linf", "evaluated_on", "crafted_on"]].copy()
    for name in ("label", "before", "after"):
        listed[name] = [classes[each] for each in listed[name]]
    listed["Play"] = [play_address(row, images[int(row["index"])][None]) or None for _, row in chosen.iterrows()]
    st.dataframe(
        tables.shown(listed),
        hide_index=True,
        height=320,
        key="ladder_examples",
        column_config={"Play": st.column_config.LinkColumn("Play", display_text="Open in Play")},
        alt="The examples of a point: the sample, its class, and what the classifiers read before and after",
    )
    st.caption(
        f"The first {len(chosen)} rows of this point. What was crafted on a model that is not here cannot be opened."
    )


def _point(line: Mapping[Any, Any]) -> str:
    queries = json.loads(line["attack_options"]).get("max_queries", 0)
    words = drawn.rung_words(line["attacker"], line["options"], queries)
    return f"{words}: {ATTACKS[line['attack']].name}, ε {line['epsilon']:g} → {line['evaluated_on']}"


@st.cache_resource(max_entries=8, show_spinner=False)
def _raised(path: str, changed: int) -> list[Raised]:
    """What to be wary of in a file of rows."""
    return flags.raised(_shipped_rows(path, changed))


@st.cache_resource(max_entries=2, show_spinner=False)
def _shipped_rows(path: str, changed: int) -> pd.DataFrame:
    """The rows of a file, shared: nobody may write into them."""
    try:
        return pd.read_csv(path, dtype={name: kind for name, kind in COLUMNS.items() if kind != "str"})
    except (OSError, EOFError, zlib.error, ValueError, KeyError) as error:
        raise FileRefused(f"the shipped file results/ladder/{Path(path).name} is damaged; restore it") from error
