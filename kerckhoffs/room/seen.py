"""What phones and the screen are told: before the reveal neither the truth nor the votes' split (tests walk it)."""

from typing import Any

from kerckhoffs.room.store import Room, Shown


def question(room: Room) -> dict[str, Any] | None:
    """The present question, and of its votes the count; the split and the truth once they are revealed."""
    scene, state = room.talk.scenes[room.state.scene], room.state
    if scene.question is None or (scene.draws and state.scene not in state.taken):
        return None
    options, tallies = room.options(), room.tallies()
    said: dict[str, Any] = {
        "ask": scene.question.ask,
        "options": list(options),
        "phase": state.phase,
        "votes": sum(tallies.values()),
    }
    if state.phase == "revealed":
        kept = room.shown()
        said["split"] = [tallies.get(number, 0) for number in range(len(options))]
        said["truth"] = kept.truth if kept else None
    return said


def phone(room: Room) -> dict[str, Any]:
    """What a phone is told: the same for all."""
    scene, state = room.talk.scenes[room.state.scene], room.state
    return {
        "version": state.version,
        "scene": state.scene,
        "round": state.round,
        "heading": scene.heading,
        "question": question(room),
        "draw": scene.draws and not (state.scene in state.taken and state.phase == "locked"),
        "challenge": scene.show == "challenge",
    }


def screen(room: Room, shown: Shown | None) -> dict[str, Any]:
    """What the screen is told.

    Args:
        shown: what the scene shows; None while it is being prepared.
    """
    scene, state = room.talk.scenes[room.state.scene], room.state
    open_ = scene.question is None or state.phase == "revealed"
    return {
        "version": state.version,
        "title": room.talk.title,
        "scene": state.scene,
        "of": len(room.talk.scenes),
        "round": state.round,
        "show": scene.show,
        "heading": scene.heading,
        "text": scene.text,
        "black": state.black,
        "calm": state.calm,
        "question": question(room),
        "view": None if shown is None else shown.after if open_ else shown.before,
        "moved": state.epsilon is not None,
        "drawn_by": room.drawn_by(),
    }


def kept(room: Room) -> Shown | None:
    """What was computed before of the present scene as the room stands; None while it is prepared."""
    state, scene = room.state, room.talk.scenes[room.state.scene]
    if scene.draws and state.calm and state.scene not in state.taken:
        return room.shown(0.0)
    return (room.shown(state.epsilon) if state.epsilon is not None else None) or room.shown()


def speaker(room: Room) -> dict[str, Any]:
    """What the speaker is told besides: notes, what comes next, and what waits; the split once a question is locked."""
    state, scenes = room.state, room.talk.scenes
    after = scenes[state.scene + 1] if state.scene + 1 < len(scenes) else None
    tallies = room.tallies()
    return {
        "notes": scenes[state.scene].notes,
        "next": after.heading if after else "",
        "next_asks": after.question.ask if after and after.question else "",
        "split": [] if room.asks else [tallies.get(number, 0) for number in range(len(room.options()))],
        "drawings": [{"id": each.id, "strokes": each.strokes} for each in room.waiting()],
        "names": [{"phone": phone, "name": name} for phone, name in room.names()],
        "can_slide": scenes[state.scene].slider,
        "opened": room.opened,
    }
