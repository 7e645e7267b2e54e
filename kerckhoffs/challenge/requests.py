"""What an endpoint makes of a request: who asks, how much at a time, which challenge, and what the body is.

Bodies are bounded while they are read; parsing, judging and the database are left to the pool.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from torch import Tensor

from kerckhoffs import whence
from kerckhoffs.challenge import arrays, service
from kerckhoffs.challenge.refusals import Refused
from kerckhoffs.challenge.service import Challenge
from kerckhoffs.challenge.store import Team
from kerckhoffs.challenge.wire import JSON, NPY
from kerckhoffs.checks import FileRefused

SECONDS, AT_ONCE = 20.0, 3.0  # in which a body has to be here, and one without images
A_TEAM, AN_ADDRESS, IN_ALL = 16, 16, 128  # requests at work; of an address, whose bodies are on their way
P = ParamSpec("P")
R = TypeVar("R")
Endpoint = Callable[[Request], Awaitable[Response]]


class Gate:
    """How many requests are at work, of everybody, a team and an address; of the event loop's thread alone."""

    def __init__(self) -> None:
        self._inside: Counter[object] = Counter()

    @contextmanager
    def inside(self, who: object, most: int) -> Iterator[None]:
        """Be one of them.

        Raises:
            Refused: with 429 if there are as many already.
        """
        if self._inside[who] >= most:
            raise Refused(f"{most} requests are at work already; try again in a moment", 429, 1.0)
        self._inside[who] += 1
        try:
            yield
        finally:
            self._inside[who] -= 1
            if not self._inside[who]:
                del self._inside[who]


gate = Gate()
"""That of this process."""


async def work(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """Have something done in the pool."""
    return await asyncio.wrap_future(service.pool.submit(function, *arguments, **named))


def answering(endpoint: Endpoint) -> Endpoint:
    """Say what was refused, and nothing of what broke."""

    async def answer(request: Request) -> Response:
        try:
            with gate.inside("reading" if request.method in ("GET", "HEAD") else "sending", IN_ALL):
                return await endpoint(request)
        except Refused as refused:
            headers = {} if refused.wait is None else {"Retry-After": str(math.ceil(refused.wait))}
            if refused.status == 401:
                headers["WWW-Authenticate"] = "Bearer"
            return _error(str(refused), refused.status, headers)
        except ClientDisconnect:
            return _error("the request was broken off", 400)
        except FileRefused:  # whose sentence names files of who runs this
            logging.getLogger(__name__).exception("a challenge cannot be used")
            return _error("this challenge cannot be used now; who runs it finds the reason in the log", 503)
        except Exception:
            logging.getLogger(__name__).exception("a request to a challenge broke")
            return _error("something broke here; it is in the log of who runs this", 500)

    return answer


def _error(sentence: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": sentence}, status, headers)


async def body(request: Request, most: int, seconds: float) -> bytes:
    """The body, of at most so many bytes, be they announced or not.

    Raises:
        Refused: with 413 beyond that, 408 if it takes too long, 429 if others of the same address are on their way.
    """
    said = request.headers.get("content-length", "0")
    if not said.isdecimal() or int(said[:20]) > most:
        raise Refused(f"the body may have {most} bytes, but has {said[:20]}", 413)
    parts, size = [], 0
    try:
        with gate.inside(("address", whence.of(request) or request.client), AN_ADDRESS):
            async with asyncio.timeout(seconds):
                async for part in request.stream():
                    size += len(part)
                    if size > most:
                        raise Refused(f"the body may have {most} bytes, but has more", 413)
                    parts.append(part)
    except TimeoutError:
        raise Refused(f"the body was not here after {seconds:g} s", 408) from None
    return b"".join(parts)


def kind(request: Request, *allowed: str) -> str:
    """What kind of body it says it is.

    Raises:
        Refused: with 415 on another one, or one that is packed.
    """
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    packed = request.headers.get("content-encoding", "identity").lower() != "identity"
    if said not in allowed or packed:
        raise Refused(f"the body must be {' or '.join(allowed)}, not packed; say so in Content-Type", 415)
    return said


async def challenge(request: Request) -> Challenge:
    """The one that the path names.

    Raises:
        Refused: with 404 if there is none.
    """
    return await work(service.find, request.path_params["id"])


async def team(request: Request, challenge: Challenge) -> Team:
    """Whose token it is: before a byte of the body is read.

    Raises:
        Refused: with 401 if there is none, or it is nobody's.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refused("this needs a team's token: Authorization: Bearer TOKEN", 401)
    return await work(challenge.team, token.strip())


async def images(request: Request, challenge: Challenge) -> Tensor:
    """The images of the body, float32 (N, C, H, W) in [0, 1].

    Raises:
        Refused: as `kind`, `body` and arrays.read do.
    """
    rules = challenge.rules
    sort = kind(request, NPY, JSON)
    read = await body(request, arrays.longest(rules.at_once * math.prod(rules.shape), sort), SECONDS)
    return await work(arrays.read, read, sort, rules.shape, rules.at_once)
