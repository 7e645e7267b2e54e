"""What a person takes away: the example as files, a figure for a slide, and the experiment as Python."""

import io

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from kerckhoffs import plots
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluate import percent, predict
from kerckhoffs.ui import play
from kerckhoffs.ui.figure import figure
from kerckhoffs.ui.play import KINDS, Experiment
from kerckhoffs.ui.script import script


def takeaway(experiment: Experiment, adversarial: Tensor) -> None:
    """The buttons, what the rounding of the PNG does to the prediction, and the script."""
    name = f"{experiment.dataset}-{experiment.attack}-{experiment.knowledge}"
    array = io.BytesIO()
    np.save(array, adversarial[0, 0].numpy())
    files = (
        ("PNG, 28 × 28, 8 bits", plots.png(plots.grey(adversarial[0], upscale=1)), f"{name}.png", "image/png"),
        ("Array, float32 (.npy)", array.getvalue(), f"{name}.npy", "application/octet-stream"),
        ("Figure (.svg)", lambda: _figure(experiment, adversarial), f"{name}.svg", "image/svg+xml"),
        ("Experiment (.py)", script(experiment), f"{name}.py", "text/x-python"),
    )
    with st.container(horizontal=True, gap="small"):
        for label, content, file_name, kind in files:
            st.download_button(label, content, file_name, kind, on_click="ignore", icon=":material/download:")
    st.caption(
        f"{rounding(experiment, adversarial)} The address of this page is this experiment: copy it to share it. "
        "It holds no key."
    )
    with st.expander("This experiment as Python"):
        st.code(script(experiment), language="python")


def _figure(experiment: Experiment, adversarial: Tensor) -> str:
    return figure(experiment, play.compare(experiment, adversarial))


def rounding(experiment: Experiment, adversarial: Tensor) -> str:
    """What both classifiers say of the PNG, which knows only 256 greys."""
    rounded = torch.from_numpy(plots.grey(adversarial[0], upscale=1).astype(np.float32))[None, None] / 255
    classes = DATASETS[experiment.dataset].classes
    said = []
    for kind in KINDS:
        before, after = predict(play.model(experiment.model_id(kind)), torch.cat([adversarial, rounded]))
        changed = "" if before.argmax() == after.argmax() else f", not {classes[int(before.argmax())]} any more"
        said.append(f"{kind} {classes[int(after.argmax())]} ({percent(float(after.max()))}){changed}")
    return f"Rounded to 8 bits, as in the PNG, it is read as: {'; '.join(said)}."
