"""The ladder as figures: the error at each rung with the key advantage beside it, and curves along what an attacker
has more or less of. Knows no Streamlit."""

import textwrap
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.evaluation.ladder import asked, strongest
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


def rung_words(attacker: str, options: str, attack_options: str = "{}") -> str:
    """A rung in a few words: its name, its first option, and others where they are not the defaults."""
    entry = ATTACKERS[attacker]
    given = read(options)
    said = [
        f"{name.replace('_', ' ')} {given[name]}"
        for number, (name, default) in enumerate((each.name, str(each.default)) for each in entry.options)
        if name in given and (number == 0 or given[name] != default)
    ]
    queries = asked(attack_options)
    said += [f"{queries} queries"] if queries else []
    return ", ".join([entry.name, *said])


def read(options: str) -> dict[str, str]:
    """An attacker's options as they stand in an id."""
    return dict(each.split("=", 1) for each in options.split(":") if each)


def best(lines: pd.DataFrame, epsilon: float) -> pd.DataFrame:
    """The line of the best attack of each rung and group at a budget, each rung under its words."""
    at = strongest(lines[(lines["epsilon"] == epsilon) & lines["attacker"].isin(ATTACKERS)])
    words = [rung_words(*each) for each in zip(at["attacker"], at["options"], at["attack_options"], strict=True)]
    return at.assign(rung=words)


def figure(lines: pd.DataFrame, epsilon: float) -> go.Figure:
    """Error at each rung, a mark a group of classifiers, from knowing nothing at the top to the key; beside it the key
    advantage of those that have a control beside them. With 95 % intervals.

    Args:
        lines: as evaluation.ladder.lines gives them.
    """
    shown = best(lines, epsilon)
    rungs = list(dict.fromkeys(shown["rung"]))
    names = {rung: "<br>".join(map(escape, textwrap.wrap(rung, WRAP))) for rung in rungs}
    drawn = make_subplots(1, 2, shared_yaxes=True, column_widths=[0.62, 0.38], horizontal_spacing=0.03)
    for number, (group, part) in enumerate(shown.groupby("evaluated_on", sort=False)):
        for column, name in ((1, "error"), (2, "advantage")):
            there = part[part[name].notna()]
            if there.empty:
                continue
            drawn.add_scatter(
                name=escape(str(group)),
                legendgroup=str(group),
                showlegend=column == 1,
                x=there[name],
                y=[names[rung] for rung in there["rung"]],
                error_x=ends(there, name),
                customdata=_under(there, name),
                mode="markers",
                marker={"symbol": SYMBOLS[number % len(SYMBOLS)], "size": 11, "color": colour(number)},
                hovertemplate=f"%{{y}}<br>{name} %{{x:.1%}} {ENDS}<br>%{{customdata[2]}}, crafted on %{{customdata[3]}}"
                "<br>%{customdata[4]} keys, %{customdata[5]} samples<extra>%{fullData.name}</extra>",
                row=1,
                col=column,
            )
    drawn.add_vline(x=0, line_width=1, row=1, col=2)
    drawn.update_xaxes(PERCENT | {"title": "error", "range": [-0.02, 1.02]}, tickvals=[0, 0.5, 1], row=1, col=1)
    drawn.update_xaxes(tickformat=".0%", nticks=3, tickangle=0, fixedrange=True, title="key advantage", row=1, col=2)
    order = {"categoryorder": "array", "categoryarray": list(names.values()), "autorange": "reversed"}
    drawn.update_yaxes(fixedrange=True, automargin=True, **order)
    layout(drawn, 150 + 46 * len(rungs))
    return drawn


def along(lines: pd.DataFrame, epsilon: float, what: str) -> pd.DataFrame:
    """The best lines of the attackers of a curve, in the order of what they have, which is their `value`.

    Args:
        what: a key of CURVES.
    """
    at = lines[(lines["epsilon"] == epsilon) & lines["attacker"].isin(CURVES[what][1])]
    values = [_value(line, what) for line in at.to_dict("records")]
    at = at.assign(value=pd.Series(values, index=at.index, dtype=float)).dropna(subset=["value"])
    if what == "number":
        at = at.assign(attacker="own-keys")
    group = ["attacker", "evaluated_on", "value"]
    at = at.sort_values("error", ascending=False, kind="stable").drop_duplicates(group)
    several = at.groupby(group[:2])["value"].transform("nunique") > 1
    return at[several].sort_values(group)


def _value(line: dict[Any, Any], what: str) -> float | None:
    given = read(line["options"])
    if what == "queries" and line["attacker"] != "substitute":
        found = asked(line["attack_options"])
    else:
        found = given.get(what, ONES.get(line["attacker"], {}).get(what))
    return None if found is None else float(found)


def curve(lines: pd.DataFrame, epsilon: float, what: str) -> go.Figure:
    """Error against what an attacker has more or less of, a line an attacker and group, with 95 % intervals."""
    drawn = go.Figure()
    chosen = along(lines, epsilon, what)
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


def _under(part: pd.DataFrame, name: str) -> list[list[Any]]:
    """What is told under the pointer."""
    return [
        [
            *(line[f"{name}_low"], line[f"{name}_high"], ATTACKS[line["attack"]].name),
            *(escape(str(line["crafted_on"])), line["keys"], line["samples"]),
        ]
        for line in part.to_dict("records")
    ]
