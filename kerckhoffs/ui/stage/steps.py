"""What a speaker does: a step by its name, checked, with what it needs from the worker."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, get_args

from kerckhoffs.room import Phase, Room, Shown, rooms
from kerckhoffs.room.phones import in_turn
from kerckhoffs.ui.stage import live

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
        live.forget(room)
        rooms().close(room)

    return work


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
            found = await live.computed(work)
        except ValueError as error:
            return str(error)
        if found is not None:
            live.keep(room, number, value, found)
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
        found = await live.computed(work)
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
"""By name: what is to be done with the room's file, or what is done at the worker and comes to a trouble or none."""
