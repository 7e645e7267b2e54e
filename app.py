"""Play: one image, one attack, two classifiers side by side. `streamlit run app.py`"""

from typing import Any

import streamlit as st
from torch import Tensor

from kerckhoffs.attacks import ATTACKS, Attack
from kerckhoffs.classifiers import CLASSIFIERS
from kerckhoffs.data import DATASETS
from kerckhoffs.knowledge import KNOWLEDGE
from kerckhoffs.ui import controls, panels
from kerckhoffs.ui.jobs import Job, keep_one
from kerckhoffs.ui.page import end, sentences, start
from kerckhoffs.ui.play import TRAINING_SAMPLES, Experiment, compare, craft, samples

# What the page opens on: an attack that flips the classical classifier (a test holds that).
OPENING_SAMPLE = {"mnist": 0, "fashion-mnist": 0}
OPENING_EPSILON = 0.15
LIVE_SECONDS = 0.25


def choose() -> tuple[Experiment, Tensor, int]:
    """Read the sidebar and the strip: the experiment, its image (1, 1, 28, 28) and its true class."""
    with st.sidebar:
        networks = " ".join(f"**{each.name}**: {each.summary}" for each in CLASSIFIERS.values())
        dataset = controls.entry("Data", DATASETS, "mnist", key="dataset")
        classifier = controls.entry("Network", CLASSIFIERS, "table1", key="classifier", help=networks)
        attack = controls.attack("fgsm", key="attack")
    classes = DATASETS[dataset].classes
    images, labels = samples(dataset)
    index = controls.sample(images, labels, classes, dataset, OPENING_SAMPLE[dataset])
    label = int(labels[index])
    with st.sidebar:
        options = choose_options(attack)
        target = choose_target(dataset, label) if attack.targeted else None
        if attack.kind == "universal":
            st.caption(f"Fitted on {TRAINING_SAMPLES} of the bundled samples, never on the one that is shown.")
        knowledge = st.radio(
            "What the attacker knows",
            list(KNOWLEDGE),
            format_func=lambda i: KNOWLEDGE[i].name,
            key="knowledge",
            persist_state="session",
            help=" ".join(f"**{each.name}.** {each.summary}" for each in KNOWLEDGE.values()),
        )
    experiment = Experiment(dataset, classifier, index, attack.id, options, target, knowledge)
    return experiment, images[index : index + 1], label


def choose_options(attack: Attack) -> tuple[tuple[str, Any], ...]:
    """The attack's options, from the registry. Where an attack can, it shows its image whether it fools or not."""
    chosen = controls.options(attack, {"epsilon": OPENING_EPSILON})
    if any(option.name == "perturb_all" for option in attack.options):
        chosen["perturb_all"] = True
    return tuple(chosen.items())


def choose_target(dataset: str, label: int) -> int | None:
    """The class to aim at, or None."""
    classes = DATASETS[dataset].classes
    chosen: int | None = st.selectbox(
        "Target",
        [None, *(i for i in range(len(classes)) if i != label)],
        format_func=lambda i: "any wrong class" if i is None else classes[i],
        key=f"target_{dataset}_{label}",
        persist_state="session",
        help="Aim at one class (targeted), or at whatever is wrong (untargeted).",
    )
    return chosen


def show(experiment: Experiment, image: Tensor, label: int) -> None:
    """Run what is quick at once; run the rest in a worker, when asked to."""
    name = ATTACKS[experiment.attack].name
    if ATTACKS[experiment.attack].cost == 1:
        draw(experiment, image, label, craft(experiment, image, label)(None), "done")
        return
    if st.session_state.get("job_of") != experiment:
        stop_job()
    job: Job | None = st.session_state.get("job")
    with st.sidebar:
        if st.button(f"Run {name}", type="primary", icon=":material/play_arrow:", width="stretch"):
            run = craft(experiment, image, label)
            job = keep_one("job", lambda job: run(job.on_step))
            st.session_state["job_of"] = experiment
    running = job is not None and not job.done
    st.fragment(watch, run_every=LIVE_SECONDS if running else None)(experiment, image, label, job, running)


def watch(experiment: Experiment, image: Tensor, label: int, job: Job | None, polling: bool) -> None:
    """Draw a job's newest step, or its result. A fragment: it runs alone while it polls."""
    with sentences():
        if job is None:
            name = ATTACKS[experiment.attack].name
            st.info(
                f"{name} has not run on this image with these settings: press “Run {name}”.", icon=":material/info:"
            )
            draw(experiment, image, label, image, "clean")
        elif not job.done:
            progress(experiment, job)
            step = job.step
            draw(experiment, image, label, image if step is None else step.current, "running")
        elif polling:
            st.rerun()  # draw the whole page once more, without polling
        else:
            result = job.result()
            st.caption("Stopped: this is the best example it had." if job.stopped else "Finished.")
            draw(experiment, image, label, image if result is None else result, "done")


def progress(experiment: Experiment, job: Job) -> None:
    """A running job's bar, and a button that stops it."""
    bar, button = st.columns([6, 1], vertical_alignment="center")
    step, left = job.step, job.seconds_left
    if step is None or left is None:
        bar.progress(0.0, "Waiting for a free worker")
    else:
        name = ATTACKS[experiment.attack].name
        bar.progress(step.done / step.total, f"{name}: step {step.done} of {step.total}, {left:.0f} s left at most")
    if button.button("Stop", icon=":material/stop:", width="stretch"):
        job.stop()


def draw(experiment: Experiment, image: Tensor, label: int, adversarial: Tensor, stage: panels.Stage) -> None:
    """The pictures and what both classifiers say."""
    panels.comparison(experiment, image, adversarial, compare(experiment, image, label, adversarial), stage)


def stop_job() -> None:
    """Forget the session's job, and end it if it runs."""
    if job := st.session_state.pop("job", None):
        job.stop()
    st.session_state.pop("job_of", None)


start("Play")
st.title("Whom does the attack fool?")
st.markdown(
    "One adversarial example, two classifiers: the **classical** one, and a **keyed** one, the same network behind "
    "a secret permutation P(·, k) of the pixels."
)
with sentences():
    show(*choose())
end()
