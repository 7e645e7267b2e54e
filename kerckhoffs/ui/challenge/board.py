"""What everybody sees of a challenge: its rules, its commitment, where programs find it, and the leaderboard."""

import time
from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from kerckhoffs import plots
from kerckhoffs.challenge import service
from kerckhoffs.challenge.service import Challenge
from kerckhoffs.challenge.wire import ADDRESS
from kerckhoffs.ui import foreign, link
from kerckhoffs.ui.page import pictures

LOOK_SECONDS = 3.0
CHOSEN = "challenge_id"


def choose() -> Challenge | None:
    """The challenge that the address names or the newest one; None if there is none."""
    found = {each.id: each for each in service.listed()}
    if not found:
        st.info(
            "No challenge is open here. Who runs this app opens one: `kerckhoffs challenge new MODEL`.",
            icon=":material/info:",
        )
        return None
    link.arrive()
    link.once(CHOSEN, "id", next(iter(found)), link.one_of(found))
    if st.session_state[CHOSEN] not in found:
        st.session_state[CHOSEN] = next(iter(found))
    if len(found) > 1:
        st.selectbox("Challenge", list(found), format_func=lambda each: _title(found[each]), key=CHOSEN)
    chosen: str = st.session_state[CHOSEN]
    link.leave({"id": chosen})
    return found[chosen]


def _title(challenge: Challenge) -> str:
    rules = challenge.rules
    return f"{challenge.id} · {rules.dataset}, {rules.network}, {rules.defence} · {challenge.state}"


def rules(challenge: Challenge) -> None:
    """What is allowed, and what was committed to."""
    said = challenge.rules
    st.markdown(said.words())
    left = said.end.timestamp() - time.time()
    if challenge.state == "open":
        st.markdown(f"It ends on **{said.end.astimezone(UTC):%d %B %Y, %H:%M} UTC**, {_span(left)} from now.")
    else:
        st.markdown("**It has ended.**" + " Its key is revealed below." * (challenge.state == "revealed"))
    st.markdown(f"The classifier is {said.network}, {said.defence}, and only its owner has the key.")
    if said.twin:
        st.markdown(
            f"Its classical twin, trained without a key, is public: `{said.twin}`. Craft on it, or ask the keyed one."
        )
    st.markdown("The **commitment** to its key and its weights. Keep it: at the end, everybody can compare.")
    st.code(challenge.commitment, language=None)
    st.caption(
        f"For programs: `{ADDRESS}/{challenge.id}` on this server, described at `{ADDRESS}/openapi.json`; "
        "docs/challenge.md has examples with curl, NumPy, foolbox and ART."
    )
    with st.expander("The images"):
        images, labels = challenge.images()
        called = [f"{place}: {said.classes[label]}" for place, label in enumerate(labels.tolist())]
        shown = [(plots.picture(image, 2), name, f"Image {name}") for image, name in zip(images, called, strict=True)]
        pictures(*shown, several=True)


def _span(seconds: float) -> str:
    if seconds > 2 * 86400:
        return f"{seconds / 86400:.0f} days"
    return f"{seconds / 3600:.1f} hours" if seconds > 3600 else f"{max(seconds, 0) / 60:.0f} minutes"


def leaderboard(challenge: Challenge) -> None:
    """The teams, looked up again while the challenge goes on."""
    st.fragment(_table, run_every=LOOK_SECONDS if challenge.state == "open" else None)(challenge)


def _table(challenge: Challenge) -> None:
    teams = challenge.leaderboard()
    if not teams:
        st.caption("No team has joined yet.")
        return
    rows = [
        {
            "Place": place,
            "Team": foreign.cell(each.name),
            "Images fooled": each.fooled,
            "Queries for it": each.queries,
            "Queries spent": each.spent,
            "Since (UTC)": f"{datetime.fromtimestamp(each.at, UTC):%d %b %H:%M:%S}",
        }
        for place, each in enumerate(teams, 1)
    ]
    words = "The teams, by images fooled, then fewer queries for that, then earlier"
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="challenge_board", alt=words)
