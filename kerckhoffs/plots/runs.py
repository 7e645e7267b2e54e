"""Figures of a run's rows and summary. Knows no Streamlit.

Colours are Okabe and Ito's; lines also differ in dash and marker, bars in pattern. Each name in a legend says what was
crafted on and what was evaluated on. Plotly reads some HTML, links too, wherever it writes words: names are escaped.
"""

import json
import textwrap
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kerckhoffs.attacks import ATTACKS
from kerckhoffs.data import DATASETS, TEST_SAMPLES
from kerckhoffs.evaluation import summaries
from kerckhoffs.evaluation.metrics import wilson
from kerckhoffs.evaluation.table3 import ROWS
from kerckhoffs.plots.charts import ENDS, error_bars
from kerckhoffs.plots.pictures import BEFORE, OKABE_ITO

NORMS = {"l0": "pixels changed (l0)", "l2": "length of the change (l2)", "linf": "largest change of a pixel (linf)"}
MADE = tuple(name for name in summaries.GROUP if name != "evaluated_on")  # what the making of an example depends on
BUDGETS = ("epsilon", "max_queries", "iterations", "max_iterations")  # options of which more is stronger
POINTS = 200  # of a curve, at most
WRAP = 26  # characters of a line of words beside a chart
DASHES, PATTERNS = ("solid", "dash", "dot", "dashdot"), ("", "/", "x", "-", ".", "+")
OPEN = {"paper": "-open", "here": ""}
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star")
Line = Mapping[Any, Any]  # of a summary
PERCENT = {"range": [0, 1.02], "tickformat": ".0%", "fixedrange": True}


def attack_words(line: Line) -> str:
    """What was tried, in a few words: "FGSM, epsilon 0.3"."""
    options: dict[str, object] = json.loads(line["options"])
    words = [f"{name.replace('_', ' ')} {value}" for name, value in options.items() if name != "perturb_all"]
    words += [f"{line['targets']} target"] if line["targets"] != "untargeted" else []
    words += [f"seed {line['seed']}"] if line["seed"] else []
    return ", ".join([ATTACKS[line["attack"]].name, *words])


def table3_words(line: Line) -> str:
    """A line of Table 3 in a few words: "MNIST, FGSM, arithmetic exact, epsilon 0.3"."""
    row = ROWS[line["row"]]
    options = json.loads(line["options"])
    if row.attack == "fgsm":  # the other lines have another one, so this is said even where it is the default
        options = {"arithmetic": "exact"} | options
    words = attack_words({**line, "attack": row.attack, "options": json.dumps(options)})
    return f"{DATASETS[row.dataset].name}, {words}"


def errors(summary: pd.DataFrame) -> go.Figure:
    """Attacked error of each attack, a bar an evaluated model, with 95 % intervals."""
    figure = go.Figure()
    under = [*_low_high("attacked_error"), "clean_error", *_low_high("clean_error"), "examples"]
    clean = "%{customdata[2]:.1%} (%{customdata[3]:.1%} to %{customdata[4]:.1%})"
    tried = [_tried(line) for line in _lines(summary)]
    for number, (model, part) in enumerate(summary.groupby("evaluated_on", observed=True, sort=False)):
        figure.add_bar(
            orientation="h",
            name=f"evaluated on {escape(str(model))}",
            y=[tried[summary.index.get_loc(index)] for index in part.index],
            x=part["attacked_error"],
            error_x=ends(part, "attacked_error") | {"color": BEFORE},
            customdata=part[under].to_numpy(),
            marker={"color": colour(number), "pattern": {"shape": PATTERNS[number % len(PATTERNS)], "solidity": 0.3}},
            hovertemplate=f"%{{y}}<br>attacked error %{{x:.1%}} {ENDS}<br>clean error {clean}<br>"
            f"%{{customdata[5]}} examples<extra>%{{fullData.name}}</extra>",
        )
    groups = len(set(tried))
    layout(figure, 110 + groups * (30 + 22 * summary["evaluated_on"].nunique()), xaxis=PERCENT | {"title": "error"})
    figure.update_layout(yaxis={"autorange": "reversed", "automargin": True, "fixedrange": True}, bargap=0.25)
    return figure


def distortions(rows: pd.DataFrame, norm: str) -> go.Figure:
    """Sizes of the examples that worked on the crafted-on model: median, quartiles, 5th and 95th percentile."""
    figure = go.Figure()
    for number, (key, group) in enumerate(rows.groupby(list(MADE), observed=True, sort=False)):
        line = dict(zip(MADE, key, strict=True))
        once = group[group["evaluated_on"] == group["evaluated_on"].iloc[0]]
        sizes = once.loc[once["crafted_success"], norm].to_numpy()
        if len(sizes) == 0:
            continue
        low, q1, median, q3, high = (np.quantile(sizes, share) for share in (0.05, 0.25, 0.5, 0.75, 0.95))
        figure.add_box(
            orientation="h",
            y=[f"{_tried(line)}<br>{len(sizes)} of {len(once)} worked"],
            lowerfence=[low],
            q1=[q1],
            median=[median],
            q3=[q3],
            upperfence=[high],
            marker={"color": colour(number)},
        )
    layout(figure, 90 + 72 * len(figure.data), xaxis={"title": NORMS[norm], "rangemode": "tozero", "fixedrange": True})
    figure.update_layout(yaxis={"autorange": "reversed", "automargin": True, "fixedrange": True}, showlegend=False)
    return figure


def fooled_within(rows: pd.DataFrame, norm: str) -> go.Figure:
    """The share of examples that fool the evaluated model with a change of at most so much, of those right before.

    Under the pointer is Wilson's 95 % interval for as many examples as there are samples: where several share a sample
    they are not independent, and the interval is rather too wide.
    """
    figure = go.Figure()
    end = 1.05 * float(rows[norm].max())
    for number, (key, group) in enumerate(rows.groupby(list(summaries.GROUP), observed=True, sort=False)):
        line = dict(zip(summaries.GROUP, key, strict=True))
        right = group[group["before"] == group["label"]]
        if right.empty:
            continue
        samples = right["index"].nunique()
        sizes = np.sort(right.loc[right["after"] != right["label"], norm].to_numpy())
        few = np.unique(np.linspace(0, len(sizes) - 1, min(POINTS, len(sizes))).astype(int))
        shares = np.array([0, *(few + 1), len(sizes)]) / len(right)
        figure.add_scatter(
            name=escape(f"{attack_words(line)}: {line['crafted_on']} → {line['evaluated_on']}"),
            x=[0, *sizes[few], end],
            y=shares,
            customdata=[wilson(round(share * samples), samples) for share in shares],
            mode="lines",
            line={"shape": "hv", "color": colour(number), "dash": DASHES[number % len(DASHES)], "width": 3},
            hovertemplate=f"at most %{{x:.3g}}: %{{y:.1%}} {ENDS}<extra></extra>",
        )
    layout(figure, 260 + 20 * len(figure.data), xaxis={"title": NORMS[norm], "fixedrange": True})
    figure.update_layout(yaxis=PERCENT | {"title": "fooled"})
    return figure


def curves(summary: pd.DataFrame, budget: str) -> dict[str, pd.DataFrame]:
    """The lines of a summary that differ in nothing but an option, one of BUDGETS, in its order and under `budget`."""
    found: dict[str, list[dict[Any, Any]]] = {}
    for line in _lines(summary):
        options = json.loads(line["options"])
        if budget in options:
            value = options.pop(budget)
            words = attack_words(line | {"options": json.dumps(options)})
            name = f"{words}: {line['crafted_on']} → {line['evaluated_on']}"
            found.setdefault(name, []).append(line | {"budget": value})
    return {name: pd.DataFrame(lines).sort_values("budget") for name, lines in found.items() if len(lines) > 1}


def errors_by(summary: pd.DataFrame, budget: str) -> go.Figure:
    """Attacked error against an option that was varied, with 95 % intervals: the `curves`."""
    figure = go.Figure()
    for number, (name, lines) in enumerate(curves(summary, budget).items()):
        figure.add_scatter(
            name=escape(name),
            x=lines["budget"],
            y=lines["attacked_error"],
            error_y=ends(lines, "attacked_error"),
            customdata=lines[_low_high("attacked_error")].to_numpy(),
            mode="lines+markers",
            line={"color": colour(number), "dash": DASHES[number % len(DASHES)], "width": 3},
            marker={"symbol": SYMBOLS[number % len(SYMBOLS)], "size": 9},
            hovertemplate=f"%{{x}}: %{{y:.1%}} {ENDS}<extra></extra>",
        )
    title = {"title": budget.replace("_", " "), "rangemode": "tozero", "fixedrange": True}
    layout(figure, 260 + 20 * len(figure.data), xaxis=title)
    figure.update_layout(yaxis=PERCENT | {"title": "error"})
    return figure


def beside_the_paper(lines: pd.DataFrame) -> go.Figure:
    """Table 3: attacked errors on the classical, the keyed and the control model, the paper's beside ours."""
    names = ["<br>".join(map(_wrapped, table3_words(line).split(", ", 1))) for line in _lines(lines)]
    figure = go.Figure()

    def add(whose: str, kind: str, number: int, table: pd.DataFrame, name: str) -> None:
        said = f"{whose}, evaluated on {kind}"
        figure.add_scatter(
            name=said,
            x=table[name],
            y=names,
            error_x=ends(table, name),
            customdata=table[_low_high(name)].to_numpy(),
            mode="markers",
            orientation="h",
            offsetgroup=said,
            marker={
                "symbol": SYMBOLS[number] + OPEN[whose],
                "size": 11,
                "color": colour(number),
                "line": {"width": 2},
            },
            hovertemplate=f"%{{y}}: %{{x:.2%}} {ENDS}<extra>{said}</extra>",
        )

    for number, kind in enumerate(("classical", "keyed", "control")):
        if (papers := f"paper_{kind}_attacked") in lines:
            limits = [wilson(round(share * TEST_SAMPLES), TEST_SAMPLES) for share in lines[papers]]
            low, high = zip(*limits, strict=True)
            theirs = pd.DataFrame({"error": list(lines[papers]), "error_low": low, "error_high": high})
            add("paper", kind, number, theirs, "error")
        add("here", kind, number, lines, f"{kind}_attacked")
    layout(figure, 120 + 68 * len(lines), xaxis=PERCENT | {"title": "error after the attack", "range": [-0.02, 1.02]})
    figure.update_layout(yaxis={"autorange": "reversed", "automargin": True, "fixedrange": True}, scattermode="group")
    return figure


def html(figures: Mapping[str, go.Figure], title: str) -> str:
    """Figures, by their headings, as one page that needs no network."""
    parts = [
        f"<h2>{escape(heading)}</h2>" + figure.to_html(full_html=False, include_plotlyjs=number == 0)
        for number, (heading, figure) in enumerate(figures.items())
    ]
    title = escape(title)
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
    return f"{head}<body style='font-family:sans-serif'><h1>{title}</h1>{''.join(parts)}</body></html>"


def _tried(line: Line) -> str:
    """What was tried on what, in lines."""
    return f"{_wrapped(attack_words(line))}<br>crafted on {escape(str(line['crafted_on']))}"


def _wrapped(words: str) -> str:
    """Words beside a chart, in lines that leave room for it on a phone."""
    return "<br>".join(map(escape, textwrap.wrap(words, WRAP, break_long_words=False)))


def _lines(table: pd.DataFrame) -> Iterator[dict[Any, Any]]:
    return iter(table.to_dict("records"))


def _low_high(name: str) -> list[str]:
    return [f"{name}_low", f"{name}_high"]


def ends(table: pd.DataFrame, name: str) -> dict[str, Any]:
    """Error bars of a column, to <name>_low and <name>_high."""
    return error_bars(*(table[column].to_numpy() for column in (name, *_low_high(name))))


def colour(number: int) -> str:
    """Not black, which a dark page hides."""
    return OKABE_ITO[1:][number % (len(OKABE_ITO) - 1)]


def layout(figure: go.Figure, height: int, **axes: object) -> None:
    """What all figures share."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 16, "t": 8, "b": 8},
        font={"size": 14},
        legend={"orientation": "h", "y": 1.01, "x": 0, "yanchor": "bottom", "font": {"size": 13}},
        **axes,
    )
