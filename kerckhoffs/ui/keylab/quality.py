"""How good is the key: the tests of a classifier's key, each with its figure and what it shows.

Of a private key too nothing but errors, counts and times is shown. Which of its places were exchanged or known is drawn
from the operating system's entropy and told to nobody, so no error belongs to a known place; no visitor chooses any of
it; and what was found is kept, so that nobody has it drawn again and again.
"""

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import streamlit as st

from kerckhoffs import places
from kerckhoffs.checks import FileRefused
from kerckhoffs.evaluation import ladder, tables
from kerckhoffs.evaluation.keytests import TESTS, report
from kerckhoffs.evaluation.keytests.subjects import transform_of
from kerckhoffs.plots import keytests as drawn
from kerckhoffs.transforms import TRANSFORMS
from kerckhoffs.ui import foreign, models
from kerckhoffs.ui.keylab.testing import Testing, testings
from kerckhoffs.ui.page import one_thread, sentences
from kerckhoffs.zoo import ModelCard

RESULTS = places.shipped("results")
SAMPLES = (100, 300, 1000)
LOOK_SECONDS = 1.0
UNREADABLE = (OSError, EOFError, zlib.error, ValueError, KeyError)


def quality() -> None:
    """Choose a classifier, test its key, and see what each test shows."""
    keyed = [card for card in models.listed() if len(card.keys) == 1 and not card.entry.by_attacker]
    if not keyed:
        st.info("There is no classifier with a key here.", icon=":material/info:")
        return
    which, many = st.columns([3, 2], vertical_alignment="bottom")
    first = next((number for number, card in enumerate(keyed) if card.id in shipped()), 0)
    number = which.selectbox(
        "Classifier",
        range(len(keyed)),
        index=first,
        format_func=lambda each: keyed[each].title,
        key="keylab_model",
        persist_state="session",
        filter_mode="contains",
    )
    card = keyed[number]
    samples = many.segmented_control(
        "Samples", SAMPLES, default=SAMPLES[1], key="keylab_samples", persist_state="session", required=True
    )
    if card.private:
        st.caption(
            "This key is private. What is drawn for its tests comes from the operating system and is told to nobody, "
            "so no error here belongs to a place of it that anybody knows."
        )
    samples = samples or SAMPLES[1]
    testing = testings().of(card, samples)
    busy = testing is not None and not testing.done
    st.fragment(_draw, run_every=LOOK_SECONDS if busy else None)(card, samples, busy)


def _draw(card: ModelCard, samples: int, busy: bool) -> None:
    """The tests as far as they are; looks again while one is at work."""
    one_thread()
    with sentences():
        testing = testings().of(card, samples)
        if (testing is not None and not testing.done) != busy:
            st.rerun()
        _control(card, samples, testing)
        lines = _measured(card)
        if testing is not None and testing.lines:
            lines = _with_ladder(card, report.frame(testing.lines))
        elif lines is not None:
            st.caption("Measured before, on the first 1000 samples; times are of the machine that it was measured on.")
        _show(card, pd.DataFrame(columns=list(report.COLUMNS)) if lines is None else lines)


def _control(card: ModelCard, samples: int, testing: Testing | None) -> None:
    """The button, and how far a test is."""
    button, words = st.columns([1, 3], vertical_alignment="center")
    if testing is None or (testing.done and not testing.whole):
        label = "Test this key"
        if button.button(label, type="primary", icon=":material/key:", width="stretch", key="keylab_begin"):
            testings().begin(card, samples)
            st.rerun()
        if testing is not None and testing.error:
            st.error(foreign.sentence(testing.error), icon=":material/error:")
        words.caption(
            f"Some 150 keys are put before its network, which reads {samples} samples behind each: about as long as "
            f"{150 * samples:,} images take."
        )
    elif not testing.done:
        if button.button("Stop", icon=":material/stop:", width="stretch", key="keylab_stop"):
            testing.stop()
        waits = not testing.total
        words.progress(
            testing.share, "Waiting for its turn" if waits else f"{testing.drawn} of {testing.total} keys tried"
        )
    else:
        words.caption(f"Tested here on {samples} samples.")


def _show(card: ModelCard, lines: pd.DataFrame) -> None:
    """A block a test, in two columns where there is room."""
    there = [(test, block) for test, block in BLOCKS.items() if (lines["test"] == test).any()]
    left, right = st.columns(2, gap="medium")
    for number, (test, block) in enumerate(there):
        with right if 2 * number >= len(there) else left, st.container(border=True, key=f"keylab_{test}"):
            st.markdown(f"**{TESTS[test]}**")
            block(lines)
            st.markdown(report.sentence(lines, test))
    with right, st.container(border=True, key="keylab_absorbed"):
        _absorbed(card)
    if not lines.empty:
        st.download_button(
            "Lines (csv)",
            tables.csv(lines),
            f"key-{card.id.replace('/', '-')}.csv",
            on_click="ignore",
            icon=":material/download:",
            key="keylab_lines",
        )


def _table(test: str) -> Callable[[pd.DataFrame], None]:
    """Draws the table of a test."""

    def draw(lines: pd.DataFrame) -> None:
        st.dataframe(
            tables.shown(report.tables(lines)[test].map(foreign.cell)),
            hide_index=True,
            height="content",
            key=f"keylab_table_{test}",
            alt=f"{TESTS[test]}, as a table",
        )

    return draw


def _wrong_keys(lines: pd.DataFrame) -> None:
    _chart(drawn.wrong_keys(lines), "wrong", "The error behind each wrong key, beside guessing and the right key's")


def _avalanche(lines: pd.DataFrame) -> None:
    _chart(drawn.avalanche(lines), "avalanche", "The error against the number of exchanged pairs, with intervals")


def _cross_keys(lines: pd.DataFrame) -> None:
    _chart(drawn.cross_keys(lines), "cross", "The error of each network behind each key, in percent")
    names = drawn.short(list(report.matrix(lines).index))
    st.caption(" · ".join(f"{number}: {foreign.sentence(name)}" for number, name in enumerate(names, 1)))


def _leak(lines: pd.DataFrame) -> None:
    """The curves, and what a share of one's choice is worth."""
    share = st.slider("Share of the key that leaks", 0, 100, 50, 10, format="%d %%", key="keylab_share") / 100
    _chart(drawn.leak(lines, share), "leak", "The error against the share of the key that is known, with intervals")
    st.markdown(report.at_share(lines, share))


BLOCKS: dict[str, Callable[[pd.DataFrame], None]] = {
    "entropy": _table("entropy"),
    "guesses": _table("guesses"),
    "wrong-keys": _wrong_keys,
    "cross-keys": _cross_keys,
    "avalanche": _avalanche,
    "leak": _leak,
    "price": _table("price"),
}
"""How each test is drawn, in the order of the page."""


def _chart(figure: object, name: str, alt: str) -> None:
    st.plotly_chart(figure, key=f"keylab_{name}_chart", config={"displayModeBar": False}, alt=alt)


def _absorbed(card: ModelCard) -> None:
    """Which transforms hide nothing, and what was measured behind them."""
    st.markdown("**Transforms that hide nothing**")
    mine = transform_of(card.entry)
    if mine is not None:
        st.markdown(f"{mine.name} is absorbed by: {mine.absorbed_by}")
    names = dict.fromkeys(each.name.partition(",")[0] for each in TRANSFORMS.values() if each.absorbable)
    st.markdown(f"A first convolution absorbs: {', '.join(names)}.")
    if said := _behind_each():
        st.markdown(said)


@st.cache_data(max_entries=1, show_spinner=False)
def _behind_each() -> str:
    try:
        return report.absorbed(pd.read_csv(RESULTS / "defences" / "summary.csv"))
    except UNREADABLE:
        return ""


def shipped() -> Mapping[str, Path]:
    """The files of the tests that come with the program, by the classifier's id."""
    folder = RESULTS / "keylab"
    return {path.stem: path for path in sorted(folder.glob("*.csv"))} if folder.is_dir() else {}


def _measured(card: ModelCard) -> pd.DataFrame | None:
    """The shipped lines of a classifier; None if there are none.

    Raises:
        FileRefused: if the file is damaged.
    """
    path = shipped().get(card.id)
    return None if path is None else _read(str(path), path.stat().st_mtime_ns, card.sha256)


@st.cache_data(max_entries=16, show_spinner=False)
def _read(path: str, changed: int, sha256: str) -> pd.DataFrame:
    try:
        return report.read(Path(path))
    except UNREADABLE as error:
        raise FileRefused(f"the shipped file results/keylab/{Path(path).name} is damaged; restore it") from error


def _with_ladder(card: ModelCard, lines: pd.DataFrame) -> pd.DataFrame:
    """Lines with what the ladder says of this classifier, where it was climbed."""
    path = RESULTS / "ladder" / f"{card.id}.csv"
    if not path.is_file() or lines.empty:
        return lines
    try:
        climbed = report.attacked(ladder.read_points(path), card.id)
    except UNREADABLE as error:
        raise FileRefused(f"the shipped file results/ladder/{path.name} is damaged; restore it") from error
    return pd.concat([lines, report.frame(climbed)], ignore_index=True)
