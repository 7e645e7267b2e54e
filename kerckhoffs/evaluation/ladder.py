"""The ladder: the attacked error at every rung of an attacker's knowledge, and what of it is the key's merit.

What to evaluate is planned in rungs.py, and what the rows say of it is read in points.py; here lines and points become
files and tables for people. This module hands all their names on.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from kerckhoffs.data import DATASETS
from kerckhoffs.evaluation.points import (
    CONTROL,
    LEVELS,
    LINES,
    NEEDED,
    POINTS,
    Group,
    budgets,
    groups,
    lines,
    lines_of,
    points,
    points_of,
    sides,
)
from kerckhoffs.evaluation.rungs import (
    CARRIED,
    EPSILONS,
    GRADIENTS,
    KEYS,
    KNOWN,
    QUERIES,
    SHARES,
    Rung,
    asking,
    plan,
    rungs,
    to_make,
)
from kerckhoffs.evaluation.summaries import named, percent

__all__ = [
    "ATTACKS",
    "CARRIED",
    "CONTROL",
    "EPSILONS",
    "GRADIENTS",
    "KEYS",
    "KNOWN",
    "LEVELS",
    "LINES",
    "NEEDED",
    "POINTS",
    "QUERIES",
    "SHARES",
    "Group",
    "Rung",
    "asking",
    "budgets",
    "groups",
    "lines",
    "lines_of",
    "measured",
    "most",
    "plan",
    "points",
    "points_of",
    "read_lines",
    "read_points",
    "report",
    "rungs",
    "share",
    "sides",
    "to_make",
    "top",
]

ATTACKS = ".attacks.csv"
HIDDEN = ("epsilon", "perturb_all")  # options of an attack that a table need not repeat


def read_lines(path: Path) -> pd.DataFrame:
    """The lines of a CSV file that was made of them.

    Raises:
        OSError, ValueError, KeyError: if it cannot be read, or is none.
    """
    return _read(path, LINES)


def read_points(path: Path) -> pd.DataFrame:
    """The points of a CSV file that was made of them.

    Raises:
        OSError, ValueError, KeyError: if it cannot be read, or is none.
    """
    return _read(path, POINTS)


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    words = dict.fromkeys(("level", "options", "control_attacker", "control_options", "control_attack"), "string")
    found = pd.read_csv(path, dtype=words)[list(columns)]
    return found.assign(**{name: found[name].fillna("").astype(str) for name in words if name in columns})


def measured(folder: Path) -> dict[str, Path]:
    """The files of points in a folder, by the model that they are named after; the sets in the order of DATASETS. The
    lines are beside them, with the ending ATTACKS."""

    def place(path: Path) -> tuple[int, str]:
        sets = [number for number, name in enumerate(DATASETS) if path.stem.startswith(f"{name}-")]
        return (*sets, len(DATASETS))[0], path.stem

    found = (path for path in folder.glob("*.csv") if "." not in path.stem)
    return {path.stem: path for path in sorted(found, key=place)}


def share(line: pd.Series, name: str = "error") -> str:
    """An error or advantage of a line or point with its interval, in percent, without the sign."""
    return percent(*(line[f"{name}{end}"] for end in ("", "_low", "_high")))


def top(points: pd.DataFrame, attacker: str, epsilon: float) -> pd.Series | None:
    """`most` of an attacker's points at a budget; None if nothing was measured."""
    at = points[(points["attacker"] == attacker) & (points["level"] == "") & np.isclose(points["epsilon"], epsilon)]
    return None if at.empty else most(at)


def most(points: pd.DataFrame) -> pd.Series:
    """Of the points with the most of the defender's keys the one at which most is wrong; of equals the last, which has
    the most queries, or keys of the attacker's own."""
    whole = points[points["keys"] == points["keys"].max()]
    return whole[whole["error"] == whole["error"].max()].iloc[-1]


def report(points: pd.DataFrame) -> pd.DataFrame:
    """Rungs and levels for people, in percent: the strongest attack on each defence, the strongest on the controls, and
    the advantage; at a level by whom."""
    each = [point for _, point in points.iterrows()]
    return pd.DataFrame(
        {
            "epsilon": [point["epsilon"] for point in each],
            "attacker": [f"knows {point['level']}" if point["level"] else _who(point) for point in each],
            "attack": [_by(point, "", _attack(point["attack"], point["attack_options"])) for point in each],
            "evaluated on": [point["evaluated_on"] for point in each],
            "attacked error %": [share(point) for point in each],
            "control's attack": [_by(point, "control_", point["control_attack"]) or "-" for point in each],
            "control %": [share(point, "control_error") for point in each],
            "key advantage %": [share(point, "advantage") for point in each],
            "keys, samples": [_counted(point) for point in each],
        }
    )


def _who(point: pd.Series, side: str = "") -> str:
    return " ".join(filter(None, (point[f"{side}attacker"], point[f"{side}options"])))


def _by(point: pd.Series, side: str, attack: str) -> str:
    """An attack; at a level, where there are many, with the attacker."""
    who = _who(point, side) if point["level"] else ""
    return f"{who}: {attack}" if who and who != attack else attack


def _counted(point: pd.Series) -> str:
    """Of how many keys and samples an error is, and the advantage where that is of fewer."""
    of = (f"{point[f'{side}keys']:.0f}, {point[f'{side}samples']:.0f}" for side in ("", "advantage_"))
    error, difference = of
    return error if difference in (error, "0, 0") else f"{error}; advantage {difference}"


def _attack(attack: str, options: str) -> str:
    """An attack with the options that a table has to repeat."""
    return named(attack, json.dumps({name: value for name, value in json.loads(options).items() if name not in HIDDEN}))
