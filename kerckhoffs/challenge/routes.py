"""The interface over HTTP for a server that must not wait for it: http.py comes with torch, which takes two seconds."""

import asyncio
from functools import cache

from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from kerckhoffs.challenge.wire import ADDRESS


class Challenges:
    """All calls, imported with the first one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        router = await asyncio.to_thread(_router)
        await router(scope, receive, send)


@cache
def _router() -> Router:
    from kerckhoffs.challenge import http

    return Router(http.ROUTES, redirect_slashes=False)


ROUTES = [Route(ADDRESS + each, Challenges()) for each in ("", "/{rest:path}")]
