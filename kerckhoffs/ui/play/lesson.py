"""What a teacher's link shows: parts of the page that are not needed are hidden, by name, in the address."""

from collections.abc import Mapping

import streamlit as st

from kerckhoffs.ui import link

PARTS: Mapping[str, tuple[str, str]] = {
    "navigation": ("the other pages", "navigation"),
    "image": ("the image", "panel_image"),
    "attacker": ("the attacker", "panel_dial"),
    "attack": ("the attack", "panel_attack"),
    "key": ("the key at work", "panel_key"),
    "takeaway": ("take it away", "panel_takeaway"),
}
"""By the word of the address: what a part is called, and the key of its container."""

_HIDDEN = "hidden_parts"


def hidden() -> tuple[str, ...]:
    """What the address hides; its parts are drawn, and not shown."""
    link.once(_HIDDEN, "hide", [], _read)
    found = tuple(st.session_state[_HIDDEN])
    if found:
        keys = ", ".join(f".st-key-{PARTS[name][1]}" for name in found)
        st.html(f"<style>{keys} {{ display: none !important; }}</style>")
    return found


def _read(text: str) -> list[str]:
    return [link.one_of(PARTS)(name) for name in dict.fromkeys(text.split(","))]


def address() -> dict[str, str]:
    """What the address says of it."""
    found = st.session_state[_HIDDEN]
    return {"hide": ",".join(found)} if found else {}


def choose() -> None:
    """Hide parts for a lesson."""
    with st.popover("Hide for a lesson", icon=":material/visibility_off:"):
        st.pills(
            "Parts that the link hides",
            list(PARTS),
            selection_mode="multi",
            format_func=lambda name: PARTS[name][0],
            key=_HIDDEN,
        )
        st.caption("The address then shows only what the lesson needs.")


def bring_back() -> None:
    """Where something is hidden, a way to see it again."""
    if st.session_state[_HIDDEN]:
        st.button("Show all controls", type="tertiary", icon=":material/visibility:", key="show_all", on_click=_show)


def _show() -> None:
    st.session_state[_HIDDEN] = []
