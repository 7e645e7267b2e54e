"""What a person takes away: the example as files, a figure for a slide, and the experiment as Python."""

import io
from collections.abc import Callable
from functools import partial

import numpy as np
import streamlit as st
from torch import Tensor

from kerckhoffs import plots
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluation.judge import percent, predict
from kerckhoffs.ui.models import model
from kerckhoffs.ui.parts import pixels
from kerckhoffs.ui.play import lesson
from kerckhoffs.ui.play.animation import animation
from kerckhoffs.ui.play.experiment import Experiment
from kerckhoffs.ui.play.figure import figure
from kerckhoffs.ui.play.live import Example
from kerckhoffs.ui.play.script import script
from kerckhoffs.ui.stage import snippet


def takeaway(experiment: Experiment, example: Example) -> None:
    """The buttons, what the rounding of the PNG does to the prediction, and the script. Files are made on demand."""
    name = f"{experiment.dataset}-{experiment.attack}-{experiment.knowledge}"
    image, program = example.image[0], script(experiment)
    shape = DATASETS[experiment.dataset].shape
    files: tuple[tuple[str, Callable[[], bytes | str], str, str], ...] = (
        (
            f"PNG, {pixels.size(shape)}, 8 bits",
            lambda: plots.png(plots.picture(image, upscale=1)),
            f"{name}.png",
            "image/png",
        ),
        ("Array, float32 (.npy)", lambda: _array(image), f"{name}.npy", "application/octet-stream"),
        ("Figure (.svg)", lambda: figure(experiment, example.image, example.readings), f"{name}.svg", "image/svg+xml"),
        ("Experiment (.py)", lambda: program, f"{name}.py", "text/x-python"),
    )
    if example.steps:
        replay = partial(animation, experiment, example.steps, example.readings)
        files = (*files, ("Replay (.gif)", replay, f"{name}.gif", "image/gif"))
    with st.container(horizontal=True, gap="small"):
        for label, content, file_name, kind in files:
            st.download_button(label, content, file_name, kind, on_click="ignore", icon=":material/download:")
        lesson.choose()
        snippet.offer(experiment)
    st.caption(
        f"{rounding(experiment, example)} The address of this page is this experiment: copy it to share it. "
        "It holds no key."
    )
    with st.expander("This experiment as Python"):
        st.code(program, language="python")


def _array(image: Tensor) -> bytes:
    file = io.BytesIO()
    np.save(file, image[0].numpy())
    return file.getvalue()


def rounding(experiment: Experiment, example: Example) -> str:
    """What the classifiers say of the PNG, which knows only 256 levels."""
    classes = DATASETS[experiment.dataset].classes
    rounded = pixels.decode(pixels.encode(example.image), DATASETS[experiment.dataset].shape)
    said = []
    for name, called in experiment.names.items():
        probabilities = predict(model(name), rounded)[0].tolist()
        after, read = example.readings[name].verdict.after, probabilities.index(max(probabilities))
        changed = "" if read == after else f", not {classes[after]} any more"
        said.append(f"{called} {classes[read]} ({percent(max(probabilities))}){changed}")
    which = "both" if len(said) == 2 else "all"
    return (
        f"Rounded to 8 bits, as in the PNG, what was crafted on {experiment.crafted_words} and is evaluated on {which} "
        f"is read as: {'; '.join(said)}."
    )
