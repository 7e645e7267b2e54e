"""How a training goes: the loss as it falls, and the errors after each epoch. Knows no Streamlit."""

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from kerckhoffs.plots.runs import DASHES, SYMBOLS, colour, layout
from kerckhoffs.zoo.train import Curve

if TYPE_CHECKING:
    import pandas as pd  # slow, and most pages do without

HEIGHT = 230


def loss(curve: Curve, epochs: int) -> go.Figure:
    """The mean loss of the training batches against epochs, on a logarithmic axis."""
    steps = max(curve.steps, 1)
    drawn = go.Figure()
    drawn.add_scatter(
        name="loss of the training batches",
        x=[epochs * step / steps for step, _ in curve.losses],
        y=[value for _, value in curve.losses],
        mode="lines",
        line={"color": colour(0), "width": 2},
        hovertemplate="epoch %{x:.2f}: %{y:.3f}<extra></extra>",
    )
    layout(drawn, HEIGHT, xaxis=_epochs(epochs), yaxis={"title": "loss", "type": "log", "fixedrange": True})
    drawn.update_layout(showlegend=False)
    return drawn


def errors(curve: Curve, epochs: int, beside: dict[str, float]) -> go.Figure:
    """The validation error after each epoch, clean and, where the training attacks, attacked.

    Args:
        beside: validation errors of other classifiers, by what they are called, as lines across.
    """
    drawn = go.Figure()
    lines: dict[str, list[float | None]] = {
        "clean": [clean for clean, _ in curve.errors],
        "attacked": [attacked for _, attacked in curve.errors],
    }
    for number, (name, values) in enumerate(lines.items()):
        if any(value is not None for value in values):
            drawn.add_scatter(
                name=f"this one, {name}" if name == "attacked" else "this one",
                x=list(range(1, len(values) + 1)),
                y=values,
                mode="lines+markers",
                marker={"symbol": SYMBOLS[number], "size": 9},
                line={"color": colour(number), "width": 2},
                hovertemplate="after epoch %{x}: %{y:.2%}<extra></extra>",
            )
    for number, (name, value) in enumerate(beside.items()):
        drawn.add_scatter(
            name=f"{name}, {100 * value:.1f} %",
            x=[0, epochs],
            y=[value, value],
            mode="lines",
            line={"color": colour(number + 2), "dash": DASHES[number + 1], "width": 2},
            hoverinfo="skip",
        )
    axis = {"title": "validation error", "tickformat": ".1%", "rangemode": "tozero", "fixedrange": True}
    layout(drawn, HEIGHT, xaxis=_epochs(epochs), yaxis=axis)
    return drawn


def _epochs(epochs: int) -> dict[str, object]:
    return {"title": "epoch", "range": [0, epochs * 1.03], "fixedrange": True}


def rotation(found: "pd.DataFrame") -> go.Figure:
    """The validation error by epoch behind a new key, a line for each pair of keys and start.

    Args:
        found: the columns seed, start, epoch, validation_error.
    """
    drawn = go.Figure()
    for number, (start, those) in enumerate(found.groupby("start", sort=False)):
        for first, (_, line) in enumerate(those.groupby("seed", sort=False)):
            drawn.add_scatter(
                name=f"from {start}" if start != "none" else "from nothing",
                legendgroup=start,
                showlegend=first == 0,
                x=line["epoch"],
                y=line["validation_error"],
                mode="lines+markers",
                marker={"symbol": SYMBOLS[number], "size": 8, "color": colour(number)},
                line={"color": colour(number), "dash": DASHES[number], "width": 2},
                hovertemplate="after epoch %{x}: %{y:.2%}<extra></extra>",
            )
    axis = {"title": "validation error", "type": "log", "tickformat": ".0%", "fixedrange": True}
    axis |= {"tickvals": [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]}
    layout(drawn, HEIGHT, xaxis={"title": "epoch behind the new key", "dtick": 1, "fixedrange": True}, yaxis=axis)
    return drawn
