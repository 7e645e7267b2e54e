"""An attack on the page: what is quick runs at once, the rest in a worker, shown as it goes, and replayed after."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st
from torch import Tensor

from kerckhoffs.attacks import ATTACKS
from kerckhoffs.ui import panels
from kerckhoffs.ui.consequences import consequence
from kerckhoffs.ui.jobs import Job, keep_one
from kerckhoffs.ui.page import one_thread, sentences
from kerckhoffs.ui.play import Experiment, Reading, compare, craft

FRAME_SECONDS = 0.12  # between two pictures of a running attack
FIRST_SECONDS = 0.15  # that the page waits for the first of them, so that it need not be drawn once more for it


def current(experiment: Experiment) -> Job | None:
    """The session's job, if it is this experiment's; another one's is stopped and forgotten."""
    if st.session_state.get("job_of") != experiment:
        if job := st.session_state.pop("job", None):
            job.stop()
        st.session_state.pop("job_of", None)
    return st.session_state.get("job")


def run_button(experiment: Experiment) -> None:
    """The button that starts an attack which takes more than a moment."""
    attack = ATTACKS[experiment.attack]
    if attack.cost == 1:
        st.caption(f"{attack.name} takes one step: it runs at every change.")
        return
    current(experiment)
    if st.button(f"Run {attack.name}", type="primary", icon=":material/play_arrow:", width="stretch"):
        run = craft(experiment)
        keep_one("job", lambda job: run(job.on_step)).wait_for_step(FIRST_SECONDS)
        st.session_state["job_of"] = experiment


@dataclass(frozen=True)
class Example:
    """An attack's result, (1, C, H, W), and what the classifiers say of it; the clean image while there is none."""

    image: Tensor
    readings: Mapping[str, Reading]
    made: bool


def show(experiment: Experiment) -> Example:
    """Draw what there is of the attack; returns its example."""
    if ATTACKS[experiment.attack].cost == 1:
        result = craft(experiment)(None)
        return Example(result, draw(experiment, result, "done"), made=True)
    job = current(experiment)
    running = job is not None and not job.done
    st.fragment(watch, run_every=FRAME_SECONDS if running else None)(experiment, job, running)
    made = job.result() if job is not None and job.done else None
    image = experiment.image if made is None else made
    return Example(image, compare(experiment, image), made=made is not None)


def watch(experiment: Experiment, job: Job | None, polling: bool) -> None:
    """Draw a job's newest step, or its result. A fragment: it runs alone while it polls."""
    one_thread()
    with sentences():
        if job is None:
            name = ATTACKS[experiment.attack].name
            st.caption(f"{name} has not run on this image with these settings: press “Run {name}”.")
            draw(experiment, experiment.image, "clean")
        elif not job.done:
            _progress(experiment, job)
            draw(experiment, experiment.image if job.step is None else job.step.current, "running")
        else:
            _replay(experiment, job)
            if polling:
                st.rerun()  # draw the whole page once more, without polling


def _progress(experiment: Experiment, job: Job) -> None:
    """A running job's bar, and a button that stops it."""
    bar, button = st.columns([6, 1], vertical_alignment="center", wrap=False)
    step, left = job.step, job.seconds_left
    if step is None or left is None:
        bar.progress(0.0, "Waiting for a free worker")
    else:
        name = ATTACKS[experiment.attack].name
        bar.progress(step.done / step.total, f"{name}: step {step.done} of {step.total}, {left:.0f} s left at most")
    if button.button("Stop", icon=":material/stop:", width="stretch"):
        job.stop()


def _replay(experiment: Experiment, job: Job) -> None:
    """The result of an ended job, and its steps under a slider."""
    result, steps = job.result(), job.steps
    result = experiment.image if result is None else result
    ended = "Stopped: this is the best example it had." if job.stopped else "Finished."
    at = len(steps)
    words, slider = st.columns([1, 2], vertical_alignment="center")
    if steps:
        with slider:
            at = st.slider(
                "Replay",
                0,
                len(steps),
                at,
                key=f"replay_{id(job)}",
                label_visibility="collapsed",
            )
    replay = f" Replay {len(steps)} of its steps:" if steps else ""
    words.caption(ended + replay if at == len(steps) else f"Replay: step {steps[at].done} of {steps[at].total}.")
    if at == len(steps):
        draw(experiment, result, "done")
    else:
        draw(experiment, steps[at].current, "replay")


def draw(experiment: Experiment, adversarial: Tensor, stage: panels.Stage) -> Mapping[str, Reading]:
    """The pictures, what both classifiers say, and what follows; returns what they say."""
    readings = compare(experiment, adversarial)
    panels.comparison(experiment, adversarial, readings, stage)
    if stage == "done":
        st.markdown(consequence(experiment, readings))
    return readings
