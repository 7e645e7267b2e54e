"""What one address may ask for, and how much it may say: buckets that fill again, and bodies that end."""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from kerckhoffs import whence

ADDRESSES = 4096  # that are remembered
BODY = 8192  # bytes
SECONDS = 20.0  # in which a body has to be here


class Bucket:
    """So many at once, and so many a second from then on, for each address.

    A whole room may come from one address, where a router stands between; so they are wide but for what guesses.
    """

    def __init__(self, at_once: float, a_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._at_once, self._a_second, self._clock = at_once, a_second, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> bool:
        """Whether this one is within bounds; it counts."""
        now = self._clock()
        left, when = self._left.pop(address, (self._at_once, now))
        left = min(self._at_once, left + (now - when) * self._a_second)
        self._left[address] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > ADDRESSES:
            self._left.popitem(last=False)
        return left >= 1


def within(bucket: Bucket, request: Request) -> None:
    """Refuse what is too much.

    Raises:
        HTTPException: 429.
    """
    if not bucket.take(whence.of(request)):
        raise HTTPException(429, "too much at once; wait a moment", {"Retry-After": "2"})


async def body(request: Request, most: int = BODY) -> dict[str, Any]:
    """A request's JSON object.

    Raises:
        HTTPException: 408 if it takes too long, 413 if it is too long, 415 if it is not said to be JSON, 400 if it is
            no object.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "say it in JSON")
    text = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for part in request.stream():
                text += part
                if len(text) > most:
                    raise HTTPException(413, f"at most {most} bytes")
    except TimeoutError:
        raise HTTPException(408, f"this was not here after {SECONDS:g} s") from None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise HTTPException(400, "this is no JSON") from None
    if not isinstance(found, dict):
        raise HTTPException(400, "this is no JSON object")
    return found
