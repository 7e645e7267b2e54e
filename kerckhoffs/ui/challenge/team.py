"""Join a challenge as a team, or come back with its token, which a page shows once and keeps in its session alone."""

from typing import Any

import streamlit as st

from kerckhoffs import whence
from kerckhoffs.challenge.refusals import Refused
from kerckhoffs.challenge.service import Challenge
from kerckhoffs.challenge.store import NAME, Team
from kerckhoffs.ui import foreign

_TOKENS, _NEW, _REFUSED = "challenge_tokens", "challenge_new_token", "challenge_refused"


def team(challenge: Challenge) -> Team | None:
    """The team of this session; None while it has none, and then the ways to one are drawn."""
    state: Any = st.session_state
    token = state.setdefault(_TOKENS, {}).get(challenge.id)
    if token is None:
        _ways(challenge)
        return None
    own = challenge.team(token)
    st.markdown(f"You are {foreign.code(own.name)}: **{own.left} of {challenge.rules.queries} queries** are left.")
    if state.get(_NEW) == challenge.id:
        st.code(token, language=None)
        st.warning("This is your team's token, shown this once: keep it. It is all that a program needs, and all that "
                   "brings you back here.", icon=":material/key:")  # fmt: skip
        st.button("I have it", key="challenge_kept", on_click=lambda: state.pop(_NEW, None))
    st.button("Leave this page's team", key="challenge_leave", on_click=lambda: state[_TOKENS].pop(challenge.id, None))
    return own


def _ways(challenge: Challenge) -> None:
    state: Any = st.session_state
    if refused := state.get(_REFUSED, ""):
        st.error(foreign.sentence(refused), icon=":material/error:")
    new, back = st.columns(2)
    with new.form("challenge_join", border=False):
        st.text_input("Name of a new team", max_chars=NAME, key="challenge_name")
        if challenge.invited:
            st.text_input("Invitation", max_chars=100, key="challenge_invitation", autocomplete="off")
        st.form_submit_button("Join", icon=":material/group_add:", type="primary", on_click=_join, args=(challenge,))
    with back.form("challenge_back", border=False, clear_on_submit=True):
        st.text_input("Token of your team", type="password", max_chars=100, key="challenge_token", autocomplete="off")
        st.form_submit_button("Go on", icon=":material/login:", on_click=_back, args=(challenge,))


def _join(challenge: Challenge) -> None:
    state: Any = st.session_state
    state.pop(_REFUSED, None)
    try:
        address = whence.counted(st.context.ip_address)
        token = challenge.join(state["challenge_name"], state.get("challenge_invitation", ""), address)
    except Refused as error:
        state[_REFUSED] = str(error)
        return
    state[_TOKENS][challenge.id], state[_NEW] = token, challenge.id


def _back(challenge: Challenge) -> None:
    state: Any = st.session_state
    state.pop(_REFUSED, None)
    token = state["challenge_token"].strip()
    try:
        challenge.team(token)
    except Refused as error:
        state[_REFUSED] = str(error)
        return
    state[_TOKENS][challenge.id] = token
