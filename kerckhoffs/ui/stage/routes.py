"""What the projector and the speaker's window ask for: the page, the present scene a few times a second, and steps.

Who has the speaker's token steers; all others look on.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import segno
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from streamlit import config

from kerckhoffs.room import Room, codes, limits, network, phones, seen
from kerckhoffs.room.phones import FRESH, in_turn
from kerckhoffs.ui.pages import PAGES
from kerckhoffs.ui.stage import live
from kerckhoffs.ui.stage.drawn import drawing
from kerckhoffs.ui.stage.steps import STEPS

HERE = Path(__file__).parent
ALONE = "This app is open to its own machine alone. For phones, start it with: kerckhoffs app --address 0.0.0.0"
NOWHERE = "This machine has no address in a network, so no phone can join."

_before = ThreadPoolExecutor(1, "stage-before")
_preparing: dict[str, "Future[None]"] = {}


async def page(request: Request) -> Response:
    """The page of the projector and of the speaker."""
    limits.within(phones.ASKING, request)
    text, headers = phones.page(HERE / "stage.html")
    return HTMLResponse(text, headers=headers)


def speaks(room: Room, request: Request) -> bool:
    """Whether a request has the speaker's token."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return kind == "Bearer" and codes.same(token, room.token)


async def scene(request: Request) -> Response:
    """The present scene, or that it is what the window knows."""
    room = await phones.found(request)
    begin(room)
    speaking = speaks(room, request)
    if request.headers.get("if-none-match") == _tag(room.state.version, speaking):
        return Response(status_code=304, headers=FRESH)
    return await _scene(room, request, speaking)


async def _scene(room: Room, request: Request, speaking: bool, trouble: str = "") -> Response:
    said = await in_turn(partial(told, room, speaking))
    said["link"] = links(room, request)
    if trouble:
        said["trouble"] = trouble
    return JSONResponse(said, headers={**FRESH, "ETag": _tag(said["version"], speaking)})


def _tag(version: int, speaking: bool) -> str:
    return f'"{version}{"s" * speaking}"'


def told(room: Room, speaking: bool) -> dict[str, Any]:
    """What a window is told of the present scene."""
    found = live.slid(room)
    said = seen.screen(room, found or seen.kept(room))
    if speaking:
        said["speaker"] = seen.speaker(room)
    return said


def links(room: Room, request: Request) -> Mapping[str, str]:
    """Where phones find the room, and what the large code of this scene is of."""
    listens = config.get_option("server.address")
    host, port = request.url.hostname or "", request.url.port or 80
    base = network.joined_at(listens, host, port)
    if base is None:
        return {"url": "", "room": "", "how": ALONE if listens in network.LOCAL else NOWHERE, "qr": ""}
    own = f"{base}/room/{room.code}"
    if room.talk.scenes[room.state.scene].show != "challenge":
        return {"url": own, "room": own, "how": "In the same network. No app, no account.", "qr": qr(own)}
    there = f"{base}/challenge" if any(each.name == "challenge" for each in PAGES) else base
    return {"url": there, "room": own, "how": "On your own machine or here.", "qr": qr(there)}


@lru_cache(maxsize=32)
def qr(address: str) -> str:
    """A QR code, as an address that holds it."""
    return segno.make(address, error="m").svg_data_uri(border=2, dark="#000", light="#fff", omitsize=True)


def begin(room: Room) -> None:
    """Have the scenes of a room computed that are not there, once in a process."""
    if room.code not in _preparing:
        _preparing[room.code] = _before.submit(_prepare, room)


def _prepare(room: Room) -> None:
    from kerckhoffs.ui.stage import show  # torch, which the server need not wait for

    show.prepare(room)


async def do(request: Request) -> Response:
    """A step of the speaker; the answer is the scene as it then is."""
    room = await phones.found(request)
    if not speaks(room, request):
        raise HTTPException(403, "only the speaker steers")
    said = await limits.body(request)
    name = said.get("do")
    if not isinstance(name, str) or name not in STEPS:
        raise HTTPException(400, f"do has to be one of {', '.join(STEPS)}")
    trouble = ""
    try:
        work = STEPS[name](room, said)
        if asyncio.iscoroutine(work):
            trouble = await work
        else:
            await in_turn(work)
    except (KeyError, TypeError) as error:
        raise HTTPException(400, f"{name} needs other entries: {error}") from error
    if name == "close":
        return JSONResponse({"closed": True}, 404, FRESH)
    return await _scene(room, request, True, trouble)


ROUTES = [
    *phones.routes(drawing),
    Route("/room/{code}/stage", page),
    Route("/room/{code}/scene", scene),
    Route("/room/{code}/do", do, methods=["POST"]),
]
"""All that is served of rooms."""
