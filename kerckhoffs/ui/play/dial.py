"""The dial: what the attacker knows. It decides which model an example is crafted on, and nothing else."""

import streamlit as st

from kerckhoffs.attackers import ALIASES, ATTACKERS
from kerckhoffs.ui import link
from kerckhoffs.ui.models import attackers, card
from kerckhoffs.ui.parts.scheme import scheme
from kerckhoffs.ui.play.experiment import OPENING_KNOWLEDGE


def dial(defended: str, key: str) -> str:
    """The choice of an attacker on a defended classifier, with the scheme as that attacker sees it.

    Args:
        defended: the id of the classifier.
        key: of the control.

    Returns:
        An id of ATTACKERS; only those are offered whose model to craft on is there.
    """
    entry = card(defended)
    choices = attackers(entry)
    opening = OPENING_KNOWLEDGE if OPENING_KNOWLEDGE in choices else choices[-1]
    link.once(key, "dial", opening, lambda text: link.one_of(dict.fromkeys(choices))(ALIASES.get(text, text)))
    if st.session_state[key] not in choices:
        st.session_state[key] = opening
    chosen: str = st.radio(
        "What the attacker knows",
        choices,
        format_func=lambda each: ATTACKERS[each].words(entry)[0],
        key=key,
        persist_state="session",
        label_visibility="collapsed",
        help="Turning this changes the model that the attack is crafted on, and nothing else.",
    )
    st.caption(ATTACKERS[chosen].words(entry)[1])
    scheme(chosen, entry, key=f"{key}_scheme")
    return chosen
