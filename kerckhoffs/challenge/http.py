"""A challenge over HTTP: the calls below /api/challenge, for the app's server and for one of their own.

A call is an entry of CALLS; routes and OpenAPI's description are made of these. Whatever is refused is JSON with one
sentence.
"""

import re
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from torch import Tensor

from kerckhoffs import whence
from kerckhoffs.challenge import arrays, openapi, requests, service
from kerckhoffs.challenge.openapi import Call
from kerckhoffs.challenge.refusals import Refused
from kerckhoffs.challenge.service import Challenge
from kerckhoffs.challenge.wire import ADDRESS, JSON, NPY

SMALL = 4096  # bytes of a body without images
PACKED = 8  # challenges' images that are kept as they are sent, at most 15 MB each
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def _wants(request: Request) -> str:
    return NPY if NPY in request.headers.get("accept", "").lower() else JSON


def _packed(kind: str, name: str, values: Tensor, **more: Any) -> tuple[bytes, dict[str, str]]:
    """Numbers as JSON, or as a .npy file with the rest in headers: the body, and these."""
    if kind == JSON:
        return bytes(JSONResponse({name: values.tolist(), **more}).body), {}
    return arrays.write(values), {f"Kerckhoffs-{key.replace('_', '-')}": str(value) for key, value in more.items()}


@lru_cache(maxsize=PACKED)
def _images(challenge: Challenge, kind: str) -> tuple[bytes, dict[str, str]]:
    found, labels = challenge.images()
    return _packed(kind, "images", found, labels=labels.tolist())


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
    return JSONResponse({"challenges": await requests.work(lambda: [_described(each) for each in service.listed()])})


async def description(request: Request) -> Response:
    """This description."""
    return JSONResponse(openapi.document(CALLS))


async def rules(request: Request) -> Response:
    """The rules, the commitment, and where it stands."""
    return JSONResponse(await requests.work(_described, await requests.challenge(request)))


async def images(request: Request) -> Response:
    """The originals in the order of their positions, with their labels."""
    body, headers = await requests.work(_images, await requests.challenge(request), _wants(request))
    return Response(body, media_type=_wants(request), headers=headers)


async def leaderboard(request: Request) -> Response:
    """The teams, the first one first."""
    found = await requests.work((await requests.challenge(request)).leaderboard)
    return JSONResponse({"teams": [asdict(each) | {"at": _time(each.at)} for each in found]})


async def join(request: Request) -> Response:
    """Join as a team. The token in the answer is shown this once."""
    challenge = await requests.challenge(request)
    requests.kind(request, JSON)
    given = arrays.record(await requests.body(request, SMALL, requests.AT_ONCE))
    name, invitation = given.get("name"), given.get("invitation", "")
    if not isinstance(name, str) or not isinstance(invitation, str):
        raise Refused('the object must have a text "name", and where there is an invitation a text "invitation"')
    token = await requests.work(challenge.join, name, invitation, whence.of(request))
    return JSONResponse({"token": token}, 201)


async def team(request: Request) -> Response:
    """One's own team: queries, and its nearest examples."""
    challenge = await requests.challenge(request)
    own = await requests.team(request, challenge)
    best = [
        {"position": each.position, "distance": each.distance, "read_as": each.read_as}
        for each in await requests.work(challenge.best, own)
    ]
    return JSONResponse({"name": own.name, "spent": own.spent, "left": own.left, "fooled": best})


async def queries(request: Request) -> Response:
    """What the keyed classifier says of images; each is a query. A request that is sent again is spent again."""
    challenge = await requests.challenge(request)
    own = await requests.team(request, challenge)
    with requests.gate.inside((challenge.id, own.id), requests.A_TEAM):
        answer = await requests.work(challenge.query, own, await requests.images(request, challenge))
    name = "labels" if challenge.rules.answers == "labels" else "probabilities"
    body, headers = _packed(_wants(request), name, answer.values, left=answer.left)
    return Response(body, media_type=_wants(request), headers=headers)


async def submissions(request: Request) -> Response:
    """Have adversarial images judged; each is a query, also beyond the budget, where the classifier is not asked."""
    challenge = await requests.challenge(request)
    own = await requests.team(request, challenge)
    said = request.query_params.get("positions")
    if said is not None and not re.fullmatch("[0-9]{1,6}(,[0-9]{1,6})*", said):
        raise Refused("positions must be whole numbers with commas between them")
    positions = None if said is None else [int(each) for each in said.split(",")]
    with requests.gate.inside((challenge.id, own.id), requests.A_TEAM):
        outcome = await requests.work(challenge.submit, own, await requests.images(request, challenge), positions)
    judged = [asdict(each) for each in outcome.judged]
    return JSONResponse({"judged": judged, "fooled": outcome.fooled, "left": outcome.left})


async def reveal(request: Request) -> Response:
    """The key and what opens the commitment, once they are revealed."""
    challenge = await requests.challenge(request)
    return Response(await requests.work(challenge.revealed), media_type=JSON)


async def weights(request: Request) -> Response:
    """The classifier's weights as safetensors, once the key is revealed; the commitment holds their SHA-256."""
    challenge = await requests.challenge(request)
    return Response(await requests.work(challenge.weights), media_type="application/octet-stream")


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


ROUTES = [Route(ADDRESS + call.path, requests.answering(call.endpoint), methods=[call.method]) for call in CALLS]
ROUTES.append(Route(ADDRESS + "/{rest:path}", requests.answering(nothing), methods=METHODS))
