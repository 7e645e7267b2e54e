"""What a browser may fetch for the pages: pictures, sounds, fonts and frames from here alone; and who may frame them.

Foreign text is shown so that nothing in it is a picture (foreign.py). Should one slip through, no browser asks for it.
No other host's page may frame one of these: laid over its own, it would have the owner press what they do not see.
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OWN = "'self' data: blob:"
POLICY = (
    f"img-src {OWN}; media-src {OWN}; font-src {OWN}; frame-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)


class Policy:
    """Adds it to every answer that is a page, and asks browsers to tell other hosts nothing of its address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("Content-Security-Policy", POLICY)
                    headers["Referrer-Policy"] = "same-origin"
            await send(message)

        await self._app(scope, receive, answer if scope["type"] == "http" else send)
