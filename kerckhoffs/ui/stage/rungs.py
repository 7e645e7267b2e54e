"""A scene that shows what was measured: the ladder, or a part of it, with every figure read from results/ladder."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pandas as pd

from kerckhoffs import places
from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.checks import check_choice
from kerckhoffs.evaluation import ladder
from kerckhoffs.evaluation.judge import percent
from kerckhoffs.room import Question, Scene, Shown
from kerckhoffs.ui.stage import blocks
from kerckhoffs.ui.stage.blocks import Block

HELPS = ("Yes, it withstands more", "No difference can be shown", "No, it withstands less")
NONE = "None of them"


def shown(scene: Scene, source: str = "") -> Shown:
    """The errors at each of the scene's rungs, keyed and control.

    Raises:
        ValueError: if nothing was measured there.
    """
    points = _points(scene.ladder)
    at = points[((points["epsilon"] - scene.epsilon).abs() < 1e-9) & (points["level"] == "")]
    if at.empty:
        offered = ", ".join(f"{each:g}" for each in sorted(points["epsilon"].unique()))
        raise ValueError(f"epsilon is {scene.epsilon:g}, but {scene.ladder} was measured at {offered}")
    found = [each for rung in scene.rungs or tuple(ATTACKERS) for each in _rung(at, rung, scene)]
    if not found:
        raise ValueError(f"none of the rungs {', '.join(scene.rungs)} was measured")
    samples = " to ".join(map(str, sorted({int(each["samples"]) for each in found})))
    title = f"Digits read wrong, of {samples}, at ε = {scene.epsilon:g} (linf)"
    if _alone(scene):
        title = f"{ATTACKERS[found[0]['attacker']].name}: {title[0].lower()}{title[1:]}"
    controlled = any(len(each["values"]) > 1 for each in found)
    each = "The strongest attack on each" if controlled else "The strongest attack"
    note = f"{each}. 95 % intervals."
    said = f"Measured before, on {samples} samples (results/ladder)"
    names = ("evaluated on the keyed one", "on the control without a key")[: 1 + controlled]
    hidden = [{"label": each["label"], "values": []} for each in found]
    rows = [{name: each[name] for name in ("label", "values", "advantage")} for each in found]
    options, truth = _truth(scene.question, at, found, scene) if scene.question else ((), None)
    return Shown(
        blocks.view(blocks.bars(title, note, hidden, names), source=said),
        blocks.view(blocks.bars(title, note, rows, names), source=said),
        options,
        truth,
    )


def _points(name: str) -> pd.DataFrame:
    there = ladder.measured(places.shipped("results") / "ladder")
    check_choice(name, there, "ladder")
    return ladder.read_points(there[name])


def _rung(at: pd.DataFrame, rung: str, scene: Scene) -> list[dict[str, Any]]:
    """A row of figures for a rung, "twin", or for one with options, "part-of-key:share=0.5"; one each if asked for."""
    keyed = _keyed(at, rung)
    if scene.each:
        chosen = [ladder.most(group) for _, group in keyed.groupby("options", sort=False)]
    else:
        chosen = [] if keyed.empty else [ladder.most(keyed)]
    return [_row(point, labelled=scene.each or ":" in rung, alone=_alone(scene)) for point in chosen]


def _alone(scene: Scene) -> bool:
    """Whether a scene shows the options of one attacker, whose name the title then says."""
    return scene.each and len({rung.partition(":")[0] for rung in scene.rungs}) == 1


def _keyed(at: pd.DataFrame, rung: str) -> pd.DataFrame:
    """The points of a rung on the keyed classifiers.

    Raises:
        ValueError: if there is no such attacker.
    """
    attacker, _, options = rung.partition(":")
    check_choice(attacker, ATTACKERS, "rung")
    found = at[(at["attacker"] == attacker) & (at["evaluated_on"] != ladder.CONTROL)]
    for each in filter(None, options.split(":")):
        found = found[[each in had.split(":") for had in found["options"]]]
    return found


def _row(point: pd.Series, labelled: bool, alone: bool) -> dict[str, Any]:
    named = point["attacker"] == "key" or point["attacker"] not in ladder.KNOWN  # a control's key cannot leak in part
    controlled = named and not math.isnan(point["control_error"])
    option = point["options"].partition(":")[0].replace("=", " ")
    name = ATTACKERS[point["attacker"]].name
    label = option if alone and option else f"{name}, {option}" if labelled and option else name
    return {
        "attacker": point["attacker"],
        "label": label,
        "values": [_value(point, each) for each in ("error", "control_error")[: 1 + controlled]],
        "advantage": _advantage(point),
        "samples": point["samples"],
        "error": float(point["error"]),
    }


def _value(point: pd.Series, name: str) -> Block:
    value, low, high = (float(point[f"{name}{end}"]) for end in ("", "_low", "_high"))
    said = f"{percent(value)} ({100 * low:.0f} to {100 * high:.0f})"
    return {"value": value, "low": low, "high": high, "said": said}


def _advantage(point: pd.Series) -> str:
    value, low, high = (100 * float(point[f"advantage{end}"]) for end in ("", "_low", "_high"))
    if math.isnan(value):
        return ""
    return f"key advantage {value:+.1f} points ({low:+.1f} to {high:+.1f})".replace("-", "−")


def _truth(
    question: Question, at: pd.DataFrame, found: Sequence[dict[str, Any]], scene: Scene
) -> tuple[tuple[str, ...], int | None]:
    """The options of a question, and which of them is so."""
    if question.truth == "option":
        return question.options, question.answer - 1
    if question.truth == "first":
        over = [number for number, each in enumerate(found) if 100 * each["error"] >= question.over]
        return (*(each["label"] for each in found), NONE), next(iter(over), len(found))
    points = _keyed(at, question.attacker)
    if points.empty:
        raise ValueError(f"nothing was measured of {question.attacker} in {scene.ladder}")
    point = ladder.most(points)
    if question.truth == "helps":
        low, high = float(point["advantage_low"]), float(point["advantage_high"])
        return question.options or HELPS, 0 if low > 0 else 2 if high < 0 else 1
    options = (
        f"under {question.steps[0]:g} %",
        *(f"{low:g} to {high:g} %" for low, high in pairwise(question.steps)),
        f"{question.steps[-1]:g} % or more",
    )
    error = 100 * float(point["error"])
    return options, sum(error >= each for each in question.steps)
