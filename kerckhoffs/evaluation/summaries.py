"""Rows to figures: errors, attack success, transfer, distortion, each with a 95 % interval.

The words are those of the paper and of design: a clean error is the share that is wrong before, an attacked error the
share that is wrong after, over all samples; attack success is the share turned wrong among those that were right.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kerckhoffs.evaluation.metrics import wilson

GROUP = ("dataset", "split", "attack", "options", "targets", "seed", "crafted_on", "evaluated_on")
"""What two rows have to share to be counted together."""

NEEDED = (
    *GROUP,
    *("index", "label", "target", "before", "after", "after_8bit", "crafted_before", "crafted_success", "success"),
    *("l0", "l2", "linf"),
)
"""The columns that `summarise` reads."""

RESAMPLES, AT_ONCE, LEVEL = 2000, 100, 0.95


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Count rows, a line for each group.

    Args:
        rows: with at least the columns NEEDED.

    Returns:
        GROUP, and: samples, examples; clean_error, attacked_error and attacked_error_8bit over all examples;
        attack_success, turned wrong, into any class, among those right before; crafted_success, the share that did on
        the crafted-on model what it was to do; transfer, turned wrong on the evaluated model among those that did and
        were right before, without those that the crafted-on model read so already, where nothing was attacked; each
        with <name>_low and <name>_high, the ends of its 95 % interval; median_l0, median_l2 and median_linf, where
        an example that failed on the crafted-on model counts as infinite. A share of nothing is NaN.
    """
    lines = []
    for key, group in rows.groupby(list(GROUP), observed=True, sort=False):
        index, label = group["index"].to_numpy(), group["label"].to_numpy()
        right = group["before"].to_numpy() == label
        wrong = group["after"].to_numpy() != label
        crafted = group["crafted_success"].to_numpy()
        everyone = np.ones(len(group), dtype=bool)
        line = dict(zip(GROUP, key, strict=True))
        line |= {"samples": len(np.unique(index)), "examples": len(group)}
        for name, counted, among in (
            ("clean_error", ~right, everyone),
            ("attacked_error", wrong, everyone),
            ("attacked_error_8bit", group["after_8bit"].to_numpy() != label, everyone),
            ("attack_success", wrong, right),
            ("crafted_success", crafted, everyone),
            ("transfer", wrong & right, crafted & right & ~nothing_to_attack(group)),
        ):
            share, low, high = interval(counted, among, index)
            line |= {name: share, f"{name}_low": low, f"{name}_high": high}
        for norm in ("l0", "l2", "linf"):
            size = np.where(crafted, group[norm].to_numpy().astype(np.float64), np.inf)
            line[f"median_{norm}"] = float(np.median(size))
        lines.append(line)
    return pd.DataFrame(lines)


def nothing_to_attack(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Where the crafted-on model read the clean image as the attack wanted already, (M,)."""
    read, label = rows["crafted_before"].to_numpy(), rows["label"].to_numpy()
    target = rows["target"].astype("Float64").to_numpy(np.float64, na_value=np.nan)
    found: NDArray[np.bool_] = np.where(np.isnan(target), read != label, read == target)
    return found


def interval(
    counted: NDArray[np.bool_], among: NDArray[np.bool_], index: NDArray[np.integer]
) -> tuple[float, float, float]:
    """The share of `counted` among `among`, all (M,), with the ends of its 95 % interval.

    Wilson's where each sample gives one example. Where several share a sample they are not independent: then the
    samples are drawn anew, with all their examples (a bootstrap by sample, percentiles of 2000 draws); and where every
    sample says the same, so that all draws do, Wilson's interval for as many examples as there are samples.

    Args:
        index: (M,), the sample of each example.
    """
    counted, index = counted[among], index[among]
    if len(counted) == 0:
        return np.nan, np.nan, np.nan
    share = float(counted.mean())
    _, sample = np.unique(index, return_inverse=True)
    number = int(sample.max()) + 1
    if number == len(counted):
        return share, *wilson(int(counted.sum()), number, LEVEL)
    hits = np.bincount(sample, counted, number)
    size = np.bincount(sample, minlength=number).astype(np.float64)
    if np.ptp(hits / size) == 0:
        return share, *wilson(round(share * number), number, LEVEL)
    draw, drawn = np.random.default_rng(0), []
    for _ in range(RESAMPLES // AT_ONCE):
        times = draw.integers(number, size=(AT_ONCE, number), dtype=np.int32)  # the samples that are drawn
        drawn.append(hits[times].sum(1) / size[times].sum(1))
    low, high = np.quantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return share, float(low), float(high)


def percent(share: float, low: float, high: float) -> str:
    """A share with its interval for a table: "12.3 (10.4 to 14.5)"."""
    return "-" if np.isnan(share) else f"{100 * share:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def markdown(table: pd.DataFrame, columns: Sequence[str] | None = None) -> str:
    """A table as Markdown, cells as they are."""
    shown = table if columns is None else table[list(columns)]
    cells = [[str(name) for name in shown.columns], ["---"] * shown.shape[1]]
    cells += [[str(cell).replace("|", "\\|") for cell in row] for row in shown.itertuples(index=False)]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells) + "\n"


def report(summary: pd.DataFrame) -> pd.DataFrame:
    """A summary for people: percent with intervals; first what was attacked how and what came of it, then the rest."""
    shares = {
        "attacked error %": "attacked_error",
        "attack success %": "attack_success",
        "clean error %": "clean_error",
        "crafted-on success %": "crafted_success",
        "transfer %": "transfer",
    }
    varied = [name for name in ("options", "targets", "seed") if summary.groupby("attack")[name].nunique().max() > 1]
    shown = summary[["attack", *varied, "crafted_on", "evaluated_on"]].rename(
        columns=lambda name: name.replace("_", " ")
    )
    for title, name in shares.items():
        values = zip(summary[name], summary[f"{name}_low"], summary[f"{name}_high"], strict=True)
        shown[title] = [percent(*each) for each in values]
    for name in ("options", "targets", "examples"):
        if name not in varied:
            shown[name] = summary[name]
    for norm in ("l0", "l2", "linf"):
        shown[f"median {norm}"] = [f"{size:.4g}" for size in summary[f"median_{norm}"]]
    return shown


def brief(summary: pd.DataFrame) -> pd.DataFrame:
    """The columns of a report that matter most, for where there is little room."""
    shown = pd.DataFrame({"attack": [attack_words(line, summary) for line in summary.to_dict("records")]})
    shown["crafted on"] = list(summary["crafted_on"])
    shown["evaluated on"] = list(summary["evaluated_on"])
    for title, name in (("attacked error %", "attacked_error"), ("attack success %", "attack_success")):
        values = zip(summary[name], summary[f"{name}_low"], summary[f"{name}_high"], strict=True)
        shown[title] = [percent(*each) for each in values]
    return shown


def attack_words(line: Mapping[str, Any], summary: pd.DataFrame) -> str:
    """The attack of a line with its options, and its targets and seed where they tell lines apart."""
    words = [named(line["attack"], line["options"])]
    words += [str(line["targets"])] * (line["targets"] != "untargeted")
    words += [f"seed={line['seed']}"] * (summary["seed"].nunique() > 1)
    return " ".join(words)


def named(attack: str, options: str) -> str:
    """An attack with its options, which are JSON: "pgd epsilon=0.3 iterations=40"."""
    return " ".join([attack, *(f"{name}={value}" for name, value in json.loads(options).items())])
