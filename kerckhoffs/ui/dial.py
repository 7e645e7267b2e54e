"""The dial: what the attacker knows. It decides which model an example is crafted on, and nothing else."""

import streamlit as st

from kerckhoffs.knowledge import KNOWLEDGE
from kerckhoffs.ui import link
from kerckhoffs.ui.scheme import scheme

OPENING = "gray-box"


def dial(key: str) -> str:
    """The choice of an attacker, with the scheme as that attacker sees it; returns an id of KNOWLEDGE."""
    link.once(key, "dial", OPENING, link.one_of(KNOWLEDGE))
    chosen: str = st.radio(
        "What the attacker knows",
        list(KNOWLEDGE),
        format_func=lambda each: KNOWLEDGE[each].name,
        key=key,
        persist_state="session",
        label_visibility="collapsed",
        help="Turning this changes the model that the attack is crafted on, and nothing else.",
    )
    st.caption(KNOWLEDGE[chosen].summary)
    scheme(chosen, key=f"{key}_scheme")
    return chosen
