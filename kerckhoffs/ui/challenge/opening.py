"""Open a challenge and reveal its key on a page: for the owner of the keys, at the machine of the app alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from kerckhoffs.challenge import begin, service
from kerckhoffs.challenge.service import Challenge
from kerckhoffs.ui import foreign, models

_SAID, _REFUSED, _WORD = "challenge_opened", "challenge_not_opened", "challenge_word"
BUDGETS = {"linf": (0.2, 1.0), "l2": (2.0, 28.0)}
"""For each norm the usual budget, and the most that the page offers."""


def opening() -> None:
    """Draw what it takes to open one."""
    _say()
    own = [card.id for card in models.listed() if card.private and len(card.keys) == 1]
    if not own:
        st.markdown(
            "A challenge hides the key of a classifier of your own. Train one under a fresh key in the Key lab, or by "
            "`kerckhoffs train mnist-table1-keyed --quick --name NAME`."
        )
        return
    st.selectbox("Classifier", own, key="challenge_model")
    norm, budget, images, hours = st.columns(4)
    chosen = norm.selectbox("Norm", list(BUDGETS), key="challenge_norm")
    usual, most = BUDGETS[chosen]
    budget.number_input("Budget", 0.01, most, usual, 0.05, key=f"challenge_budget_{chosen}")
    images.number_input("Images", 1, 100, 20, key="challenge_images")
    hours.number_input("Hours", 0.1, 24.0 * 90, 24.0 * 7, key="challenge_hours")
    answers, queries, rate, teams = st.columns(4)
    answers.selectbox("Answers", ["labels", "scores"], key="challenge_answers")
    queries.number_input("Queries a team", 1, 10_000_000, 10_000, key="challenge_queries")
    rate.number_input("Of them a minute", 64, 1_000_000, 3000, key="challenge_rate")
    teams.number_input("Teams", 1, 10_000, 100, key="challenge_teams")
    st.toggle("Only who has an invitation may join", key="challenge_invited")
    st.button("Open the challenge", type="primary", icon=":material/flag:", key="challenge_open", on_click=_open)
    st.caption(
        "Until its key is revealed, the classifier stands in no other menu of this app: answers that nobody counts "
        "would spoil the challenge."
    )


def _say() -> None:
    state: Any = st.session_state
    if refused := state.get(_REFUSED, ""):
        st.error(foreign.sentence(refused), icon=":material/error:")
    if said := state.get(_SAID, ""):
        st.success(said, icon=":material/flag:")
    if word := state.get(_WORD):
        st.code(word, language=None)
        st.caption("The invitation, shown this once.")
        st.button("I have the invitation", key="challenge_word_kept", on_click=lambda: state.pop(_WORD, None))


def _forget() -> None:
    """What was said of the action before this one."""
    for name in (_SAID, _REFUSED, _WORD):
        st.session_state.pop(name, None)


def _open() -> None:
    state: Any = st.session_state
    _forget()
    norm = state["challenge_norm"]
    try:
        made, word = service.work(
            begin.new,
            state["challenge_model"],
            images=state["challenge_images"],
            invitation=state["challenge_invited"],
            norm=norm,
            budget=float(state[f"challenge_budget_{norm}"]),
            answers=state["challenge_answers"],
            queries=state["challenge_queries"],
            rate=state["challenge_rate"],
            at_once=64,
            teams=state["challenge_teams"],
            end=datetime.now(UTC) + timedelta(hours=state["challenge_hours"]),
        )
    except ValueError as error:
        state[_REFUSED] = str(error)
        return
    state["challenge_id"] = made.id
    state[_SAID] = f"The challenge `{made.id}` is open. Publish its commitment, below, where it is on record."
    if word:
        state[_WORD] = word


def revealing(challenge: Challenge) -> None:
    """The owner's button that ends a challenge and makes its key public."""
    if challenge.state == "revealed":
        return
    early = challenge.state == "open"
    sure = st.checkbox("Reveal the key: it is public from then on, and so are the weights", key="challenge_sure")
    st.button(
        "Reveal now, before the end" if early else "Reveal",
        icon=":material/key:",
        disabled=not sure,
        key="challenge_reveal",
        on_click=_reveal,
        args=(challenge,),
    )


def _reveal(challenge: Challenge) -> None:
    state: Any = st.session_state
    _forget()
    try:
        challenge.reveal(early=True)
    except ValueError as error:
        state[_REFUSED] = str(error)
