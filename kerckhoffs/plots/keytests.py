"""How good a key is, as figures: wrong keys, exchanged places, leaks, each other's keys. Knows no Streamlit."""

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kerckhoffs.evaluation.keytests import report
from kerckhoffs.evaluation.keytests.lines import CONSTANT
from kerckhoffs.plots.charts import ENDS
from kerckhoffs.plots.runs import DASHES, PERCENT, SYMBOLS, colour, ends, layout

HEIGHT = 320
ROW = 46  # of a network in the matrix
REFERENCES = (("right key", "dash"), ("guessing", "dot"), (CONSTANT, "dashdot"))


def wrong_keys(lines: pd.DataFrame) -> go.Figure:
    """The error behind each wrong key, a dot a key, the mean with its interval, and the lines that it is held against.

    Args:
        lines: as evaluation.keytests.report has them.
    """
    those = lines[(lines["test"] == "wrong-keys") & lines["case"].str.startswith("wrong key ")]
    drawn = go.Figure()
    number = np.arange(len(those))
    spread = 0.06 * (number * 7 % 11 - 5)  # so that dots lie beside each other
    drawn.add_scatter(
        name="a wrong key",
        x=those["value"],
        y=spread,
        mode="markers",
        marker={"symbol": "circle-open", "size": 8, "color": colour(0), "line": {"width": 1.5}},
        customdata=those[["low", "high"]].to_numpy(),
        hovertemplate=f"error %{{x:.1%}} {ENDS}<extra>a wrong key</extra>",
    )
    mean = report.one(lines, "wrong-keys", "wrong keys")
    if mean is not None:
        one = mean.to_frame().T.astype({"value": float, "low": float, "high": float})
        drawn.add_scatter(
            name="their mean",
            x=one["value"],
            y=[-0.6],
            error_x=ends(_named(one), "value"),
            mode="markers",
            marker={"symbol": "diamond", "size": 11, "color": colour(4)},
            customdata=one[["low", "high"]].to_numpy(),
            hovertemplate=f"mean %{{x:.1%}} {ENDS}<extra></extra>",
        )
    _references(drawn, lines, (-1, 0.6), upright=True)
    layout(drawn, HEIGHT, xaxis=PERCENT | {"title": "error", "range": [-0.02, 1.02]})
    drawn.update_layout(yaxis={"visible": False, "range": [-1, 0.6], "fixedrange": True})
    return drawn


def avalanche(lines: pd.DataFrame) -> go.Figure:
    """The error against the number of pairs of the key that are exchanged, with 95 % intervals."""
    found = report.curve(lines, "avalanche")
    drawn = go.Figure()
    _curve(drawn, found, "pairs exchanged", 0, "%{x} pairs")
    _references(drawn, lines, (found["x"].min(), found["x"].max()))
    shown = [
        pairs for pairs in found["x"] if pairs in (1, 10, 100, found["x"].max())
    ]  # as many as a phone has room for
    ticks = {"type": "log", "tickvals": shown, "tickangle": 0, "fixedrange": True}
    layout(drawn, HEIGHT, xaxis={"title": "pairs of the key's values exchanged", **ticks})
    drawn.update_layout(yaxis=PERCENT | {"title": "error"})
    return drawn


def leak(lines: pd.DataFrame, share: float | None = None) -> go.Figure:
    """The error against the share of the key that is known: on clean images, the rest of the key guessed; and after
    attacks by who knows so much, a line a budget. With 95 % intervals.

    Args:
        share: if given, marked.
    """
    drawn = go.Figure()
    _curve(drawn, report.curve(lines, "leak"), "clean, the rest guessed", 0, "%{x:.0%} known")
    used = report.at_budget(lines)
    for number, (epsilon, part) in enumerate(used.groupby("epsilon"), 1):
        _curve(drawn, part.assign(x=part["share"]), f"attacked, ε {epsilon:g}", number, "%{x:.0%} known")
    if share is not None:
        drawn.add_vline(x=share, line_width=2, line_dash="dot", line_color="gray")
    title = {"title": "share of the key that is known", "tickformat": ".0%", "fixedrange": True, "range": [-0.03, 1.03]}
    layout(drawn, HEIGHT + 22 * len(drawn.data), xaxis=title)
    drawn.update_layout(yaxis=PERCENT | {"title": "error"})
    return drawn


def cross_keys(lines: pd.DataFrame) -> go.Figure:
    """The error of each network behind each key, in numbers on a heat map: a row a network, a column a key.

    They are numbered in the order of report.matrix, for a phone has no room for names.
    """
    values = report.matrix(lines)
    low, high = report.matrix(lines, "low"), report.matrix(lines, "high")
    names, numbers = list(map(escape, short(list(values.index)))), range(1, len(values) + 1)
    drawn = go.Figure()
    drawn.add_heatmap(
        z=values.to_numpy(),
        x=[f"key {number}" for number in numbers],
        y=[f"net {number}" for number in numbers],
        zmin=0,
        zmax=1,
        colorscale="Cividis",
        showscale=False,
        xgap=2,
        ygap=2,
        customdata=np.stack([low.to_numpy(), high.to_numpy()], 2),
        text=[[f"network of {network}, key of {key}" for key in names] for network in names],
        texttemplate="%{z:.1%}",
        textfont={"size": 13},
        hovertemplate=f"%{{text}}: %{{z:.1%}} {ENDS}<extra></extra>",
    )
    layout(drawn, 70 + ROW * len(names), xaxis={"side": "top", "fixedrange": True, "tickangle": 0})
    drawn.update_layout(yaxis={"autorange": "reversed", "automargin": True, "fixedrange": True})
    return drawn


def short(ids: Sequence[str]) -> list[str]:
    """Ids without the set and network that all share."""
    parts = [each.removeprefix("own/").split("-") for each in ids]
    shared = 0
    while all(len(part) > shared + 1 and part[shared] == parts[0][shared] for part in parts):
        shared += 1
    return [
        "yours, " * each.startswith("own/") + "-".join(part[shared:]) for each, part in zip(ids, parts, strict=True)
    ]


def _curve(drawn: go.Figure, found: pd.DataFrame, name: str, number: int, where: str) -> None:
    drawn.add_scatter(
        name=escape(name),
        x=found["x"],
        y=found["value"],
        error_y=ends(_named(found), "value"),
        customdata=found[["low", "high", "draws", "samples"]].to_numpy(),
        mode="lines+markers",
        line={"color": colour(number), "dash": DASHES[number % len(DASHES)], "width": 3},
        marker={"symbol": SYMBOLS[number % len(SYMBOLS)], "size": 9},
        hovertemplate=f"{where}: %{{y:.1%}} {ENDS}<br>%{{customdata[2]}} keys, %{{customdata[3]}} samples"
        "<extra>%{fullData.name}</extra>",
    )


def _named(found: pd.DataFrame) -> pd.DataFrame:
    return found.assign(value_low=found["low"], value_high=found["high"])


def _references(drawn: go.Figure, lines: pd.DataFrame, between: tuple[float, float], upright: bool = False) -> None:
    """Lines of what a wrong key is held against, named in the legend: across between two numbers, or upright."""
    for number, (case, dash) in enumerate(REFERENCES, 1):
        found = report.one(lines, "wrong-keys", case)
        if found is not None:
            value = float(found["value"])
            x, y = ([value, value], list(between)) if upright else (list(between), [value, value])
            drawn.add_scatter(
                name=f"{case}, {100 * value:.1f} %",
                x=x,
                y=y,
                mode="lines",
                line={"color": colour(number), "dash": dash, "width": 2},
                hovertemplate=f"{case}: {100 * value:.1f} %<extra></extra>",
            )
