"""The ladder: what the attacker knows, from nothing to the key. It decides which model an example is crafted on."""

from typing import Any

import streamlit as st

from kerckhoffs.attackers import ALIASES, ATTACKERS, crafted_on
from kerckhoffs.ui import controls, link, models
from kerckhoffs.ui.models import attackers, card
from kerckhoffs.ui.parts.scheme import scheme
from kerckhoffs.ui.play.experiment import OPENING_KNOWLEDGE
from kerckhoffs.ui.play.price import price
from kerckhoffs.zoo import ModelCard

Given = tuple[tuple[str, Any], ...]


def ladder(defended: str, key: str) -> tuple[str, Given]:
    """The choice of an attacker on a defended classifier, with the scheme as that attacker sees it.

    Args:
        defended: the id of the classifier.
        key: of the control.

    Returns:
        An id of ATTACKERS, of those that there can be; and the options of this attacker.
    """
    entry = card(defended)
    rungs = attackers(entry)
    with st.container(horizontal=True, wrap=False, gap="xsmall", vertical_alignment="center", key=f"{key}_rungs"):
        chosen = _rung(rungs, entry, key)
        given = _options(chosen)
    known = ATTACKERS[chosen].words(entry)[1]
    st.caption(f"Rung {rungs.index(chosen) + 1} of {len(rungs)}. {known} {price(chosen, entry, given)}")
    scheme(chosen, entry, f"{key}_scheme", dict(given))
    return chosen, given


def _rung(rungs: tuple[str, ...], entry: ModelCard, key: str) -> str:
    """The menu of the rungs, which is one line however many there are, and a step down and up."""
    opening = _opening(rungs, entry)
    link.once(key, "dial", opening, lambda text: link.one_of(dict.fromkeys(rungs))(ALIASES.get(text, text)))
    if st.session_state[key] not in rungs:
        st.session_state[key] = opening

    def step(by: int) -> None:
        st.session_state[key] = rungs[rungs.index(st.session_state[key]) + by]

    chosen: str = st.selectbox(
        "What the attacker knows",
        rungs,
        format_func=lambda each: title(each, rungs, entry),
        key=key,
        persist_state="session",
        label_visibility="collapsed",
        filter_mode="contains",
    )
    place = rungs.index(chosen)
    for words, by, end in (("down", -1, 0), ("up", 1, len(rungs) - 1)):
        st.button(
            f"One rung {words}",
            key=f"{key}_{words}",
            icon=f":material/keyboard_arrow_{words}:",
            on_click=step,
            args=(by,),
            disabled=place == end,
            help=f"One rung {words}: the attacker knows {'more' if by > 0 else 'less'}.",
        )
    return chosen


def title(name: str, rungs: tuple[str, ...], entry: ModelCard) -> str:
    """A rung's line in the menu."""
    return f"{rungs.index(name) + 1} · {ATTACKERS[name].words(entry)[0]}"


def _opening(rungs: tuple[str, ...], entry: ModelCard) -> str:
    """The rung that the page opens on: one whose model is there."""
    there = OPENING_KNOWLEDGE in rungs and models.there(crafted_on(OPENING_KNOWLEDGE, entry))
    return OPENING_KNOWLEDGE if there else rungs[-1]


def _options(attacker: str) -> Given:
    """The options of an attacker, behind a button."""
    options = ATTACKERS[attacker].options
    if not options:
        return ()
    with st.popover("The attacker's options", icon=":material/tune:", help="The attacker's options"):
        return tuple((each.name, controls.option(each, f"{attacker}_by", address=controls.BY)) for each in options)
