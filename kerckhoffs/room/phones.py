"""What phones ask for: the page, the state of the room about every second, and what they say: votes, drawings, names.

No cookies, and no session of Streamlit. A phone makes its own random token and keeps it as long as its tab is open. The
state is the same for all phones, so it is written once a version, and most answers are a few bytes: "not modified".
"""

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from kerckhoffs.room import codes, limits, names, seen
from kerckhoffs.room.limits import Bucket
from kerckhoffs.room.registry import rooms
from kerckhoffs.room.store import MOST_TURNS, Room

T = TypeVar("T")
HERE = Path(__file__).parent
FRESH = {"Cache-Control": "no-store"}
ASKING = Bucket(1500, 500)  # of an address, behind which a whole room may be
SAYING = Bucket(500, 60)
JOINING = Bucket(300, 1)  # phones of an address that say something in their room for the first time
DRAWING, DRAWINGS = Bucket(4, 0.5), Bucket(40, 0.5)  # of a phone, and of an address: a phone's token is its own choice

_files = ThreadPoolExecutor(1, "room")  # a disk that hesitates holds up no page
_written: dict[tuple[str, float], tuple[int, bytes]] = {}  # of each room, the newest state as bytes


async def in_turn(work: Callable[[], T]) -> T:
    """Do something with a room's file, one after another, off the server's loop."""
    return await asyncio.get_running_loop().run_in_executor(_files, work)


async def found(request: Request) -> Room:
    """The room that a request is about.

    Raises:
        HTTPException: 404, or 429 after too many requests.
    """
    limits.within(ASKING, request)
    code = request.path_params["code"]
    room = rooms().known(code) or await in_turn(partial(rooms().find, code))
    if room is None:
        raise HTTPException(404, "there is no such room, or it was closed")
    return room


@cache
def page(path: Path) -> tuple[str, dict[str, str]]:
    """A page of ours, and headers under which nothing but its own script runs."""
    text = path.read_text(encoding="utf-8")
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in scripts
    )
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return text, {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", **FRESH}


async def phone(request: Request) -> Response:
    """The page of a phone, whether or not there is such a room; it asks for a code where the address has none."""
    limits.within(ASKING, request)
    text, headers = page(HERE / "phone.html")
    return HTMLResponse(text, headers=headers)


async def state(request: Request) -> Response:
    """What all phones are told, or that it is what they know."""
    room = await found(request)
    if request.headers.get("if-none-match") == f'"{room.state.version}"':
        return Response(status_code=304, headers=FRESH)
    version, content = await in_turn(partial(_said, room))
    return Response(content, media_type="application/json", headers={**FRESH, "ETag": f'"{version}"'})


def _said(room: Room) -> tuple[int, bytes]:
    key = room.code, room.opened
    kept = _written.get(key)
    if kept is None or kept[0] != room.state.version:
        if len(_written) > 16:
            _written.clear()
        said = seen.phone(room)
        kept = _written[key] = said["version"], json.dumps(said).encode()
    return kept


async def _saying(request: Request) -> tuple[Room, dict[str, Any], str]:
    limits.within(SAYING, request)
    room, said = await found(request), await limits.body(request)
    who = said.get("phone")
    if not codes.is_phone(who):
        raise HTTPException(400, "phone has to be 32 hexadecimal digits")
    if not await in_turn(partial(room.knows, str(who))):
        limits.within(JOINING, request)
    return room, said, str(who)


def _whole(said: dict[str, Any], name: str, most: int) -> int:
    value = said.get(name)
    if type(value) is not int or not 0 <= value <= most:
        raise HTTPException(400, f"{name} has to be a whole number from 0 to {most}")
    return value


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str):
        raise HTTPException(400, f"{name} has to be a text")
    return value


async def vote(request: Request) -> Response:
    """A phone's choice; said twice it counts once, and of several the last one of its turns counts."""
    room, said, who = await _saying(request)
    numbers = [_whole(said, name, most) for name, most in (("scene", 1000), ("round", 10**6), ("turn", MOST_TURNS))]
    scene, round_, turn = numbers
    choice = _whole(said, "choice", 1000)
    counted = await in_turn(partial(room.vote, scene, round_, who, turn, choice))
    return JSONResponse({"counted": counted}, 200 if counted else 409, FRESH)


async def name(request: Request) -> Response:
    """A name; nobody but the speaker sees it before it is approved."""
    room, said, who = await _saying(request)
    try:
        called = names.clean(_text(said, "name"))
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
    kept = await in_turn(partial(room.call, who, called))
    return JSONResponse({"kept": kept, "name": called}, 200 if kept else 409, FRESH)


async def _drawing(check: Callable[[str], str], request: Request) -> Response:
    room, said, who = await _saying(request)
    if not DRAWING.take(who):
        raise HTTPException(429, "too many drawings at once; wait a moment", {"Retry-After": "2"})
    limits.within(DRAWINGS, request)
    try:
        strokes = check(_text(said, "strokes"))
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
    kept = await in_turn(partial(room.draw, who, strokes))
    return JSONResponse({"kept": kept}, 200 if kept else 409, FRESH)


def routes(check: Callable[[str], str]) -> list[Route]:
    """The routes of phones.

    Args:
        check: gives an encoded drawing back as it may be kept, or raises ValueError.
    """

    async def drawing(request: Request) -> Response:
        """A drawing; nobody but the speaker sees it before it is taken."""
        return await _drawing(check, request)

    return [
        Route("/room", phone),
        Route("/room/{code}", phone),
        Route("/room/{code}/state", state),
        Route("/room/{code}/vote", vote, methods=["POST"]),
        Route("/room/{code}/name", name, methods=["POST"]),
        Route("/room/{code}/drawing", drawing, methods=["POST"]),
    ]
