"""Controls that pages share: menus made from the registries, and the strip of samples."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from PIL import Image
from torch import Tensor

from kerckhoffs import plots
from kerckhoffs.attacks import ATTACKS, Attack, Option

STRIP = 12  # thumbnails at a time
ACCESS = ("gradients", "scores", "labels")  # in the order of the menu, the most first
KINDS = ("budget", "minimal", "universal")


def entry(label: str, registry: Mapping[str, Any], default: str, key: str, help: str | None = None) -> str:
    """A choice of one entry of a registry, by its name; returns its id."""
    chosen: str = st.segmented_control(
        label,
        list(registry),
        format_func=lambda each: str(registry[each].name),
        default=default,
        required=True,
        key=key,
        help=help,
        persist_state="session",
    )
    return chosen


def attack(default: str, key: str) -> Attack:
    """The menu of attacks, by what they read of the model, and then by their kind."""
    order = sorted(ATTACKS.values(), key=lambda each: (ACCESS.index(each.access), KINDS.index(each.kind)))
    chosen = st.selectbox(
        "Attack",
        [each.id for each in order],
        [each.id for each in order].index(default),
        format_func=lambda each: f"{ATTACKS[each].name} · {ATTACKS[each].norm} · {ATTACKS[each].access}",
        key=key,
        help="Its name, the norm in which it counts the change, and what it reads of the model.",
        persist_state="session",
    )
    return ATTACKS[chosen]


def options(attack: Attack, opening: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an attack by name: the first at once, the rest behind a button, each where it counts.

    Args:
        opening: values to open on, where they are not the defaults.
    """
    chosen: dict[str, Any] = {}

    def ask(choice: Option) -> None:
        if choice.when is None or chosen[choice.when[0]] == choice.when[1]:
            chosen[choice.name] = option(choice, attack.id, opening.get(choice.name))

    first, *rest = (each for each in attack.options if each.name != "perturb_all")
    ask(first)
    if rest:
        with st.popover("More options", icon=":material/tune:", width="stretch"):
            for each in rest:
                ask(each)
    return chosen


def option(choice: Option, prefix: str, default: Any = None) -> Any:
    """The widget of one option of an attack: a slider where the range is short, a number otherwise."""
    value = choice.default if default is None else default
    shared: dict[str, Any] = {"key": f"{prefix}_{choice.name}", "help": choice.help, "persist_state": "session"}
    name = choice.name.replace("_", " ")
    if choice.type is bool:
        return st.toggle(name, value, **shared)
    if choice.type is str:
        return st.selectbox(name, choice.choices, choice.choices.index(value), **shared)
    low, high = choice.type(choice.low), choice.type(choice.high)
    if choice.type is float and high - low <= 1 and low == 0:
        return st.slider(name, low, high, value, 0.01, **shared)
    format_ = None if choice.type is int else "%.1f" if low == 0 else "%.3g"
    return st.number_input(name, low, high, choice.type(value), format=format_, **shared)


def sample(images: Tensor, labels: Tensor, classes: Sequence[str], prefix: str, opening: int) -> int:
    """A strip of thumbnails by class; returns the index of the chosen sample."""
    chosen_key, page_key, class_key = f"{prefix}_sample", f"{prefix}_page", f"{prefix}_class"
    state = st.session_state
    state.setdefault(chosen_key, opening)
    state.setdefault(class_key, int(labels[state[chosen_key]]))
    state.setdefault(page_key, 0)

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
    with st.container(horizontal=True, gap="xsmall", key=f"{prefix}_strip"):
        st.button("‹ Earlier", key=f"{prefix}_back", on_click=turn, args=(-1,))
        for slot, index in enumerate(shown):
            st.button(
                f"Sample {index}, {classes[state[class_key]]}",
                key=f"{prefix}_thumb_{slot}",
                on_click=choose,
                args=(index,),
                type="primary" if index == state[chosen_key] else "secondary",
            )
        st.button("More ›", key=f"{prefix}_next", on_click=turn, args=(1,))
    st.html(_thumbnail_style(prefix, images, shown))
    chosen: int = state[chosen_key]
    return chosen


def _thumbnail_style(prefix: str, images: Tensor, shown: Sequence[int]) -> str:
    """Put each sample's picture on its button. The words stay, for those who do not see."""
    rules = [
        f'[class*="st-key-{prefix}_thumb_"] button {{ width: 48px; height: 48px; min-height: 48px; padding: 0;'
        " background-size: cover; image-rendering: pixelated; border: 3px solid transparent; border-radius: 6px; }"
        f'[class*="st-key-{prefix}_thumb_"] button * {{ font-size: 0; line-height: 0; }}'
        f'[class*="st-key-{prefix}_thumb_"] button[kind="primary"] {{ border-color: {plots.AFTER}; }}'
        f'[class*="st-key-{prefix}_thumb_"] button:focus-visible {{ outline: 3px solid {plots.AFTER}; }}'
    ]
    for slot, index in enumerate(shown):
        buffer = io.BytesIO()
        Image.fromarray(plots.grey(images[index], upscale=1)).save(buffer, "PNG")
        encoded = base64.b64encode(buffer.getvalue()).decode()
        rules.append(
            f".st-key-{prefix}_thumb_{slot} button {{ background-image: url(data:image/png;base64,{encoded}); }}"
        )
    return f"<style>{''.join(rules)}</style>"
