"""The description of the interface over HTTP, in OpenAPI 3.1, made of the calls that there are."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kerckhoffs import __version__
from kerckhoffs.challenge.wire import ADDRESS, JSON, NPY

ASKING = (400, 401, 403, 404, 408, 413, 415, 422, 503)
"""What may be refused where images are sent; everywhere 429 may be."""

WHY = {
    400: "The body is not what its Content-Type says.",
    401: "There is no token, or it is no team's.",
    403: "Not now, not any more, or no queries are left.",
    404: "There is no such thing.",
    408: "The body took too long.",
    409: "The name is taken.",
    413: "Too many bytes, or too many images.",
    415: "Another Content-Type is wanted.",
    422: "The shape, the type or a value is wrong.",
    429: "Too fast, or too much at a time: Retry-After has the seconds.",
    503: "The classifier cannot be used until who runs it has seen to it; nothing was spent.",
}


@dataclass(frozen=True)
class Call:
    """An address, a method, and what becomes of it.

    Args:
        path: below ADDRESS.
        endpoint: its docstring is the summary.
        answer: the schema of the answer, a key of SCHEMAS; None for bytes.
        status: of the answer.
        token: whether it needs a team's token.
        body: the schema of the body; "Images" may come as .npy, too.
        npy: whether the answer may be had as .npy.
        refusals: statuses of WHY.
        parameters: of the query string, keys of PARAMETERS.
    """

    path: str
    method: str
    endpoint: Callable[[Request], Awaitable[Response]]
    answer: str | None
    status: int = 200
    token: bool = False
    body: str | None = None
    npy: bool = False
    refusals: tuple[int, ...] = (404,)
    parameters: tuple[str, ...] = ()


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


TEXT, NUMBER, WHOLE, YES = ({"type": kind} for kind in ("string", "number", "integer", "boolean"))
TIME = {"type": "string", "format": "date-time"}
PIXELS = _list(_list(_list(_list({"type": "number", "minimum": 0, "maximum": 1}))))
NEAREST = _object(position=WHOLE, distance=NUMBER, read_as=WHOLE)
JUDGED = NEAREST | {
    "properties": NEAREST["properties"] | {"within": YES, "counts": YES, "read_as": {"type": ["integer", "null"]}},
    "required": ["position", "distance", "within", "read_as", "counts"],
}
STANDING = _object(name=TEXT, fooled=WHOLE, queries=WHOLE, spent=WHOLE, at=TIME)

SCHEMAS: dict[str, Any] = {
    "Anything": {"type": "object"},
    "Error": _object(error=TEXT),
    "Challenge": _object(
        id={"type": "string", "pattern": "^[0-9a-f]{8}$"},
        model=TEXT,
        dataset=TEXT,
        network=TEXT,
        defence=TEXT,
        twin=TEXT,
        norm={"enum": ["linf", "l2"]},
        budget=NUMBER,
        samples=_list(WHOLE),
        answers={"enum": ["labels", "scores"]},
        queries=WHOLE,
        rate=WHOLE,
        at_once=WHOLE,
        teams=WHOLE,
        end=TIME,
        shape=_list(WHOLE),
        classes=_list(TEXT),
        state={"enum": ["open", "ended", "revealed"]},
        commitment={"type": "string", "pattern": "^[0-9a-f]{64}$"},
        invited=YES,
        begun=TIME,
    ),
    "Challenges": _object(challenges=_list(_ref("Challenge"))),
    "Images": _object(images=PIXELS) | {"description": "float32 (N, C, H, W) in [0, 1]"},
    "Leaderboard": _object(teams=_list(STANDING)),
    "Join": {
        "type": "object",
        "properties": {"name": TEXT | {"maxLength": 40}, "invitation": TEXT},
        "required": ["name"],
    },
    "Token": _object(token=TEXT),
    "Team": _object(name=TEXT, spent=WHOLE, left=WHOLE, fooled=_list(NEAREST)),
    "Answer": {
        "type": "object",
        "properties": {"labels": _list(WHOLE), "probabilities": _list(_list(NUMBER)), "left": WHOLE},
        "required": ["left"],
    },
    "Outcome": _object(judged=_list(JUDGED), fooled=WHOLE, left=WHOLE),
    "Reveal": _object(format=TEXT, public=YES, nonce=TEXT, model=TEXT, weights=TEXT, note=TEXT, values=_list(NUMBER)),
}

PARAMETERS: dict[str, Any] = {
    "id": {"name": "id", "in": "path", "required": True, "schema": TEXT, "description": "of the challenge"},
    "positions": {
        "name": "positions",
        "in": "query",
        "schema": TEXT,
        "description": "Of the originals of these images, with commas between them; left out, all in order.",
    },
}


def document(calls: Sequence[Call]) -> dict[str, Any]:
    """The whole description, as JSON has it."""
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        paths.setdefault(ADDRESS + call.path, {})[call.method.lower()] = _operation(call)
    scheme = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Beat the key",
            "version": __version__,
            "description": "Fool a classifier whose key is hidden, with few queries. Every image that is asked or "
            "submitted is a query.",
        },
        "paths": paths,
        "components": {"schemas": SCHEMAS, "securitySchemes": {"token": scheme}},
    }


def _operation(call: Call) -> dict[str, Any]:
    names = ("id",) * ("{id}" in call.path) + call.parameters
    refused = {str(status): _response(WHY[status], "Error") for status in sorted({*call.refusals, 429})}
    answered = _response("Done.", call.answer, npy=call.npy)
    found: dict[str, Any] = {
        "operationId": call.endpoint.__name__,
        "summary": " ".join((call.endpoint.__doc__ or "").split()),
        "responses": {str(call.status): answered, **refused},
    }
    if names:
        found["parameters"] = [PARAMETERS[name] for name in names]
    if call.token:
        found["security"] = [{"token": []}]
    if call.body:
        found["requestBody"] = {"required": True, "content": _content(call.body, npy=call.body == "Images")}
    return found


def _response(words: str, schema: str | None, *, npy: bool = False) -> dict[str, Any]:
    content = _content(schema, npy=npy) if schema else {"application/octet-stream": {}}
    return {"description": words, "content": content}


def _content(schema: str, *, npy: bool) -> dict[str, Any]:
    found: dict[str, Any] = {JSON: {"schema": _ref(schema)}}
    if npy:
        found[NPY] = {"schema": {"contentEncoding": "binary", "contentMediaType": NPY}}
    return found
