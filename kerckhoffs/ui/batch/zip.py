"""A zip of labelled images from the browser: read once, what is good is kept for the session, the rest is named."""

import hashlib
from typing import Any

import pandas as pd
import streamlit as st

from kerckhoffs.data import DATASETS
from kerckhoffs.data.uploads import Uploaded, read_zip
from kerckhoffs.evaluation.examples import Samples
from kerckhoffs.ui.batch.runner import KEPT

SHOWN = 200  # refused files in the table


def uploaded(dataset: str) -> Samples | None:
    """Ask for a zip; returns the samples of the newest one, None if there is none for this set or it was removed.

    Raises:
        FileRefused: if it is no zip, or nothing in it can be used.
    """
    state: Any = st.session_state
    kept = f"batch_uploaded_{dataset}"
    file = st.file_uploader(
        "Zip of images",
        type=["zip"],
        key=f"batch_zip_{dataset}",
        help=f"Labels are the names of folders, 3/a.png, or of a CSV file in the zip with two columns, file and label. "
        f"Classes: {', '.join(DATASETS[dataset].classes)}.",
        on_change=lambda: state.pop(kept, None),  # removed or replaced; a visit to another page changes nothing
    )
    if file is not None:
        content = file.getvalue()
        digest = hashlib.sha256(content).hexdigest()
        if state.get(kept, ("",))[0] != digest:
            state.pop(kept, None)
            bar = st.progress(0.0, f"Reading {file.name}")
            read = read_zip(content, dataset, on_step=lambda done, of: bar.progress(done / of) and None)
            bar.empty()
            state[kept] = digest, read
    if kept not in state:
        return None
    read = state[kept][1]
    _say(read)
    return Samples(read.images, read.labels, read.names)


def _say(read: Uploaded) -> None:
    """What is used, and what is not and why."""
    good, bad = len(read.names), len(read.refused)
    left_out = f", **{bad}** {'files are' if bad > 1 else 'file is'} left out:" if bad else "."
    st.caption(f"**{good}** {'images are' if good > 1 else 'image is'} used{left_out}")
    if bad:
        table = pd.DataFrame(read.refused[:SHOWN], columns=["file", "left out because"])
        st.dataframe(
            table, hide_index=True, height=180, key="batch_refused", alt="Files that are left out, with reasons"
        )
    if bad > SHOWN:
        st.caption(f"The first {SHOWN} are shown.")
    st.caption(f"A run keeps its images on the server, {KEPT}.")
