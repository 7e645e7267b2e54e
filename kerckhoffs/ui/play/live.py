"""An attack on the page: what is quick runs at once, the rest in a worker, shown as it goes, and replayed after."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, repeat

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from kerckhoffs.attacks import ATTACKS, Step
from kerckhoffs.ui.jobs import ORPHANED_SECONDS, Job, jobs, keep_one
from kerckhoffs.ui.page import one_thread, sentences
from kerckhoffs.ui.play import panels
from kerckhoffs.ui.play.consequences import consequence
from kerckhoffs.ui.play.experiment import Experiment, Reading, compare, craft
from kerckhoffs.ui.play.make import make
from kerckhoffs.ui.play.queries import bad, curve

FRAME_SECONDS = 0.18  # from one picture of a running attack to the next
FRAMES = 5  # in one run of the fragment: a run costs a browser as much as several pictures, but Stop waits for its end
TAKE_OVER_SECONDS = 0.7  # from one look at the job of another window to the next
SETTLE_SECONDS = 0.1  # from the result to the whole page, so that the browser shows the one before it builds the other
PLAY_SECONDS = 0.5  # from one step of a replay to the next: charts take a browser long
PLAYED = 24  # steps that a replay shows, at most
_PLAYED = "replay_at"
FIRST_SECONDS = 0.15  # that the page waits for the first picture, so that it need not be drawn once more for it


def current(experiment: Experiment) -> Job | None:
    """The session's job, if it is this experiment's; another one's is stopped and forgotten.

    After a reload the session is new, and the same experiment finds the job that nobody watches any more.
    """
    state = st.session_state
    if state.get("job_of") != experiment:
        if job := state.pop("job", None):
            job.stop()
        state.pop("job_of", None)
    if "job" not in state and (left := jobs().left(experiment)):
        state["job"], state["job_of"] = left, experiment
    return state.get("job")


@dataclass(frozen=True)
class Example:
    """An attack's result, (1, C, H, W), what the classifiers say of it, and the steps that led there, if they were
    kept; the clean image while there is none."""

    image: Tensor
    readings: Mapping[str, Reading]
    made: bool
    steps: tuple[Step, ...] = ()


def show(experiment: Experiment) -> Example:
    """Draw what there is of the attack; returns its example."""
    if not experiment.ready:
        make(experiment)
        readings = draw(panels.Comparison(experiment), experiment, experiment.image, "clean")
        return Example(experiment.image, readings, made=False)
    if ATTACKS[experiment.attack].cost == 1:
        crafting = craft(experiment)
        result, view = crafting(None), panels.Comparison(experiment)
        view.spent = crafting.spent
        return Example(result, draw(view, experiment, result, "done"), made=True)
    stage(experiment, iter([True]))
    job = current(experiment)
    made = job.result() if job is not None and job.done else None
    image = experiment.image if made is None else made
    steps = job.steps if job is not None and made is not None else ()
    return Example(image, compare(experiment, image), made=made is not None, steps=steps)


@st.fragment
def stage(experiment: Experiment, whole: Iterator[bool]) -> None:
    """The attack's button, or its progress, or its replay, over the pictures. Pressing the button draws only this.

    Args:
        whole: true once, while the whole page is drawn, which must not wait for the attack.
    """
    one_thread()
    with sentences():
        job, at = current(experiment), None
        strip = st.empty()
        polling = job is not None and not job.done
        if job is not None and job.done and _PLAYED in st.session_state:
            st.fragment(_play, run_every=PLAY_SECONDS)(experiment, job)
            return
        if not polling:
            with strip.container():
                pressed, at = _controls(experiment, job)
            if pressed:
                job, at, polling = _begin(experiment), None, True  # even if it has ended: the page does not know yet
                strip.empty()
        if job is None and jobs().running(experiment):
            st.fragment(_take_over, run_every=TAKE_OVER_SECONDS)(experiment)
        frames = chain([1 if next(whole, False) else FRAMES], repeat(FRAMES))
        st.fragment(watch, run_every=FRAMES * FRAME_SECONDS if polling else None)(experiment, job, at, polling, frames)


def _take_over(experiment: Experiment) -> None:
    """Show a job that does the same as soon as nobody watches it: this page was loaded anew, or it has ended."""
    if jobs().left(experiment) or not jobs().running(experiment):
        st.rerun()
    st.caption("This attack is running in another window; what it makes will be shown here.")


def _controls(experiment: Experiment, job: Job | None) -> tuple[bool, Step | None]:
    """What stands over an attack that is not running: its button, whether that was pressed, and the step to replay."""
    name = ATTACKS[experiment.attack].name
    button, words, slider = st.columns([1.2, 1.5, 2.3], vertical_alignment="center")
    pressed = button.button(f"Run {name}", type="primary", icon=":material/play_arrow:", width="stretch")
    if job is None:
        words.caption(f"{name} has not run on this image with these settings.")
        return pressed, None
    steps = job.steps
    if not steps:
        words.caption(_ended(job))
        return pressed, None
    with slider, st.container(horizontal=True, wrap=False, vertical_alignment="center"):
        st.button("Play", icon=":material/slow_motion_video:", key="replay_play", on_click=_start)
        at = st.slider("Replay", 0, len(steps), len(steps), key=f"replay_{id(job)}", label_visibility="collapsed")
    if at == len(steps):
        words.caption(f"{_ended(job)} Replay {len(steps)} of its steps:")
        return pressed, None
    words.caption(f"Replay: step {steps[at].done} of {steps[at].total}.")
    return pressed, steps[at]


def _start() -> None:
    st.session_state[_PLAYED] = 0


def _stop() -> None:
    st.session_state.pop(_PLAYED, None)


def _play(experiment: Experiment, job: Job) -> None:
    """Draw the next of the steps that are played, at most PLAYED of them, evenly spread; after the last the result."""
    one_thread()
    with sentences():
        every = -(-len(job.steps) // PLAYED)
        steps, number = job.steps[::every], st.session_state.get(_PLAYED)
        if number is None or number >= len(steps):
            _stop()
            st.rerun()
        st.session_state[_PLAYED] = number + 1
        bar, button = st.columns([6, 1], vertical_alignment="center", wrap=False)
        button.button("Stop", icon=":material/stop:", width="stretch", key="replay_stop", on_click=_stop)
        said = f"Replay: step {steps[number].done} of {steps[number].total}, {len(steps)} of them are shown"
        bar.progress((number + 1) / len(steps), said)
        draw(panels.Comparison(experiment), experiment, steps[number].current, "replay")


def _ended(job: Job) -> str:
    if job.failed:
        return "Broke off."
    if not job.stopped:
        return "Finished."
    why = f", as nobody had watched it for {ORPHANED_SECONDS:.0f} s" if job.orphaned else ""
    return f"Stopped{why}: this is the best example it had."


def _begin(experiment: Experiment) -> Job:
    """Start the attack; returns when it has something to show, if that is soon."""
    crafting = craft(experiment)
    job = keep_one("job", lambda job: crafting(job.on_step), experiment, lambda: crafting.spent)
    st.session_state["job_of"] = experiment
    job.wait_for_step(FIRST_SECONDS)
    return job


def watch(experiment: Experiment, job: Job | None, at: Step | None, polling: bool, frames: Iterator[int]) -> None:
    """Draw a job's newest steps, a step of its replay, or its result. A fragment: it runs alone while it polls.

    Args:
        frames: how many steps this run and each later one draws of a running job, at most.
    """
    one_thread()
    with sentences():
        strip = st.empty()
        view = panels.Comparison(experiment)
        view.spent = "" if job is None or at is not None else _spent(job)
        if job is None:
            draw(view, experiment, experiment.image, "clean")
        elif at is not None:
            draw(view, experiment, at.current, "replay")
        elif job.done and not polling:
            draw(view, experiment, _result(experiment, job), "done")
            curve(experiment, job)
        elif not job.done:
            _run(view, strip, experiment, job, next(frames))
        if polling and job is not None and job.done:
            st.rerun()  # draws the whole page once more, without polling, and says what went wrong


def _run(view: panels.Comparison, strip: DeltaGenerator, experiment: Experiment, job: Job, frames: int) -> None:
    """Draw a running job's newest steps, or its result if that comes first."""
    with strip.container():
        bar = _bar_and_stop(experiment, job)
    began = time.monotonic()
    for number in range(1, frames + 1):
        image = experiment.image if job.step is None else job.step.current
        view.spent = _spent(job)
        readings = _pictures(view, experiment, image, "running")
        if number == frames:
            view.chart(readings)
            return
        job.wait_for_end(max(began + number * FRAME_SECONDS - time.monotonic(), 0))
        if job.done:
            strip.caption(_ended(job))
            if not job.failed:
                view.spent = _spent(job)
                _pictures(view, experiment, _result(experiment, job), "done")
                time.sleep(SETTLE_SECONDS)
            return
        bar.progress(*_progress(experiment, job))


def _bar_and_stop(experiment: Experiment, job: Job) -> DeltaGenerator:
    """A running job's bar, which is returned, and the button that stops it."""
    bar, button = st.columns([6, 1], vertical_alignment="center", wrap=False)
    if button.button("Stop", icon=":material/stop:", width="stretch"):
        job.stop()
    return bar.progress(*_progress(experiment, job))


def _progress(experiment: Experiment, job: Job) -> tuple[float, str]:
    """How far a running job is, as a share and in words."""
    step, left = job.step, job.seconds_left
    if step is None or left is None:
        return 0.0, "Waiting for a free worker"
    name = ATTACKS[experiment.attack].name
    at = f"step {step.done} of {step.total}" if step.queries is None else f"{job.spent} of {step.total}{bad(step)}"
    return step.done / step.total, f"{name}: {at}, {left:.0f} s left at most"


def _spent(job: Job) -> str:
    """What a job has asked so far, in words."""
    return job.spent if job.step is None or not job.spent else job.spent + bad(job.step)


def _result(experiment: Experiment, job: Job) -> Tensor:
    """What an ended job made; the clean image if it was stopped before it began."""
    result = job.result()
    return experiment.image if result is None else result


def _pictures(
    view: panels.Comparison, experiment: Experiment, adversarial: Tensor, stage: panels.Stage
) -> Mapping[str, Reading]:
    readings = compare(experiment, adversarial)
    view.draw(adversarial, readings, stage)
    return readings


def draw(
    view: panels.Comparison, experiment: Experiment, adversarial: Tensor, stage: panels.Stage
) -> Mapping[str, Reading]:
    """The pictures, what both classifiers say, and what follows; returns what they say."""
    readings = _pictures(view, experiment, adversarial, stage)
    view.chart(readings)
    if stage == "done":
        view.conclude(consequence(experiment, readings))
    return readings
