"""Plotly figures of probabilities and errors. Knows no Streamlit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from kerckhoffs.evaluation.metrics import wilson
from kerckhoffs.plots.pictures import AFTER, BEFORE, OKABE_ITO

if TYPE_CHECKING:
    import pandas as pd  # slow, and most pages do without

ENDS = "(%{customdata[0]:.1%} to %{customdata[1]:.1%})"  # of a share's interval, under the pointer


@dataclass(frozen=True)
class Probabilities:
    """What a classifier says before and after: ten probabilities each, the true class and the target."""

    before: Sequence[float]
    after: Sequence[float]
    label: int
    target: int | None


def probabilities(shown: Probabilities, classes: Sequence[str]) -> go.Figure:
    """Bars of each class's probability, clean beside adversarial; the true class is marked ✓, the target ◎."""
    marks = ["✓ " if i == shown.label else "◎ " if i == shown.target else "" for i in range(len(classes))]
    names = [mark + name for mark, name in zip(marks, classes, strict=True)]
    bars = [
        {
            "type": "bar",
            "name": name,
            "x": names,
            "y": list(values),
            "marker": {"color": fill, "line": {"color": line, "width": 2}},
            "hovertemplate": "%{x}: %{y:.3f}<extra>" + name + "</extra>",
        }
        for name, values, fill, line in (
            ("clean", shown.before, "rgba(0, 0, 0, 0)", BEFORE),
            ("adversarial", shown.after, AFTER, AFTER),
        )
    ]
    # Drawn about once a second while an attack runs. Plotly takes twice as long for bars with a pattern and for margins
    # that it has to find by itself, so the clean bars are outlines, and the margins say how much room the names need.
    short = max(map(len, classes)) < 3
    room = 24 if short else 64
    layout = {
        "template": {"layout": {}},  # what the themes say of other charts is copied, sent and searched each time
        "height": 106 + room,
        "margin": {"l": 36, "r": 4, "t": 26, "b": room, "autoexpand": False},
        "bargap": 0.25,
        "bargroupgap": 0.05,
        "font": {"size": 14},
        "legend": {
            "orientation": "h",
            "y": 1.02,
            "x": 1,
            "xanchor": "right",
            "yanchor": "bottom",
            "font": {"size": 13},
        },
        "yaxis": {"range": [0, 1], "tickvals": [0, 0.5, 1], "fixedrange": True, "automargin": False},
        "xaxis": {"type": "category", "fixedrange": True, "tickangle": 0 if short else -35, "automargin": False},
    }
    return go.Figure(bars, layout, _validate=False)  # checking costs most of the time


def error_bars(shares: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> dict[str, Any]:
    """Plotly's error bars from shares (N,) to the ends of their intervals, (N,) each."""
    return {"type": "data", "symmetric": False, "array": high - shares, "arrayminus": shares - low, "thickness": 2}


def error_curves(
    budgets: Sequence[float], wrong: Mapping[str, Sequence[int]], count: int, height: int = 260
) -> go.Figure:
    """Error against the budget, with Wilson's 95 % intervals, a line a model; lines differ in colour, dash and marker.

    Args:
        wrong: of `count` examples, how many each model, of three at most, misreads at each budget.
    """
    figure = go.Figure()
    styles = zip((AFTER, *OKABE_ITO[2:4]), ("solid", "dash", "dot"), ("circle", "square", "diamond"), strict=True)
    for (name, counts), (colour, dash, symbol) in zip(wrong.items(), styles, strict=False):
        shares = np.array(counts) / count
        low, high = np.array([wilson(each, count) for each in counts]).T
        figure.add_scatter(
            name=name,
            x=list(budgets),
            y=list(shares),
            error_y=error_bars(shares, low, high),
            customdata=np.stack([low, high], 1),
            mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 3},
            marker={"symbol": symbol, "size": 9},
            hovertemplate=f"epsilon %{{x}}: %{{y:.0%}} {ENDS}<extra>{name}</extra>",
        )
    figure.update_layout(
        height=height,
        margin={"l": 48, "r": 8, "t": 28, "b": 40},
        font={"size": 14},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 14}},
        xaxis={"title": "epsilon", "fixedrange": True},
        yaxis={"range": [0, 1.02], "tickformat": ".0%", "title": "misread", "fixedrange": True},
    )
    return figure


def query_curve(
    queries: Sequence[int], values: Sequence[float | None], name: str, top: float | None = None
) -> go.Figure:
    """What an attack had after so many queries, in steps, on a logarithmic axis.

    Args:
        values: one for each number of queries; None while it had nothing.
        name: what they are.
        top: of their axis; left out, what they need.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=list(queries),
        y=list(values),
        mode="lines+markers",
        line={"color": AFTER, "width": 3, "shape": "hv"},
        marker={"size": 5},
        hovertemplate="%{x} queries: %{y:.3f}<extra></extra>",
    )
    figure.update_layout(
        height=200,
        margin={"l": 60, "r": 8, "t": 8, "b": 40},
        font={"size": 14},
        xaxis={"type": "log", "title": "queries", "fixedrange": True},
        yaxis={"range": [0, top], "title": name, "fixedrange": True},
    )
    return figure


def security_curves(curve: "pd.DataFrame") -> go.Figure:
    """Success against budget, a line an attack and a chart a norm, from the rows of bench.security_curve."""
    import plotly.express as px  # slow, and no page needs it

    figure = px.line(
        curve,
        x="budget",
        y="success",
        color="attack",
        line_dash="attack",
        facet_col="norm",
        line_shape="hv",
        color_discrete_sequence=OKABE_ITO,
        template="none",
    )
    figure.update_xaxes(matches=None, rangemode="tozero")
    figure.update_yaxes(range=[0, 1.02])
    return figure
