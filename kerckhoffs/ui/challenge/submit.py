"""Submit what was crafted, and see what was judged."""

from typing import Any

import pandas as pd
import streamlit as st

from kerckhoffs import plots
from kerckhoffs.challenge import service
from kerckhoffs.challenge.judge import TOLERANCE, Judged
from kerckhoffs.challenge.service import Challenge, Outcome
from kerckhoffs.challenge.store import Team
from kerckhoffs.evaluation.metrics import distances
from kerckhoffs.ui import foreign
from kerckhoffs.ui.challenge.craft import Crafted
from kerckhoffs.ui.page import pictures

_DONE, _REFUSED = "challenge_outcome", "challenge_not_submitted"


def submit(challenge: Challenge, own: Team, made: Crafted) -> None:
    """Show the examples with the sizes of their changes, and a button; a request has at most `at_once` images."""
    rules = challenge.rules
    originals, _ = challenge.images()
    size: Any = distances(originals[list(made.positions)].double(), made.images.double())
    sizes = getattr(size, rules.norm).tolist()
    shown = []
    for image, at, far in zip(made.images, made.positions, sizes, strict=True):
        beyond = ", beyond the budget" * (far > rules.budget + TOLERANCE)
        shown.append(
            (plots.picture(image, upscale=2), f"{at}: {rules.norm} {far:.3f}{beyond}", f"Example of image {at}")
        )
    st.caption(f"{made.how}; not judged yet.")
    pictures(*shown, several=True)
    count = len(made.positions)
    st.button(
        f"Submit: costs {count} {'query' if count == 1 else 'queries'}",
        type="primary",
        icon=":material/gavel:",
        key="challenge_submit",
        disabled=challenge.state != "open",
        on_click=_submit,
        args=(challenge, own, made),
    )


def _submit(challenge: Challenge, own: Team, made: Crafted) -> None:
    state: Any = st.session_state
    most, judged = challenge.rules.at_once, list[Judged]()
    state.pop(_REFUSED, None)
    for start in range(0, len(made.positions), most):
        some = slice(start, start + most)
        try:
            done = service.work(challenge.submit, own, made.images[some], made.positions[some])
        except ValueError as error:
            state[_REFUSED] = str(error)
            return
        judged += done.judged
        state[_DONE] = challenge.id, Outcome(tuple(judged), done.fooled, done.left)


def outcome(challenge: Challenge) -> None:
    """What became of the last submission."""
    state: Any = st.session_state
    if refused := state.get(_REFUSED):
        st.error(foreign.sentence(refused), icon=":material/error:")
    of, done = state.get(_DONE, ("", None))
    if done is None or of != challenge.id:
        return
    rules = challenge.rules
    counted = sum(each.counts for each in done.judged)
    words = f"**{counted} of {len(done.judged)}** fool the keyed classifier within the budget; you have fooled it on " \
            f"**{done.fooled} of {len(rules.samples)}** images in all, and {done.left} queries are left."  # fmt: skip
    (st.success if counted else st.warning)(words, icon=":material/gavel:")
    _, labels = challenge.images()
    rows = [
        {
            "Image": each.position,
            "True class": rules.classes[int(labels[each.position])],
            f"Change ({rules.norm})": round(each.distance, 4),
            "Read as": "not asked: beyond the budget" if each.read_as is None else rules.classes[each.read_as],
            "Counts": "yes" if each.counts else "no",
        }
        for each in done.judged
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="challenge_judged", alt="What was judged, image by image")
