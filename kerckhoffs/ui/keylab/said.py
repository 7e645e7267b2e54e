"""What an action came to, said at the top until the next one: a browser may draw the page twice after a click."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

from kerckhoffs.ui import foreign

_SAID = "keylab_said"


def tell(action: Callable[[], str]) -> None:
    """Do something in a callback, and keep its sentence, or that of what was refused, for `say`."""
    state: Any = st.session_state
    try:
        state[_SAID] = "", action()
    except ValueError as error:
        state[_SAID] = str(error), ""


@contextmanager
def refusals() -> Iterator[None]:
    """Show what was refused where it was, and draw the rest."""
    try:
        yield
    except ValueError as error:
        st.error(foreign.sentence(str(error)), icon=":material/error:")


def say() -> None:
    """Show what was kept."""
    refused, done = st.session_state.get(_SAID, ("", ""))
    if refused:
        st.error(foreign.sentence(refused), icon=":material/error:")
    if done:
        st.success(foreign.sentence(done), icon=":material/check:")


def typed(key: str) -> str:
    """What was typed into a field, which is emptied: for passphrases, in a callback."""
    state: Any = st.session_state
    text, state[key] = str(state.get(key, "")), ""
    return text
