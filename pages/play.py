"""Play: one image, one attacker, one attack, two classifiers side by side."""

from typing import Any

import streamlit as st

from kerckhoffs.attackers import KNOWLEDGE
from kerckhoffs.attacks import ATTACKS, Attack
from kerckhoffs.data import DATASETS
from kerckhoffs.ui import controls, link
from kerckhoffs.ui.page import page, panel
from kerckhoffs.ui.play import live
from kerckhoffs.ui.play.columns import choose_set, choose_two
from kerckhoffs.ui.play.dial import dial
from kerckhoffs.ui.play.experiment import OPENING_EPSILON, OPENING_SAMPLE, TRAINING_SAMPLES, Experiment
from kerckhoffs.ui.play.keywork import key_at_work
from kerckhoffs.ui.play.picture import SOURCES, Chosen, choose
from kerckhoffs.ui.play.takeaway import takeaway

ANY = -1  # no target


def panels_of_choice() -> Experiment | None:
    """Panels 1 to 3: the image, the attacker and the attack, and their address; None while there is no image."""
    first, second, third = st.columns([1.15, 1, 1], gap="small")
    with first, panel(1, "The image", "image"):
        dataset, network = choose_set()
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            source = controls.entry("Image", SOURCES, "sample", key="source", name="image")
            columns = choose_two(dataset, network)
        chosen = choose(dataset, columns.left, source, OPENING_SAMPLE)
    with second, panel(2, "Who knows what", "dial"):
        knowledge = dial(columns.right, "knowledge")
    with third, panel(3, "The attack", "attack"):
        attack = choose_attack(knowledge)
        options = choose_options(attack)
        if attack.kind == "universal":
            st.caption(f"Fitted on {TRAINING_SAMPLES} of the bundled samples, never on the one that is shown.")
        if chosen is None:
            return None
        target = choose_target(dataset, chosen) if attack.targeted else None
        seed = st.session_state["seed"] if attack.random else 0
        if attack.cost == 1:
            st.caption(f"{attack.name} takes one step: it runs at every change.")
    experiment = Experiment(
        dataset,
        columns.left,
        columns.right,
        chosen.source,
        chosen.value,
        chosen.label,
        attack.id,
        options,
        target,
        knowledge,
        seed,
        columns.control,
    )
    link.leave(columns.address() | address(experiment, meant=chosen.said))
    return experiment


def choose_attack(knowledge: str) -> Attack:
    """The attack, of those that this attacker can run; turning the dial back brings the other choice back."""
    reads = KNOWLEDGE[knowledge].reads
    if "gradients" in reads:
        return controls.attack(reads, "fgsm", key="attack")
    st.caption(f"A black box gives no gradients: these attacks read {' or '.join(reads)}.")
    return controls.attack(reads, "square", key="attack_by_queries")


def choose_options(attack: Attack) -> tuple[tuple[str, Any], ...]:
    """The attack's options, from the registry. Where an attack can, it shows its image whether it fools or not."""
    chosen = controls.options(attack, {"epsilon": OPENING_EPSILON})
    if any(option.name == "perturb_all" for option in attack.options):
        chosen["perturb_all"] = True
    return tuple(chosen.items())


def choose_target(dataset: str, chosen: Chosen) -> int | None:
    """The class to aim at, or None."""
    classes = DATASETS[dataset].classes
    others = {str(i): classes[i] for i in range(len(classes)) if i != chosen.label}
    key = f"target_{dataset}_{chosen.label}"
    link.once(key, "target", ANY, lambda text: int(link.one_of(others)(text)))
    target = st.selectbox(
        "Target",
        [ANY, *map(int, others)],
        format_func=lambda i: "any wrong class" if i == ANY else classes[i],
        key=key,
        persist_state="session",
        help="Aim at one class (targeted), or at whatever is wrong (untargeted).",
    )
    return None if target == ANY else target


def address(experiment: Experiment, meant: bool) -> dict[str, str]:
    """What the page's address says beside the classifiers: everything that decides the example, and never a key.

    Args:
        meant: whether a person said what the image is meant to be.
    """
    values = {
        "image": experiment.source,
        experiment.source: experiment.value,
        "dial": experiment.knowledge,
        "attack": experiment.attack,
    }
    values |= {name: str(value).lower() for name, value in experiment.options if name != "perturb_all"}
    if meant:
        values["meant"] = str(experiment.label)
    if experiment.target is not None:
        values["target"] = str(experiment.target)
    if ATTACKS[experiment.attack].random:
        values["seed"] = str(experiment.seed)
    return values


with page("Play", heading="Whom does the attack fool?"):
    link.arrive()
    if experiment := panels_of_choice():
        example = live.show(experiment)
        with panel(4, "The key at work", "key"):
            key_at_work(experiment, example)
        with panel(5, "Take it away", "takeaway"):
            if example.made:
                takeaway(experiment, example)
            else:
                st.caption("When the attack has run, its example can be downloaded here.")
    else:
        link.leave({"image": st.session_state["source"]})
        st.info("There is no image yet: draw one, or upload one.", icon=":material/draw:")
