"""The ladder as figures: the error at each rung with the key advantage beside it, and curves along what an attacker
has more or less of. Knows no Streamlit."""

import textwrap
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.evaluation.ladder import CONTROL, KNOWN, most
from kerckhoffs.plots.charts import ENDS
from kerckhoffs.plots.runs import DASHES, PERCENT, SYMBOLS, colour, ends, layout

WRAP = 30  # characters of a rung's name in a line
CURVES: dict[str, tuple[str, tuple[str, ...]]] = {
    "queries": ("queries for each image, or before the attack", ("labels", "scores", "substitute")),
    "number": ("keys of the attacker's own", ("own-key", "own-keys")),
    "share": ("share of the key that has leaked", ("part-of-key",)),
    "samples": ("training samples that the attacker has", ("twin", "own-key")),
}
"""What is varied along a curve: the words of its axis, and the attackers who have more or less of it."""
ONES = {"own-key": {"number": 1, "samples": 55_000}, "twin": {"samples": 55_000}}
"""What an attacker has of it whose options do not say so."""


def rung_words(attacker: str, options: str, queries: int = 0) -> str:
    """A rung in a few words: its name, its first option, others where they are not the defaults, and queries if any."""
    entry = ATTACKERS[attacker]
    given = read(options)
    said = [
        f"{name.replace('_', ' ')} {given[name]}"
        for number, (name, default) in enumerate((each.name, str(each.default)) for each in entry.options)
        if name in given and (number == 0 or given[name] != default)
    ]
    said += [f"{queries} queries"] if queries else []
    return ", ".join([entry.name, *said])


def read(options: str) -> dict[str, str]:
    """An attacker's options as they stand in an id."""
    return dict(each.split("=", 1) for each in options.split(":") if each)


def figure(points: pd.DataFrame, epsilon: float) -> go.Figure:
    """Error at each rung, a mark a group of classifiers and one for the control, from knowing nothing at the top to the
    key; beside it the key advantage of those that have a control beside them. With 95 % intervals. What an attacker
    has more or less of has curves of its own, and is here at its most, a leaked share at the half.

    Args:
        points: as evaluation.ladder.points gives them.
    """
    at = points[(points["epsilon"] == epsilon) & (points["level"] == "")]
    parts = [_one(part) for _, part in at.groupby(["attacker", "evaluated_on"], sort=False)]
    shown = pd.concat(parts).loc[lambda each: each.index.sort_values()] if parts else at
    words = [rung_words(*each) for each in zip(shown["attacker"], shown["options"], shown["queries"], strict=True)]
    names = {rung: "<br>".join(map(escape, textwrap.wrap(rung, WRAP))) for rung in words}
    shown = shown.assign(rung=[names[each] for each in words])
    drawn = make_subplots(1, 2, shared_yaxes=True, column_widths=[0.62, 0.38], horizontal_spacing=0.03)
    marks = [(str(group), part, "") for group, part in shown.groupby("evaluated_on", sort=False)]
    marks.append((CONTROL, shown.drop_duplicates("rung"), "control_"))
    for number, (group, part, side) in enumerate(marks):
        for column, name in ((1, f"{side}error"), (2, "advantage")):
            there = part[part[name].notna()]
            if there.empty or (side and column == 2):
                continue
            drawn.add_scatter(
                name=escape(group),
                legendgroup=group,
                showlegend=column == 1,
                x=there[name],
                y=there["rung"],
                error_x=ends(there, name),
                customdata=_under(there, name, side),
                mode="markers",
                marker={"symbol": SYMBOLS[number % len(SYMBOLS)], "size": 11, "color": colour(number)},
                hovertemplate=f"%{{y}}<br>{'error' if column == 1 else name} %{{x:.1%}} {ENDS}<br>%{{customdata[2]}}"
                "<br>%{customdata[3]} keys, %{customdata[4]} samples<extra>%{fullData.name}</extra>",
                row=1,
                col=column,
            )
    drawn.add_vline(x=0, line_width=1, row=1, col=2)
    drawn.update_xaxes(PERCENT | {"title": "error", "range": [-0.02, 1.02]}, tickvals=[0, 0.5, 1], row=1, col=1)
    drawn.update_xaxes(tickformat=".0%", nticks=3, tickangle=0, fixedrange=True, title="key advantage", row=1, col=2)
    order = {"categoryorder": "array", "categoryarray": list(names.values()), "autorange": "reversed"}
    drawn.update_yaxes(fixedrange=True, automargin=True, **order)
    layout(drawn, 150 + 46 * len(names))
    return drawn


def _one(points: pd.DataFrame) -> pd.DataFrame:
    """Of an attacker's points the one that stands for all; each of the networks of who has the data."""
    attacker = points["attacker"].iloc[0]
    if attacker == "data":
        return points
    if attacker == "part-of-key":
        shares = np.array([float(read(each)["share"]) for each in points["options"]])
        return points.iloc[[int(abs(shares - 0.5).argmin())]]
    return most(points).to_frame().T.astype(points.dtypes)


def along(points: pd.DataFrame, epsilon: float, what: str) -> pd.DataFrame:
    """The points of the attackers of a curve, in the order of what they have, which is their `value`; those of the
    control as if it were evaluated.

    Args:
        what: a key of CURVES.
    """
    at = points[(points["epsilon"] == epsilon) & (points["level"] == "") & points["attacker"].isin(CURVES[what][1])]
    at = at.assign(value=[_value(point, what) for point in at.to_dict("records")]).dropna(subset=["value"])
    if what == "number":
        at = at.assign(attacker="own-keys")
    beside = at[at["control_error"].notna() & ~at["attacker"].isin(KNOWN)].assign(
        evaluated_on=CONTROL, **{f"error{end}": at[f"control_error{end}"] for end in ("", "_low", "_high")}
    )
    group = ["attacker", "evaluated_on", "value"]
    at = pd.concat([at, beside]).sort_values("error", ascending=False, kind="stable").drop_duplicates(group)
    several = at.groupby(group[:2])["value"].transform("nunique") > 1
    return at[several].sort_values(group)


def _value(point: dict[Any, Any], what: str) -> float | None:
    if what == "queries" and point["attacker"] != "substitute":
        return float(point["queries"]) or None
    found = read(point["options"]).get(what, ONES.get(point["attacker"], {}).get(what))
    return None if found is None else float(found)


def curve(points: pd.DataFrame, epsilon: float, what: str) -> go.Figure:
    """Error against what an attacker has more or less of, a line an attacker and group, with 95 % intervals."""
    drawn = go.Figure()
    chosen = along(points, epsilon, what)
    for number, ((attacker, group), part) in enumerate(chosen.groupby(["attacker", "evaluated_on"], sort=False)):
        drawn.add_scatter(
            name=escape(f"{ATTACKERS[str(attacker)].name} → {group}"),
            x=part["value"],
            y=part["error"],
            error_y=ends(part, "error"),
            customdata=_under(part, "error"),
            mode="lines+markers",
            line={"color": colour(number), "dash": DASHES[number % len(DASHES)], "width": 3},
            marker={"symbol": SYMBOLS[number % len(SYMBOLS)], "size": 9},
            hovertemplate=f"%{{x}}: %{{y:.1%}} {ENDS}<br>%{{customdata[2]}}<extra>%{{fullData.name}}</extra>",
        )
    scale = {"type": "log"} if what in ("queries", "samples") else {"rangemode": "tozero"}
    layout(drawn, 280 + 22 * len(drawn.data), xaxis={"title": CURVES[what][0], "fixedrange": True, **scale})
    drawn.update_layout(yaxis=PERCENT | {"title": "error after the attack"})
    return drawn


def _under(part: pd.DataFrame, name: str, side: str = "") -> list[list[Any]]:
    """What is told under the pointer.

    Args:
        side: "control_" for the attack on the control.
    """
    return [
        [
            *(point[f"{name}_low"], point[f"{name}_high"], ATTACKS[point[f"{side}attack"]].name),
            *(point["keys"], point["samples"]),
        ]
        for point in part.to_dict("records")
    ]
