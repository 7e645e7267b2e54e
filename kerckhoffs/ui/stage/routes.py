"""What the projector and the speaker's window ask for: the page, the present scene a few times a second, and steps.

Who has the speaker's token steers; all others look on. One worker computes what is live, one at a time and in one
thread of torch; what is too slow for it, or comes while it works, is shown as it was computed before.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal, get_args

import segno
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from streamlit import config

from kerckhoffs.room import Phase, Room, Shown, codes, limits, network, phones, rooms, seen
from kerckhoffs.room.phones import FRESH, in_turn
from kerckhoffs.ui.pages import PAGES

HERE = Path(__file__).parent
PATIENCE = 1.5  # seconds for what is live
HOW = "This app is open to its own machine alone. For phones, start it with: kerckhoffs app --address 0.0.0.0"

_worker = ThreadPoolExecutor(1, "stage")
_before = ThreadPoolExecutor(1, "stage-before")
_preparing: dict[str, "Future[None]"] = {}
_live: dict[str, tuple[int, float, Shown]] = {}  # of each room: scene, epsilon, and what was computed last
_busy = False


def drawing(text: str) -> str:
    """A drawing as it may be kept.

    Raises:
        ValueError: if it is none, or nothing is drawn.
    """
    from kerckhoffs.ui.parts import strokes  # Pillow, which the server need not wait for

    found = strokes.decode(text)
    if not found:
        raise ValueError("nothing is drawn")
    return strokes.encode(found)


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
    state = room.state
    found = None
    if state.epsilon is not None and not state.calm:
        live = _live.get(room.code)
        found = live[2] if live and live[:2] == (state.scene, state.epsilon) else None
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
        return {"url": "", "room": "", "how": HOW, "qr": ""}
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


# Steps of the speaker


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


Step = Callable[[Room, dict[str, Any]], Any]


def _number(said: dict[str, Any], name: str) -> int:
    value = said[name]
    if type(value) is not int or abs(value) > 10**9:
        raise TypeError(f"{name} is no whole number")
    return value


def _truth(said: dict[str, Any], name: str) -> bool:
    if type(said[name]) is not bool:
        raise TypeError(f"{name} is neither true nor false")
    return bool(said[name])


def _phase(room: Room, said: dict[str, Any]) -> Callable[[], None]:
    scene, round_, phase = _number(said, "scene"), _number(said, "round"), said["phase"]
    if phase not in get_args(Phase):
        raise TypeError("phase is none")

    def work() -> None:
        if round_ == room.state.round:
            room.to_phase(scene, phase)

    return work


def _switch(name: Literal["black", "calm"]) -> Step:
    def step(room: Room, said: dict[str, Any]) -> Callable[[], None]:
        on = _truth(said, "on")
        return partial(room.switch, name, on)

    return step


def _name(room: Room, said: dict[str, Any]) -> Callable[[], None]:
    return partial(room.approve, str(said["phone"]), str(said["name"]), _truth(said, "approved"))


def _close(room: Room, said: dict[str, Any]) -> Callable[[], None]:
    def work() -> None:
        _preparing.pop(room.code, None)
        _live.pop(room.code, None)
        rooms().close(room)

    return work


async def _computed(work: Callable[[], Shown]) -> Shown | None:
    """Something from the worker; None if it is at something else, or takes too long.

    Raises:
        ValueError: what the work refuses.
    """
    global _busy
    if _busy:
        return None
    _busy = True

    def alone() -> Shown:
        global _busy
        try:
            from kerckhoffs.ui.page import one_thread

            one_thread()
            return work()
        finally:
            _busy = False

    job = asyncio.get_running_loop().run_in_executor(_worker, alone)
    try:
        return await asyncio.wait_for(asyncio.shield(job), PATIENCE)
    except TimeoutError:
        return None


async def _epsilon(room: Room, said: dict[str, Any]) -> str:
    """Move the slider: computed now, or else the nearest of what was computed before."""
    number, value = _number(said, "scene"), said["value"]
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise TypeError("value is no number from 0 to 1")
    scene = room.talk.scenes[room.state.scene]
    if number != room.state.scene or not scene.slider or (scene.question and room.state.phase != "revealed"):
        return ""
    value = round(float(value), 4)
    if not room.state.calm:

        def work() -> Shown:
            from kerckhoffs.ui.stage import blocks, examples

            return examples.at(scene, value, blocks.LIVE)

        try:
            found = await _computed(work)
        except ValueError as error:
            return str(error)
        if found is not None:
            _live[room.code] = number, value, found
    await in_turn(partial(room.slide, number, value))
    return ""


async def _take(room: Room, said: dict[str, Any]) -> str:
    """Attack a drawing of the room, and show it."""
    number, id_ = _number(said, "scene"), _number(said, "id")
    if room.state.calm:
        return "Nothing is computed now: take the panic back first."
    if number != room.state.scene or not room.talk.scenes[number].draws:
        return ""
    drawn = await in_turn(partial(room.drawing, id_))
    if drawn is None:
        return "That drawing is gone."

    def work() -> Shown:
        from kerckhoffs.ui.stage import examples

        return examples.drawn(room.talk.scenes[number], drawn)

    try:
        found = await _computed(work)
    except ValueError as error:
        return str(error)
    if found is None:
        return "The attack takes too long now; try again."
    await in_turn(partial(room.take, number, id_, found))
    return ""


STEPS: Mapping[str, Step] = {
    "go": lambda room, said: partial(room.go, _number(said, "scene")),
    "phase": _phase,
    "again": lambda room, said: partial(room.ask_again, _number(said, "scene"), _number(said, "round")),
    "black": _switch("black"),
    "calm": _switch("calm"),
    "epsilon": _epsilon,
    "take": _take,
    "refuse": lambda room, said: partial(room.refuse, _number(said, "id")),
    "refuse_all": lambda room, said: room.refuse_all,
    "name": _name,
    "close": _close,
}

ROUTES = [
    *phones.routes(drawing),
    Route("/room/{code}/stage", page),
    Route("/room/{code}/scene", scene),
    Route("/room/{code}/do", do, methods=["POST"]),
]
"""All that is served of rooms."""
