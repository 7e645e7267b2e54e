"""A zip of labelled images from the browser: read once, what is good is kept for the session, the rest is named."""

from typing import Any

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from kerckhoffs.checks import FileRefused
from kerckhoffs.data import DATASETS
from kerckhoffs.data.uploads import Uploaded, read_zip
from kerckhoffs.evaluation import tables
from kerckhoffs.evaluation.examples import Samples
from kerckhoffs.ui import foreign
from kerckhoffs.ui.batch.runner import KEPT
from kerckhoffs.ui.uploads import let_go

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
        if state.get(kept, ("",))[0] != file.file_id:
            state[kept] = file.file_id, _read(file, dataset)
            let_go(file)  # not before: a run of the page may be cut short, and the next one reads it again
    elif isinstance(state.get(kept, ("", None))[1], str):
        del state[kept]
    if kept not in state:
        return None
    read = state[kept][1]
    if isinstance(read, str):
        raise FileRefused(read)
    _say(read)
    return Samples(read.images, read.labels, read.names)


def _read(file: UploadedFile, dataset: str) -> Uploaded | str:
    """What a zip holds, or why it is refused."""
    bar = st.progress(0.0, f"Reading {foreign.code(file.name)}")
    try:
        return read_zip(file.getvalue(), dataset, on_step=lambda done, of: bar.progress(done / of) and None)
    except FileRefused as error:
        return str(error)
    finally:
        bar.empty()


def _say(read: Uploaded) -> None:
    """What is used, and what is not and why."""
    good, bad = len(read.names), len(read.refused)
    left_out = f", **{bad}** {'files are' if bad > 1 else 'file is'} left out:" if bad else "."
    st.caption(f"**{good}** {'images are' if good > 1 else 'image is'} used{left_out}")
    if bad:
        shown = [tuple(map(foreign.visible, each)) for each in read.refused[:SHOWN]]
        table = tables.shown(pd.DataFrame(shown, columns=["file", "left out because"]))
        st.dataframe(
            table, hide_index=True, height=180, key="batch_refused", alt="Files that are left out, with reasons"
        )
    if bad > SHOWN:
        st.caption(f"The first {SHOWN} are shown.")
    st.caption(f"A run keeps its images on the server, {KEPT}.")
