"""Play: one image, one attacker, one attack, classifiers side by side."""

from collections.abc import Iterator, Mapping
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.attacks import ATTACKS, Attack
from kerckhoffs.data import DATASETS
from kerckhoffs.ui import controls, link
from kerckhoffs.ui.models import card, may_run
from kerckhoffs.ui.page import headline, page, panel
from kerckhoffs.ui.play import lesson, live, surprise
from kerckhoffs.ui.play.columns import choose as choose_columns
from kerckhoffs.ui.play.experiment import OPENING_EPSILON, OPENING_SAMPLE, TRAINING_SAMPLES, Experiment
from kerckhoffs.ui.play.keywork import heading, key_at_work
from kerckhoffs.ui.play.ladder import Given, ladder
from kerckhoffs.ui.play.picture import SOURCES, Chosen, choose
from kerckhoffs.ui.play.takeaway import takeaway

ANY = -1  # no target


def panels_of_choice() -> Experiment | None:
    """Panels 1 to 3: the image, the attacker and the attack, and their address; None while there is no image."""
    first, second, third = st.columns([1.15, 1, 1], gap="small")
    with second, st.container(border=True, key="panel_dial"):
        about = st.container(horizontal=True, wrap=False, vertical_alignment="center", key="about_whom")
        about.html(headline(2, "Who knows what of"), width="content")
        below = st.container(key="who")
    with first, panel(1, "The image", "image"):
        columns = choose_columns(about)
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            source = controls.entry("Image", SOURCES, "sample", key="source", name="image")
            if source == "sample":
                surprise.button(columns.dataset)
        chosen = choose(columns.dataset, columns.left, source, OPENING_SAMPLE)
    with below:
        knowledge, given = ladder(columns.right, "knowledge")
    with third, panel(3, "The attack", "attack"):
        attack = choose_attack(knowledge, columns.right)
        first_option, (aim, more) = st.container(), st.columns([3, 2], vertical_alignment="bottom", wrap=False)
        with first_option:
            options = choose_options(attack, more)
        with aim:
            target = choose_target(columns.dataset, chosen) if attack.targeted and chosen else None
        st.caption(" ".join(remarks(attack, dict(options))))
    seed = st.session_state["seed"] if attack.random else 0
    said = address(source, chosen, (knowledge, given), attack, options, target, seed)
    link.leave(columns.address() | said | lesson.address())
    if chosen is None:
        return None
    return Experiment(
        columns.dataset,
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
        given,
    )


def remarks(attack: Attack, options: Mapping[str, Any]) -> Iterator[str]:
    """What else is to be known of an attack with these options."""
    if "epsilon" in options and attack.norm == "linf":
        yield f"ε is {255 * options['epsilon']:.4g} of 255 grey levels."
    if attack.kind == "universal":
        yield f"Fitted on {TRAINING_SAMPLES} of the bundled samples, never on the one that is shown."
    if attack.cost == 1:
        yield "It runs at every change."


def choose_attack(knowledge: str, defended: str) -> Attack:
    """The attack, of those that this attacker can run; going back on the ladder brings the other choice back."""
    reads, entry = ATTACKERS[knowledge].reads, card(defended)

    def allowed(attack: Attack) -> bool:
        return may_run(attack, knowledge, entry)

    if "gradients" in reads:
        return controls.attack(allowed, "fgsm", key="attack")
    if "nothing" in reads:
        st.caption("What knows nothing of a model can only add noise.")
        return controls.attack(allowed, "noise", key="attack_by_nothing")
    st.caption(f"A black box gives no gradients: these attacks read {' or '.join(reads)}.")
    if "scores" in reads:
        return controls.attack(allowed, "square", key="attack_by_queries")
    return controls.attack(allowed, "rays" if "rays" in ATTACKS else "hop_skip_jump", key="attack_by_labels")


def choose_options(attack: Attack, more: DeltaGenerator) -> tuple[tuple[str, Any], ...]:
    """The attack's options, from the registry. Where an attack can, it shows its image whether it fools or not."""
    chosen = controls.options(attack, {"epsilon": OPENING_EPSILON}, more)
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


def address(
    source: str,
    chosen: Chosen | None,
    attacker: tuple[str, Given],
    attack: Attack,
    options: tuple[tuple[str, Any], ...],
    target: int | None,
    seed: int,
) -> dict[str, str]:
    """What the page's address says beside the classifiers: everything that decides the example, and never a key."""
    values = {"image": source} | ({source: chosen.value} if chosen else {})
    values |= {"dial": attacker[0], "attack": attack.id}
    values |= {f"{controls.BY}{name}": str(value).lower() for name, value in attacker[1]}
    values |= {name: str(value).lower() for name, value in options if name != "perturb_all"}
    if chosen and chosen.said:
        values["meant"] = str(chosen.label)
    if target is not None:
        values["target"] = str(target)
    if attack.random:
        values["seed"] = str(seed)
    return values


with page("Play", heading="Whom does the attack fool?"):
    link.arrive()
    lesson.hidden()
    if experiment := panels_of_choice():
        st.session_state["played"] = experiment  # for the next surprise
        example = live.show(experiment)
        with panel(4, heading(experiment), "key"):
            key_at_work(experiment, example)
        with panel(5, "Take it away", "takeaway"):
            if example.made:
                takeaway(experiment, example)
            else:
                first = "" if experiment.ready else "the attacker's model is made and "
                st.caption(f"When {first}the attack has run, its example can be downloaded here.")
    else:
        st.info("There is no image yet: draw one, or upload one.", icon=":material/draw:")
    lesson.bring_back()
