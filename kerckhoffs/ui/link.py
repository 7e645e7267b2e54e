"""The address of the page: everything that decides what it shows, so that a copied address shows it again.

What an address says is untrusted. It is read when a session begins and when the person goes back or forward in the
browser, each value where its control is made and checked there; what is refused becomes a sentence and the default.
Never a key: only a model's id is named.
"""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from kerckhoffs.ui import foreign

MAX_VALUES = 40
MAX_CHARACTERS = 5000  # of one value: the longest drawing

_ARRIVED, _REFUSED, _AGAIN, _VISITS = "link_arrived", "link_refused", "link_again", "link_visits"


def arrive() -> None:
    """Keep what the address says, at the start of a session, or when the person went back to it."""
    state: Any = st.session_state
    state[_AGAIN] = _ARRIVED in state and _went_back() and bool(st.query_params)
    if _ARRIVED not in state or state[_AGAIN]:
        given = list(st.query_params.to_dict().items())[:MAX_VALUES]
        state[_ARRIVED] = {name: value for name, value in given if len(value) <= MAX_CHARACTERS}
        state[_REFUSED] = []
        state[_VISITS] = state.get(_VISITS, 0) + 1


def _went_back() -> bool:
    """Whether this run answers the browser's Back or Forward, which Streamlit says nowhere else."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def visit() -> int:
    """How often an address has arrived: for the key of a control that keeps what it shows to itself."""
    number: int = st.session_state[_VISITS]
    return number


def once(key: str, name: str, default: Any, read: Callable[[str], Any]) -> bool:
    """Put what the address says under a name into a control's state, or the default, before it is first made.

    Args:
        key: the control's.
        read: from the address's text to the value; raises ValueError with a sentence.

    Returns:
        Whether it was put there now.
    """
    if key in st.session_state and not st.session_state[_AGAIN]:
        return False
    text = st.session_state[_ARRIVED].pop(name, None)
    st.session_state[key] = default
    if text is not None:
        try:
            st.session_state[key] = read(text)
        except ValueError as error:
            refuse(name, str(error))
    return True


def refuse(name: str, reason: str) -> None:
    """Remember that the address's value of a name was refused, and why, which may quote the address."""
    why = foreign.code(reason, foreign.LONGEST_SENTENCE)
    st.session_state[_REFUSED].append(f"The address's {name} was refused: {why}.")


def tell() -> None:
    """Say once what was refused."""
    for sentence in st.session_state.get(_REFUSED, []):
        st.warning(sentence, icon=":material/link_off:")
    st.session_state[_REFUSED] = []


def one_of(choices: Mapping[str, Any]) -> Callable[[str], str]:
    """Read one of some ids."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text[:30]!r} is none of {', '.join(choices)}")
        return text

    return read


def whole(low: int, high: int) -> Callable[[str], int]:
    """Read a whole number from low to high."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high):
            raise ValueError(f"{text[:30]!r} is no whole number from {low} to {high}")
        return int(text)

    return read


def leave(values: Mapping[str, str]) -> None:
    """Write the address."""
    st.session_state[_ARRIVED] = {}
    if st.query_params.to_dict() != values:
        st.query_params.from_dict(dict(values))
