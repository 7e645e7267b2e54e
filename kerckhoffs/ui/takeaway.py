"""What a person takes away: the example as files, a figure for a slide, and the experiment as Python."""

import io
from collections.abc import Callable, Mapping

import numpy as np
import streamlit as st
from torch import Tensor

from kerckhoffs import plots
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluate import percent
from kerckhoffs.ui.figure import figure
from kerckhoffs.ui.live import Example
from kerckhoffs.ui.play import KINDS, Experiment, Reading
from kerckhoffs.ui.script import script


def takeaway(experiment: Experiment, example: Example) -> None:
    """The buttons, what the rounding of the PNG does to the prediction, and the script. Files are made on demand."""
    name = f"{experiment.dataset}-{experiment.attack}-{experiment.knowledge}"
    pixels, program = example.image[0], script(experiment)
    files: tuple[tuple[str, Callable[[], bytes | str], str, str], ...] = (
        ("PNG, 28 × 28, 8 bits", lambda: plots.png(plots.grey(pixels, upscale=1)), f"{name}.png", "image/png"),
        ("Array, float32 (.npy)", lambda: _array(pixels), f"{name}.npy", "application/octet-stream"),
        ("Figure (.svg)", lambda: figure(experiment, example.readings), f"{name}.svg", "image/svg+xml"),
        ("Experiment (.py)", lambda: program, f"{name}.py", "text/x-python"),
    )
    with st.container(horizontal=True, gap="small"):
        for label, content, file_name, kind in files:
            st.download_button(label, content, file_name, kind, on_click="ignore", icon=":material/download:")
    st.caption(
        f"{rounding(experiment, example.readings)} The address of this page is this experiment: copy it to share it. "
        "It holds no key."
    )
    with st.expander("This experiment as Python"):
        st.code(program, language="python")


def _array(pixels: Tensor) -> bytes:
    file = io.BytesIO()
    np.save(file, pixels[0].numpy())
    return file.getvalue()


def rounding(experiment: Experiment, readings: Mapping[str, Reading]) -> str:
    """What both classifiers say of the PNG, which knows only 256 greys."""
    classes = DATASETS[experiment.dataset].classes
    said = []
    for kind in KINDS:
        after, rounded = readings[kind].verdict.after, readings[kind].rounded
        read = rounded.index(max(rounded))
        changed = "" if read == after else f", not {classes[after]} any more"
        said.append(f"{kind} {classes[read]} ({percent(max(rounded))}){changed}")
    return f"Rounded to 8 bits, as in the PNG, it is read as: {'; '.join(said)}."
