"""Controls that pages share: menus made from the registries, and the strip of samples."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from kerckhoffs import plots
from kerckhoffs.attacks import ATTACKS, Attack, Option
from kerckhoffs.ui import link

BY = "by_"  # before an attacker's options in the address: an attack's may be called the same
STRIP = 6  # thumbnails at a time
ACCESS = ("gradients", "scores", "labels", "nothing")  # in the order of the menu, the most first
STRENGTHS = ("one step", "many steps", "smallest change", "one for all images")
MAX_SEED = 999_999
NO = {bool: "neither true nor false", int: "no whole number", float: "no number"}  # what an address's text is then


def entry(label: str, registry: Mapping[str, Any], default: str, key: str, name: str) -> str:
    """A choice of one entry of a registry, or of a dict of names; returns its id, in the address under `name`."""
    link.once(key, name, default, link.one_of(registry))
    chosen = st.segmented_control(
        label,
        list(registry),
        format_func=lambda each: registry[each] if isinstance(registry[each], str) else str(registry[each].name),
        required=True,
        key=key,
        persist_state="session",
        label_visibility="collapsed",
    )
    assert chosen is not None
    return chosen


def strength(attack: Attack) -> str:
    """How much an attack takes, one of STRENGTHS."""
    if attack.kind == "universal":
        return "one for all images"
    if attack.kind == "minimal":
        return "smallest change"
    return "one step" if attack.cost == 1 else "many steps"


def attack(allowed: Callable[[Attack], bool], default: str, key: str) -> Attack:
    """The menu of the attacks that are allowed, by what they read, and then by their strength."""
    offered = sorted(
        filter(allowed, ATTACKS.values()),
        key=lambda each: (ACCESS.index(each.access), STRENGTHS.index(strength(each))),
    )
    link.once(key, "attack", default, link.one_of({each.id: each for each in offered}))
    chosen = st.selectbox(
        "Attack",
        [each.id for each in offered],
        format_func=lambda each: title(ATTACKS[each]),
        key=key,
        help="Its name, the norm in which it counts the change, what it reads of the model, and how far it goes.",
        persist_state="session",
        filter_mode="contains",
    )
    return ATTACKS[chosen]


def title(attack: Attack) -> str:
    """An attack's line in the menu."""
    reads = "reads nothing" if attack.access == "nothing" else attack.access
    return f"{attack.name} · {attack.norm} · {reads}, {strength(attack)}"


def options(attack: Attack, opening: Mapping[str, Any], more: DeltaGenerator) -> dict[str, Any]:
    """The options of an attack by name: the first at once, the rest behind a button, each where it counts.

    Args:
        opening: values to open on, where they are not the defaults.
        more: where the button stands.
    """
    chosen: dict[str, Any] = {}

    def ask(choice: Option) -> None:
        if choice.when is None or chosen[choice.when[0]] == choice.when[1]:
            chosen[choice.name] = option(choice, attack.id, opening.get(choice.name))

    first, *rest = (each for each in attack.options if each.name != "perturb_all")
    ask(first)
    if rest or attack.random:
        with more.popover("Options", icon=":material/tune:", width="stretch"):
            for each in rest:
                ask(each)
            if attack.random:
                link.once("seed", "seed", 0, link.whole(0, MAX_SEED))
                help = "Of this attack's random numbers: the same seed gives the same example."
                st.number_input("seed", 0, MAX_SEED, key="seed", help=help, persist_state="session")
    return chosen


def option(choice: Option, prefix: str, default: Any = None, address: str = "") -> Any:
    """The widget of one option of an attack or an attacker: a slider where the range is short, a number otherwise.

    Args:
        prefix: of its key.
        address: what stands before its name in the address.
    """
    key = f"{prefix}_{choice.name}"
    link.once(
        key, f"{address}{choice.name}", choice.type(choice.default if default is None else default), _reader(choice)
    )
    shared: dict[str, Any] = {"key": key, "help": choice.help, "persist_state": "session"}
    name = choice.name.replace("_", " ")
    if choice.type is bool:
        return st.toggle(name, **shared)
    if choice.type is str:
        return st.selectbox(name, choice.choices, **shared)
    low, high = choice.type(choice.low), choice.type(choice.high)
    if choice.type is float and high - low <= 1 and low == 0:
        return st.slider(name, low, high, step=0.01, format="%.4g", **shared)  # an address may say 0.195
    format_ = None if choice.type is int else "%.1f" if low == 0 else "%.3g"
    return st.number_input(name, low, high, format=format_, **shared)


def _reader(choice: Option) -> Callable[[str], Any]:
    """From an address's text to a value that the option allows."""

    def read(text: str) -> Any:
        try:
            value = {"true": True, "false": False}[text] if choice.type is bool else choice.type(text[:30])
        except (KeyError, ValueError):
            raise ValueError(f"{text[:30]!r} is {NO[choice.type]}") from None
        choice.check(value)
        return value

    return read


def sample(images: Tensor, labels: Tensor, classes: Sequence[str], prefix: str, opening: int) -> int:
    """A strip of thumbnails by class; returns the index of the chosen sample."""
    chosen_key, page_key, class_key = f"{prefix}_sample", f"{prefix}_page", f"{prefix}_class"
    state = st.session_state
    if link.once(chosen_key, "sample", opening, link.whole(0, len(images) - 1)):
        show_sample(prefix, labels, state[chosen_key])

    def choose(index: int) -> None:
        state[chosen_key] = index

    def choose_class() -> None:
        state[page_key] = 0
        state[chosen_key] = int((labels == state[class_key]).nonzero()[0, 0])

    def turn(by: int) -> None:
        state[page_key] += by

    st.segmented_control(
        "Class",
        range(len(classes)),
        format_func=lambda i: classes[i],
        key=class_key,
        required=True,
        persist_state="session",
        on_change=choose_class,
        label_visibility="collapsed",
    )
    members = (labels == state[class_key]).nonzero().squeeze(1).tolist()
    pages = -(-len(members) // STRIP)
    page = state[page_key] % pages
    shown = members[page * STRIP : (page + 1) * STRIP]
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key=f"{prefix}_strip"):
        st.button("‹", key=f"{prefix}_back", on_click=turn, args=(-1,), help="Earlier samples of this class")
        for slot, index in enumerate(shown):
            is_chosen = index == state[chosen_key]
            st.button(
                f"Sample {index}, {classes[state[class_key]]}{', chosen' if is_chosen else ''}",
                key=f"{prefix}_thumb_{slot}",
                on_click=choose,
                args=(index,),
                type="primary" if is_chosen else "secondary",
            )
        st.button("›", key=f"{prefix}_next", on_click=turn, args=(1,), help="More samples of this class")
    st.html(_thumbnail_style(prefix, images, tuple(shown)))
    chosen: int = state[chosen_key]
    return chosen


def show_sample(prefix: str, labels: Tensor, index: int) -> None:
    """Choose a sample and turn its strip to where it is shown; before the strip is drawn."""
    state = st.session_state
    label = int(labels[index])
    state[f"{prefix}_sample"], state[f"{prefix}_class"] = index, label
    state[f"{prefix}_page"] = int((labels[:index] == label).sum()) // STRIP


@st.cache_data(max_entries=400, show_spinner=False)
def _thumbnail_style(prefix: str, _images: Tensor, shown: tuple[int, ...]) -> str:
    """Put each sample's picture on its button. The words stay, for those who do not see."""
    rules = [
        f'[class*="st-key-{prefix}_thumb_"] button {{ width: 44px; height: 44px; min-height: 44px; padding: 0;'
        " background-size: cover; background-origin: border-box; image-rendering: pixelated; border-radius: 6px;"
        " border: 3px solid transparent; }"
        f'[class*="st-key-{prefix}_thumb_"] button * {{ font-size: 0; line-height: 0; }}'
        f'[class*="st-key-{prefix}_thumb_"] button[kind="primary"] {{ border-color: {plots.AFTER}; }}'
        f'[class*="st-key-{prefix}_thumb_"] button:focus-visible {{ outline: 3px solid {plots.AFTER}; }}'
    ]
    for slot, index in enumerate(shown):
        picture = plots.data_uri(plots.picture(_images[index], upscale=1))
        rules.append(f".st-key-{prefix}_thumb_{slot} button {{ background-image: url({picture}); }}")
    return f"<style>{''.join(rules)}</style>"
