"""Beat the key: a classifier whose key is hidden, everybody's attacks on it, and the key at the end."""

from itertools import count

import streamlit as st

from kerckhoffs.ui.challenge import board, craft, opening, submit, team, verify
from kerckhoffs.ui.keylab import owner
from kerckhoffs.ui.page import page, panel, sentences

with page("Beat the key", heading="Beat the key"):
    here = owner.is_here()
    if here:
        with st.expander("Open a challenge of your own", icon=":material/flag:"), sentences():
            opening.opening()
    challenge = board.choose()
    if challenge is not None:
        number = count(1)
        with panel(next(number), "The rules, and what was committed to", "challenge_rules"), sentences():
            board.rules(challenge)
            if here:
                opening.revealing(challenge)
        if challenge.state == "revealed":
            with panel(next(number), "The key is revealed: verify it", "challenge_verify"), sentences():
                verify.verify(challenge)
        with panel(next(number), "Leaderboard", "challenge_board"), sentences():
            board.leaderboard(challenge)
        with panel(next(number), "Your team", "challenge_team"), sentences():
            own = team.team(challenge)
        if own is not None:
            with panel(next(number), "Attack", "challenge_attack"), sentences():
                submit.outcome(challenge)
                if made := craft.craft(challenge):
                    submit.submit(challenge, own, made)
