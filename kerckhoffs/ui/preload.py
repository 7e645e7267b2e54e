"""The script of Play's charts, 4.7 MB: a browser would ask for it last, and then take most of a second to read it.

It is told of it with the page, and reads it while the server is still importing what Play needs.
"""

from pathlib import Path

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SCRIPTS = Path(st.__file__).parent / "static" / "static" / "js"
NAMES = sorted(path.name for path in SCRIPTS.glob("PlotlyChart.*.js"))  # one, or none in another Streamlit


def evaluate() -> None:
    """Have the browser read it now, from the page at /."""
    for name in NAMES:
        script = f'<script type="module">import("./static/js/{name}").catch(() => {{}})</script>'
        with st.container(key="preload"):  # which the style takes out of the page
            st.html(script, unsafe_allow_javascript=True)


class Preload:
    """Adds the header to the answer to /; nothing if Streamlit has no such script."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._links = [f"<./static/js/{name}>; rel=modulepreload; crossorigin" for name in NAMES]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for link in self._links:
                    headers.append("Link", link)
            await send(message)

        here = scope["type"] == "http" and scope["path"] == "/"
        await self._app(scope, receive, answer if here else send)
