"""Whether a visitor is the one whose keys these are: only where the app is open to its own machine alone.

The app knows no passwords and no visitors. Where it listens to a network, or a proxy stands before it, whoever comes is
somebody; then no page lists keys or touches them, and the command line is the way.
"""

from urllib.parse import urlsplit

import streamlit as st
from streamlit import config

LOCAL = ("127.0.0.1", "localhost", "::1")
PASSED_ON = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
HOSTED = (
    "This app is open to more than its own machine, so it neither lists nor touches the keys of who runs it. They look "
    "after them there, with `kerckhoffs key`."
)


def is_here() -> bool:
    """Whether the app listens to its own machine alone, and this visitor came from there and through nobody."""
    if config.get_option("server.address") not in LOCAL:
        return False
    headers = st.context.headers
    host = headers.get("Host")
    if host is not None and urlsplit(f"//{host}").hostname not in LOCAL:
        return False
    return not any(name in headers for name in PASSED_ON)
