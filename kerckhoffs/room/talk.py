"""A talk: scenes in a TOML file, which docs/stage.md describes. What is wrong with one is said with the scene's number.

A scene names what to show and what to ask, never what comes out: figures and truths are computed or read from results.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kerckhoffs.room.entries import a_list, number, one_of, only, percent, text, typed, words

SHIPPED = Path(__file__).parent / "talks"
LONGEST = 200_000  # characters of a file
MOST = 60  # scenes
SHOWS: Mapping[str, frozenset[str]] = {
    "words": frozenset({"join"}),
    "example": frozenset({"play", "who", "known", "slider"}),
    "pixels": frozenset({"play"}),
    "rungs": frozenset({"ladder", "epsilon", "rungs", "each"}),
    "draw": frozenset({"play", "who", "known"}),
    "challenge": frozenset(),
}
"""What a scene can show, and the entries that belong to it beside those of every scene."""
EVERY = frozenset({"show", "heading", "text", "notes", "question"})
TRUTHS: Mapping[str, frozenset[str]] = {
    "option": frozenset({"answer"}),
    "fooled": frozenset({"of"}),
    "reads": frozenset({"of"}),
    "error": frozenset({"attacker", "steps"}),
    "helps": frozenset({"attacker"}),
    "first": frozenset({"over"}),
}
"""Where the truth of a question comes from, and what that needs to know."""
SIDES = ("left", "defended", "attacked", "control")
BINARY = ("Yes", "No")


@dataclass(frozen=True)
class Question:
    """What the room predicts.

    Args:
        options: what can be chosen; empty where they follow from the scene (classes, rungs).
        truth: a key of TRUTHS.
        of: whom it asks about, one of SIDES; a question about figures asks about the keyed classifier.
        answer: the number of the right option, from 1.
        attacker: a rung of the ladder.
        steps: where the options divide the percents.
        over: the percent that the first rung is asked for.
    """

    ask: str
    truth: str
    options: tuple[str, ...] = ()
    of: str = "defended"
    answer: int = 1
    attacker: str = "twin"
    steps: tuple[float, ...] = ()
    over: float = 50


@dataclass(frozen=True)
class Scene:
    """What fills the screen.

    Args:
        show: a key of SHOWS.
        text: a sentence or two under the heading; notes: for the speaker alone.
        play: an address of Play, from which the example comes.
        who: whose verdicts are shown, of SIDES, all by default; known: which of them before the reveal, too.
        slider: whether the speaker may move epsilon.
        join: whether the room's address is shown large.
        ladder: the name of a file of results/ladder; epsilon, rungs: what of it; each: with each of a rung's options.
    """

    show: str
    heading: str
    text: str = ""
    notes: str = ""
    question: Question | None = None
    play: str = ""
    who: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    slider: bool = False
    join: bool = False
    ladder: str = ""
    epsilon: float = 0.0
    rungs: tuple[str, ...] = ()
    each: bool = False

    @property
    def draws(self) -> bool:
        """Whether phones may draw."""
        return self.show == "draw"


@dataclass(frozen=True)
class Talk:
    """Its scenes, and the text that they were read from."""

    title: str
    scenes: tuple[Scene, ...]
    source: str = field(repr=False)


def shipped() -> Mapping[str, str]:
    """The talks that ship with the program, by name, as text."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(SHIPPED.glob("*.toml"))}


def read(source: str) -> Talk:
    """Read a talk, which may come from anywhere.

    Raises:
        ValueError: naming the scene, the entry and the value.
    """
    if len(source) > LONGEST:
        raise ValueError(f"a talk has at most {LONGEST} characters, but this one has {len(source)}")
    try:
        found = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"the talk is no TOML: {error}") from error
    only(found, frozenset({"title", "scene"}), "the talk")
    scenes = found.get("scene")
    if not isinstance(scenes, list) or not 1 <= len(scenes) <= MOST:
        raise ValueError(f"a talk has 1 to {MOST} entries [[scene]]")
    title = text(found, "title", "the talk", 100) or "A talk"
    return Talk(title, tuple(_scene(each, f"scene {place}") for place, each in enumerate(scenes, 1)), source)


def _scene(entry: Any, where: str) -> Scene:
    if not isinstance(entry, dict):
        raise ValueError(f"{where} is no table: write [[scene]]")
    show = one_of(entry, "show", where, tuple(SHOWS))
    only(entry, EVERY | SHOWS[show], where)
    scene = Scene(
        show=show,
        heading=text(entry, "heading", where, 100),
        text=text(entry, "text", where, 300),
        notes=text(entry, "notes", where, 2000),
        play=text(entry, "play", where, 6000).rpartition("?")[2],
        who=a_list(entry, "who", where, _side, 4),
        known=a_list(entry, "known", where, _side, 4),
        slider=typed(entry, "slider", where, bool, False),
        join=typed(entry, "join", where, bool, False),
        ladder=text(entry, "ladder", where, 100),
        epsilon=number(entry, "epsilon", where, 0.0, 0, 1),
        rungs=a_list(entry, "rungs", where, words, 12),
        each=typed(entry, "each", where, bool, False),
    )
    if not scene.heading:
        raise ValueError(f"{where} has no heading")
    if show in ("example", "pixels", "draw") and not scene.play:
        raise ValueError(f"{where} shows {show}, which needs play: an address of the page Play")
    if "question" in entry:
        scene = replace(scene, question=_question(entry["question"], f"the question of {where}", scene))
    return scene


def _question(entry: Any, where: str, scene: Scene) -> Question:
    if not isinstance(entry, dict):
        raise ValueError(f"{where} is no table: write [scene.question]")
    truth = one_of(entry, "truth", where, tuple(TRUTHS))
    only(entry, frozenset({"ask", "truth", "options"}) | TRUTHS[truth], where)
    asked = {"fooled": ("example", "draw"), "reads": ("example", "draw")}.get(truth, ("rungs",))
    if truth != "option" and scene.show not in asked:
        raise ValueError(f"{where} has truth = {truth!r}, which a scene that shows {scene.show} does not have")
    options = a_list(entry, "options", where, words, 12)
    found = Question(
        ask=text(entry, "ask", where, 150),
        truth=truth,
        options=options or (BINARY if truth == "fooled" else ()),
        of=one_of(entry, "of", where, SIDES) if "of" in entry else "defended",
        answer=int(number(entry, "answer", where, 1, 1, max(len(options), 1))),
        attacker=text(entry, "attacker", where, 50) or "twin",
        steps=a_list(entry, "steps", where, percent, 8),
        over=number(entry, "over", where, 50, 0, 100),
    )
    if not found.ask:
        raise ValueError(f"{where} has no ask")
    if truth == "option" and len(options) < 2:
        raise ValueError(f"{where} needs options, at least two")
    if truth in ("fooled", "helps") and options and len(options) != {"fooled": 2, "helps": 3}[truth]:
        raise ValueError(f"{where} has {len(options)} options, but truth = {truth!r} has other ones")
    if truth == "error" and (not found.steps or list(found.steps) != sorted(set(found.steps))):
        raise ValueError(f"{where} needs steps: percents that rise, such as [5, 25, 50]")
    return found


def _side(value: Any) -> str:
    if value not in SIDES:
        raise ValueError(f"{str(value)[:30]!r} is none of {', '.join(SIDES)}")
    return str(value)
