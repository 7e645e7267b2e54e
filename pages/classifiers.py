"""Classifiers: the shipped models, their errors beside the paper's, and how each was made."""

import pandas as pd
import streamlit as st

from kerckhoffs.data import VALIDATION_SAMPLES
from kerckhoffs.evaluation import paper
from kerckhoffs.evaluation.metrics import wilson
from kerckhoffs.ui import foreign, models
from kerckhoffs.ui.page import page


def table() -> pd.DataFrame:
    """One row a model; errors in percent."""
    rows = []
    for card in models.cards().values():
        low, high = interval(card.test_error, card.test_samples)
        ends = interval(card.validation_error, VALIDATION_SAMPLES)
        rows.append(
            {
                "Classifier": card.title,
                "Clean error": f"{100 * card.test_error:.1f} %",
                "95 % interval": f"{100 * low:.1f} to {100 * high:.1f} %",
                "Paper": f"{paper.CLEAN_ERROR[card.id]:.1f} %" if card.id in paper.CLEAN_ERROR else "none",
                "Validation error": f"{100 * card.validation_error:.2f} ({100 * ends[0]:.2f} to {100 * ends[1]:.2f}) %",
                "Key fingerprint": card.fingerprint,
                "Made by": foreign.cell(card.command),
            }
        )
    return pd.DataFrame(rows)


def interval(error: float, samples: int) -> tuple[float, float]:
    """Wilson's of an error in [0, 1] among so many samples."""
    return wilson(round(error * samples), samples)


with page("Classifiers", heading="Classifiers"):
    st.markdown(
        "The paper's two networks for both sets, without a key (classical) and behind a keyed permutation (keyed), "
        "and the latter as an attacker trains it who has to make up the key (surrogate); and your own, if you trained "
        "some. "
        "**Clean error** is the share misread on the first 1000 test samples, before any attack. Each error here has "
        f"Wilson's 95 % interval. Training chose by the {VALIDATION_SAMPLES} validation samples only; the test samples "
        "were looked at once."
    )
    models.sets()  # refuses a folder without any
    st.dataframe(table(), hide_index=True, height="content")
