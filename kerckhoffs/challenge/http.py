"""A challenge over HTTP: the routes below /api/challenge, for the app's server and for one of their own.

A call is an entry of CALLS; routes and OpenAPI's description are made of these. Bodies are bounded while they are read,
parsing, judging and the database are left to the pool, and whatever is refused is JSON with one sentence.
"""

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from torch import Tensor

from kerckhoffs.challenge import arrays, openapi, service
from kerckhoffs.challenge.openapi import Call
from kerckhoffs.challenge.refusals import Refused
from kerckhoffs.challenge.service import Challenge
from kerckhoffs.challenge.store import Team
from kerckhoffs.challenge.wire import ADDRESS, JSON, NPY
from kerckhoffs.checks import FileRefused

SECONDS = 20.0  # in which a body has to be here
SMALL = 4096  # bytes of a body without images
A_TEAM, IN_ALL = 16, 128  # requests at work
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
P = ParamSpec("P")
R = TypeVar("R")
Endpoint = Callable[[Request], Awaitable[Response]]


class Gate:
    """How many requests are at work, of everybody and of a team; of the event loop's thread alone."""

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


_gate = Gate()


async def _work(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    return await asyncio.wrap_future(service.pool.submit(function, *arguments, **named))


def _answering(endpoint: Endpoint) -> Endpoint:
    """Say what was refused, and nothing of what broke."""

    async def answer(request: Request) -> Response:
        try:
            with _gate.inside(None, IN_ALL):
                return await endpoint(request)
        except Refused as refused:
            headers = {} if refused.wait is None else {"Retry-After": f"{refused.wait:.1f}"}
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


async def _body(request: Request, most: int) -> bytes:
    """The body, of at most so many bytes, be they announced or not.

    Raises:
        Refused: with 413 beyond that, 408 if it takes too long.
    """
    said = request.headers.get("content-length", "0")
    if not said.isdecimal() or int(said[:20]) > most:
        raise Refused(f"the body may have {most} bytes, but has {said[:20]}", 413)
    parts, size = [], 0
    try:
        async with asyncio.timeout(SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise Refused(f"the body may have {most} bytes, but has more", 413)
                parts.append(part)
    except TimeoutError:
        raise Refused(f"the body was not here after {SECONDS:g} s", 408) from None
    return b"".join(parts)


def _kind(request: Request, *allowed: str) -> str:
    """What kind of body it says it is.

    Raises:
        Refused: with 415 on another one, or one that is packed.
    """
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    packed = request.headers.get("content-encoding", "identity").lower() != "identity"
    if said not in allowed or packed:
        raise Refused(f"the body must be {' or '.join(allowed)}, not packed; say so in Content-Type", 415)
    return said


async def _challenge(request: Request) -> Challenge:
    return await _work(service.find, request.path_params["id"])


async def _team(request: Request, challenge: Challenge) -> Team:
    """Whose token it is: before a byte of the body is read.

    Raises:
        Refused: with 401 if there is none, or it is nobody's.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refused("this needs a team's token: Authorization: Bearer TOKEN", 401)
    return await _work(challenge.team, token.strip())


def _wants(request: Request) -> str:
    return NPY if NPY in request.headers.get("accept", "").lower() else JSON


def _array(request: Request, name: str, values: Tensor, **more: Any) -> Response:
    """Numbers as JSON or, where that is asked for, as a .npy file, with the rest in headers."""
    if _wants(request) == JSON:
        return JSONResponse({name: values.tolist(), **more})
    headers = {f"Kerckhoffs-{key.replace('_', '-')}": str(value) for key, value in more.items()}
    return Response(arrays.write(values), media_type=NPY, headers=headers)


async def _images(request: Request, challenge: Challenge) -> Tensor:
    rules = challenge.rules
    kind = _kind(request, NPY, JSON)
    values = rules.at_once * rules.shape[0] * rules.shape[1] * rules.shape[2]
    body = await _body(request, arrays.longest(values, kind))
    return await _work(arrays.read, body, kind, rules.shape, rules.at_once)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _described(challenge: Challenge) -> dict[str, Any]:
    rules = challenge.rules
    said = {"shape": list(rules.shape), "classes": list(rules.classes), "state": challenge.state}
    return {
        "id": challenge.id,
        **rules.record(),
        **said,
        "commitment": challenge.commitment,
        "invited": challenge.invited,
        "begun": _time(challenge.begun),
    }


async def challenges(request: Request) -> Response:
    """The challenges that are here, the newest first."""
    return JSONResponse({"challenges": await _work(lambda: [_described(each) for each in service.listed()])})


async def description(request: Request) -> Response:
    """This description."""
    return JSONResponse(openapi.document(CALLS))


async def rules(request: Request) -> Response:
    """The rules, the commitment, and where it stands."""
    return JSONResponse(await _work(_described, await _challenge(request)))


async def images(request: Request) -> Response:
    """The originals in the order of their positions, with their labels."""
    found, labels = await _work((await _challenge(request)).images)
    return _array(request, "images", found, labels=labels.tolist())


async def leaderboard(request: Request) -> Response:
    """The teams, the first one first."""
    found = await _work((await _challenge(request)).leaderboard)
    return JSONResponse({"teams": [asdict(each) | {"at": _time(each.at)} for each in found]})


async def join(request: Request) -> Response:
    """Join as a team. The token in the answer is shown this once."""
    challenge = await _challenge(request)
    _kind(request, JSON)
    with _gate.inside("join", A_TEAM):
        given = arrays.record(await _body(request, SMALL))
    name, invitation = given.get("name"), given.get("invitation", "")
    if not isinstance(name, str) or not isinstance(invitation, str):
        raise Refused('the object must have a text "name", and where there is an invitation a text "invitation"')
    return JSONResponse({"token": await _work(challenge.join, name, invitation)}, 201)


async def team(request: Request) -> Response:
    """One's own team: queries, and its nearest examples."""
    challenge = await _challenge(request)
    own = await _team(request, challenge)
    best = [
        {"position": each.position, "distance": each.distance, "read_as": each.read_as}
        for each in await _work(challenge.best, own)
    ]
    return JSONResponse({"name": own.name, "spent": own.spent, "left": own.left, "fooled": best})


async def queries(request: Request) -> Response:
    """What the keyed classifier says of images; each is a query. A request that is sent again is spent again."""
    challenge = await _challenge(request)
    own = await _team(request, challenge)
    with _gate.inside((challenge.id, own.id), A_TEAM):
        answer = await _work(challenge.query, own, await _images(request, challenge))
    name = "labels" if challenge.rules.answers == "labels" else "probabilities"
    return _array(request, name, answer.values, left=answer.left)


async def submissions(request: Request) -> Response:
    """Have adversarial images judged; each is a query, also beyond the budget, where the classifier is not asked."""
    challenge = await _challenge(request)
    own = await _team(request, challenge)
    said = request.query_params.get("positions")
    if said is not None and not re.fullmatch("[0-9]{1,6}(,[0-9]{1,6})*", said):
        raise Refused("positions must be whole numbers with commas between them")
    positions = None if said is None else [int(each) for each in said.split(",")]
    with _gate.inside((challenge.id, own.id), A_TEAM):
        outcome = await _work(challenge.submit, own, await _images(request, challenge), positions)
    judged = [asdict(each) for each in outcome.judged]
    return JSONResponse({"judged": judged, "fooled": outcome.fooled, "left": outcome.left})


async def reveal(request: Request) -> Response:
    """The key and what opens the commitment, once they are revealed."""
    challenge = await _challenge(request)
    return Response(await _work(challenge.revealed), media_type=JSON)


async def weights(request: Request) -> Response:
    """The classifier's weights as safetensors, once the key is revealed; the commitment holds their SHA-256."""
    challenge = await _challenge(request)
    return Response(await _work(challenge.weights), media_type="application/octet-stream")


CALLS = (
    Call("", "GET", challenges, "Challenges", refusals=()),
    Call("/openapi.json", "GET", description, "Anything", refusals=()),
    Call("/{id}", "GET", rules, "Challenge"),
    Call("/{id}/images", "GET", images, "Images", npy=True),
    Call("/{id}/leaderboard", "GET", leaderboard, "Leaderboard"),
    Call("/{id}/teams", "POST", join, "Token", 201, body="Join", refusals=(400, 403, 404, 408, 409, 413, 415, 422)),
    Call("/{id}/team", "GET", team, "Team", token=True, refusals=(401, 404)),
    Call("/{id}/queries", "POST", queries, "Answer", token=True, body="Images", npy=True, refusals=openapi.ASKING),
    Call(
        "/{id}/submissions",
        "POST",
        submissions,
        "Outcome",
        token=True,
        body="Images",
        refusals=openapi.ASKING,
        parameters=("positions",),
    ),
    Call("/{id}/reveal", "GET", reveal, "Reveal", refusals=(403, 404)),
    Call("/{id}/weights", "GET", weights, None, refusals=(403, 404)),
)


async def nothing(request: Request) -> Response:
    """Whatever else is asked for below the address."""
    allowed = {call.method for call, route in zip(CALLS, ROUTES, strict=False) if _is_at(route, request)}
    if not allowed:
        raise Refused(f"there is nothing at this address; {ADDRESS}/openapi.json says what there is", 404)
    raise Refused(f"this address takes {' and '.join(sorted(allowed))}", 405)


def _is_at(route: Route, request: Request) -> bool:
    return route.matches(request.scope)[0] is not Match.NONE


ROUTES = [Route(ADDRESS + call.path, _answering(call.endpoint), methods=[call.method]) for call in CALLS]
ROUTES.append(Route(ADDRESS + "/{rest:path}", _answering(nothing), methods=METHODS))
