"""From a scene to what it shows; what can be shown is checked before a room is opened."""

import logging
from collections.abc import Callable, Mapping

from kerckhoffs.room import Room, Scene, Shown, Talk
from kerckhoffs.ui.page import one_thread
from kerckhoffs.ui.stage import blocks, examples, flying, rungs
from kerckhoffs.ui.stage.blocks import PRECOMPUTED, words

STEPS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
"""Where the slider can stand when nothing is computed any more; its end is the last."""


def _told(scene: Scene) -> Shown:
    """A scene of words, with the address of the room or of the challenge."""
    question = scene.question
    parts = (blocks.join(),) if scene.join or scene.show == "challenge" else ()
    view = blocks.view(*parts)
    return Shown(view, view, question.options if question else (), question.answer - 1 if question else None)


def _inviting(scene: Scene) -> Shown:
    """A scene that waits for a drawing."""
    view = blocks.view(blocks.join(), words("Draw with a finger. The speaker takes one of the drawings."))
    return Shown(view, view)


SHOWN: dict[str, Callable[[Scene], Shown]] = {
    "words": _told,
    "challenge": _told,
    "example": examples.shown,
    "pixels": flying.shown,
    "rungs": rungs.shown,
    "draw": _inviting,
}


CHECKED: Mapping[str, Callable[[Scene], object]] = SHOWN | {"example": examples.check, "draw": examples.check}
"""What is as good as showing a scene, and takes no attack."""


def check(talk: Talk) -> None:
    """Refuse a talk with a scene that cannot be shown.

    Raises:
        ValueError: naming the scene, and why.
    """
    for number, scene in enumerate(talk.scenes, 1):
        try:
            CHECKED[scene.show](scene)
        except ValueError as error:
            raise ValueError(f"scene {number}: {error}") from error


def prepare(room: Room) -> None:
    """Compute what the scenes of a room show and keep it there, so that nothing need be computed in the talk."""
    one_thread()
    for number, scene in enumerate(room.talk.scenes):
        if number in room.prepared():
            continue
        try:
            found = SHOWN[scene.show](scene)
            if scene.draws:
                room.prepare(number, examples.shown(scene), step=0.0)
            for step in STEPS if scene.slider else ():
                room.prepare(number, examples.at(scene, step, PRECOMPUTED), step=step)
        except Exception as error:  # one scene that fails is no reason to have none of the others
            if not isinstance(error, ValueError):
                logging.getLogger(__name__).exception("scene %d of room %s", number + 1, room.code)
            said = str(error) if isinstance(error, ValueError) else "it failed here; the log says why"
            view = blocks.view(words(f"This scene cannot be shown: {said}"))
            found = Shown(view, view)
        room.prepare(number, found)
