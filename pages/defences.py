"""Defences: what each is, costs and falls to; and the models that are here, with their errors and what they take."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from kerckhoffs.data import DATASETS, VALIDATION_SAMPLES
from kerckhoffs.defences import DEFENCES, RETRAININGS, Defence
from kerckhoffs.evaluation import paper
from kerckhoffs.evaluation.metrics import wilson
from kerckhoffs.ui import foreign, models, speed
from kerckhoffs.ui.page import page
from kerckhoffs.zoo import ModelCard, model_id

A_ROW = 3  # cards

COLUMNS = {
    "Classifier": st.column_config.TextColumn(pinned=True),
    "Clean error, %": st.column_config.NumberColumn(format="%.1f"),
    "Cost, points": st.column_config.NumberColumn(
        format="%+.1f", help="Clean error less that of the classical classifier of the same set and network."
    ),
    "ms an image, here": st.column_config.NumberColumn(
        format="%.1f",
        help=f"Measured on this machine since the app started: one image at a time, the least of {speed.LOOKS} looks.",
    ),
    "Training, minutes": st.column_config.NumberColumn(format="%.1f", help="On the machine that trained it."),
    "Key bits": st.column_config.TextColumn(help="log2 of the number of transforms that its keys can make."),
}


def table(speeds: Mapping[str, float | None]) -> pd.DataFrame:
    """One row a model."""
    rows = []
    for card in models.listed():
        low, high = interval(card.test_error, card.test_samples)
        ends = interval(card.validation_error, VALIDATION_SAMPLES)
        rows.append(
            {
                "Classifier": card.title,
                "Kind": models.GROUPS[models.group(card.entry)],
                "Clean error, %": 100 * card.test_error,
                "95 % interval": f"{100 * low:.1f} to {100 * high:.1f} %",
                "Cost, points": cost(card),
                "ms an image, here": speeds.get(card.id),
                "Networks": card.entry.networks,
                "Key bits": bits(card),
                "Trained": how(card),
                "Training, minutes": minutes(card),
                "Paper's clean error": f"{paper.CLEAN_ERROR[card.id]:.1f} %"
                if card.id in paper.CLEAN_ERROR
                else "none",
                "Validation error": f"{100 * card.validation_error:.2f} ({100 * ends[0]:.2f} to {100 * ends[1]:.2f}) %",
                "Key fingerprint": card.fingerprint,
                "Made by": foreign.cell(card.command),
            }
        )
    return pd.DataFrame(rows)


def interval(error: float, samples: int) -> tuple[float, float]:
    """Wilson's of an error in [0, 1] among so many samples."""
    return wilson(round(error * samples), samples)


def cost(card: ModelCard) -> float | None:
    """What the defence costs in clean error, in points; None where there is nothing to compare with."""
    twin = models.cards().get(model_id(card.dataset, card.network, "classical"))
    return None if twin is None or twin.id == card.id else 100 * (card.test_error - twin.test_error)


def bits(card: ModelCard) -> str:
    """The entropy of its keys."""
    entropy = card.entry.entropy_bits(DATASETS[card.dataset].shape)
    return f"{entropy:.{0 if entropy >= 10 else 1}f}" if card.keyed else "no key"


def how(card: ModelCard) -> str:
    """How it was trained, in few words."""
    retraining, against = RETRAININGS.get(card.entry.training), models.trained_against(card)
    return f"{retraining.name}: {against}" if retraining and against else card.entry.trained


def minutes(card: ModelCard) -> float | None:
    """How long it was trained; None where its card does not say."""
    seconds = card.training.get("seconds")
    return seconds / 60 if models.is_number(seconds) else None


def cards() -> None:
    """A card a defence of which there are models, by group."""
    here = {card.defence for card in models.cards().values()}
    grouped: dict[str, list[Defence]] = {name: [] for name in models.GROUPS}
    for defence in DEFENCES.values():
        if defence.id in here:
            grouped[models.group(defence)].append(defence)
    found = {models.GROUPS[name]: defences for name, defences in grouped.items() if defences}
    for tab, defences in zip(st.tabs(list(found)), found.values(), strict=True):
        with tab:
            for first in range(0, len(defences), A_ROW):
                for place, defence in zip(
                    st.columns(A_ROW, gap="small"), defences[first : first + A_ROW], strict=False
                ):
                    with place.container(border=True, height="stretch"):
                        about(defence)


def about(defence: Defence) -> None:
    """What a defence is and costs, what is known against it, and where it is from."""
    st.markdown(f"**{defence.name[0].upper()}{defence.name[1:]}** · `{defence.id}`")
    st.markdown(defence.summary)
    st.markdown(f"**Known against it.** {defence.known}")
    st.caption(f"Trained {defence.trained}. {defence.source}.")


def measured() -> None:
    """The table: at once, and once more when what nobody has measured yet is."""
    place, bar = st.empty(), st.empty()
    every = models.listed()
    speeds = {card.id: speed.milliseconds(card) for card in every if speed.known(card)}
    left = [card for card in every if card.id not in speeds]
    draw(place, speeds)
    for number, card in enumerate(left):
        bar.progress(number / len(left), f"Measuring the time of {card.title}")
        speeds[card.id] = speed.milliseconds(card)
    if left:
        bar.empty()
        draw(place, speeds)


def draw(place: st.delta_generator.DeltaGenerator, speeds: Mapping[str, float | None]) -> None:
    """The table in its place."""
    place.dataframe(
        table(speeds),
        hide_index=True,
        height="content",
        column_config=COLUMNS,
        placeholder="–",
        alt="The classifiers that are here: their errors, costs, keys and trainings, a row each",
    )


with page("Defences", heading="Defences"):
    models.sets()  # refuses a folder without any
    st.markdown(
        "What stands around a network, or how it was trained: what each defence is, what it costs, and what is known "
        "against it. Below are the classifiers that ship, and your own, if you trained some. "
        f"`kerckhoffs defences` lists all {len(DEFENCES)} defences that can be trained, and "
        "`kerckhoffs train <set>-<network>-<defence>` trains them."
    )
    cards()
    st.markdown(
        "**Clean error** is the share misread on the first 1000 test samples, before any attack, with Wilson's 95 % "
        "interval; costs smaller than that may be chance. What attacks then do is in Play, Batch and Table 3. Training "
        f"chose by the {VALIDATION_SAMPLES} validation samples only, and the test samples were looked at once; but the "
        "recipe of the ensemble-trained classifiers was changed after a look at test errors, clean and attacked."
    )
    measured()
