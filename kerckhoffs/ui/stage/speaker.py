"""Who may open a room: whoever sits at the machine that the app runs on, also where the app is open to others.

A visitor who comes from this machine, through no proxy, asks for it by a local name and from a page of that name: a
proxy on this machine would have to forge both names, and no browser helps it to. Behind a proxy nobody opens a room.
"""

from urllib.parse import urlsplit

import streamlit as st

from kerckhoffs.room.network import LOCAL
from kerckhoffs.ui.keylab.owner import PASSED_ON, is_here

HOSTED = (
    "Rooms are opened on the machine that the app runs on, at an address that begins with `http://localhost` or "
    "`http://127.0.0.1`, and not through a proxy."
)


def may_open() -> bool:
    """Whether this visitor is the one who runs the app, or sits beside them."""
    if is_here():
        return True
    headers = st.context.headers
    if st.context.ip_address is not None or any(name in headers for name in PASSED_ON):
        return False
    return _local(headers.get("Host")) and urlsplit(headers.get("Origin") or "").hostname in LOCAL


def _local(host: str | None) -> bool:
    return host is not None and urlsplit(f"//{host}").hostname in LOCAL
