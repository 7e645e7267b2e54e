"""The lines of an examination as files, as tables, and in a sentence for each test."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pandas as pd

from kerckhoffs.evaluation.keytests.guesses import time_words
from kerckhoffs.evaluation.keytests.lines import CONSTANT, TESTS, Line
from kerckhoffs.evaluation.summaries import percent

COLUMNS = tuple(each.name for each in fields(Line))
KINDS = {"test": "str", "model": "str", "case": "str", "unit": "str"}


def frame(lines: Iterable[Line]) -> pd.DataFrame:
    """Lines as a table, in the order of TESTS; its columns are the fields of Line."""
    table = pd.DataFrame([asdict(line) for line in lines], columns=list(COLUMNS))
    places = table["test"].map(list(TESTS).index) if len(table) else pd.Series(dtype=int)
    return table.loc[places.sort_values(kind="stable").index].reset_index(drop=True)


def read(path: Path) -> pd.DataFrame:
    """The lines of a CSV file that was made of them.

    Raises:
        OSError, ValueError, KeyError: if it cannot be read, or is none.
    """
    return pd.read_csv(path, dtype=KINDS)[list(COLUMNS)]


def attacked(climbed: pd.DataFrame, model: str) -> list[Line]:
    """What the ladder says of a key of which a part has leaked: the attacked error at each budget and share.

    Args:
        climbed: as evaluation.ladder.points gives them, of this classifier.
        model: its id.
    """
    found = {}
    rungs = climbed[(climbed["attacker"] == "part-of-key") & (climbed["level"] == "")]
    for line in rungs.to_dict("records"):
        options = dict(each.split("=", 1) for each in line["options"].split(":"))
        if options.get("places", "random") == "random" and options.get("draws", "1") == "1":
            case = f"{float(options['share']):g} at {line['epsilon']:g}"
            ends = line["error_low"], line["error_high"]
            found[case] = Line("attacked", model, case, line["error"], "share", *ends, line["keys"], line["samples"])
    return list(found.values())


def at_budget(lines: pd.DataFrame) -> pd.DataFrame:
    """The lines of the test "attacked", with columns of their share and epsilon."""
    chosen = lines[lines["test"] == "attacked"]
    parts = chosen["case"].str.split(" at ", expand=True).reindex(columns=[0, 1])
    numbers = chosen.assign(share=parts[0].astype(float), epsilon=parts[1].astype(float))
    return numbers.sort_values(["epsilon", "share"])


def curve(lines: pd.DataFrame, test: str) -> pd.DataFrame:
    """The lines of "avalanche" or "leak", with the number of their case as `x`, in its order."""
    chosen = lines[lines["test"] == test]
    return chosen.assign(x=chosen["case"].astype(float)).sort_values("x")


def matrix(lines: pd.DataFrame, name: str = "value") -> pd.DataFrame:
    """The lines of "cross-keys" as a square: a row a network, a column a key."""
    chosen = lines[lines["test"] == "cross-keys"]
    ids = list(dict.fromkeys(chosen["model"]))
    return chosen.pivot(index="model", columns="case", values=name).reindex(index=ids, columns=ids)


def one(lines: pd.DataFrame, test: str, case: str, model: str | None = None) -> pd.Series | None:
    """The line of a case; None if it was not measured."""
    chosen = lines[(lines["test"] == test) & (lines["case"] == case)]
    if model is not None:
        chosen = chosen[chosen["model"] == model]
    return None if chosen.empty else chosen.iloc[0]


def tables(lines: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """A table for people for each test there is: what was measured, with the intervals of shares in percent."""
    found = {}
    for test in TESTS:
        chosen = lines[lines["test"] == test]
        chosen = chosen[~chosen["case"].str.startswith("wrong key ")]
        if chosen.empty:
            continue
        if test == "cross-keys":
            found[test] = matrix(lines).map("{:.1%}".format).rename_axis(index="network of", columns=None).reset_index()
            continue
        if test == "price":
            costs = {
                model: dict(zip(part["case"], map(_cell, part.to_dict("records")), strict=True))
                for model, part in chosen.groupby("model", sort=False)
            }
            found[test] = pd.DataFrame(costs).fillna("").rename_axis(index="measured").reset_index()
            continue
        table = pd.DataFrame({_HEADS.get(test, "measured"): list(chosen["case"])})
        table["value"] = [_cell(line) for line in chosen.to_dict("records")]
        if (chosen["draws"] > 1).any():
            table["keys"] = [
                str(many) if samples else "" for many, samples in zip(chosen["draws"], chosen["samples"], strict=True)
            ]
        if (chosen["samples"] > 0).any():
            table["samples"] = [str(many) if many else "" for many in chosen["samples"]]
        found[test] = table
    return found


_HEADS = {"avalanche": "pairs", "leak": "share", "attacked": "share at epsilon"}


def _cell(line: Mapping[Any, Any]) -> str:
    value, unit = float(line["value"]), str(line["unit"])
    if unit == "share":
        return _share(line)
    if unit == "log10 years":
        return time_words(value)
    if unit == "log10":
        return f"10^{value:.1f}"
    figures = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
    return f"{figures} {unit}" + ("" if math.isnan(line["low"]) else f" ({line['low']:,.0f} to {line['high']:,.0f})")


def sentence(lines: pd.DataFrame, test: str) -> str:
    """What a test shows, in one or two sentences; "" if it was not made."""
    return _SENTENCES[test](lines) if (lines["test"] == test).any() else ""


def _share(line: Mapping[Any, Any] | pd.Series) -> str:
    """A share in percent, with its interval where it has one."""
    value, low, high = float(line["value"]), float(line["low"]), float(line["high"])
    return f"{100 * value:.1f} %" if math.isnan(low) else f"{percent(value, low, high)} %"


def _need(lines: pd.DataFrame, test: str, case: str) -> pd.Series:
    """The line of a case.

    Raises:
        ValueError: if it is not there.
    """
    found = one(lines, test, case)
    if found is None:
        raise ValueError(f"the lines have no {test}, {case}")
    return found


def _entropy(lines: pd.DataFrame) -> str:
    whole = _need(lines, "entropy", "the key itself")
    said = f"The key is worth {whole['value']:,.0f} bits"
    for where in ("training images", "samples"):
        if (seen := one(lines, "entropy", where)) is not None:
            black = _need(lines, "entropy", f"{where}, always black")
            said += f"; on {seen['samples']:,.0f} {where}, where {black['value']:.0f} places are always black, "
            said += f"{seen['value']:,.0f}"
    alone = one(lines, "entropy", "one image")
    if alone is None:
        return f"{said}; what it is worth on images is not computed for this transform."
    return f"{said}; on one image alone {alone['value']:,.0f}, the mean of {alone['samples']:.0f}."


def _guesses(lines: pd.DataFrame) -> str:
    bits, rate, images, left, tried, half, all_machines = (
        _need(lines, test, case)["value"]
        for test, case in (
            ("entropy", "the key itself"),
            ("guesses", "rate"),
            ("guesses", "images for each"),
            ("guesses", "not rejected"),
            ("guesses", "keys tried"),
            ("guesses", "half of all keys"),
            ("guesses", "on 10^10 cores"),
        )
    )
    said = f"One core tries {rate:,.0f} keys a second, with {images:.1f} images for each; half of the "
    said += f"{power(bits)} keys take it {time_words(half)}"
    said += f", and 10^10 such cores {time_words(all_machines)}." if half > 0 else ": this key can be guessed."
    if left > 0:
        said += f" {100 * left / tried:.1f} % of the keys that were tried read right all images that they were shown."
    return said


def power(bits: float) -> str:
    """2^bits in figures: "24", "2^6413"."""
    return f"{2**bits:,.0f}" if bits < 20 else f"2^{bits:.0f}"


def _wrong_keys(lines: pd.DataFrame) -> str:
    right, wrong, guessing, constant = (
        _need(lines, "wrong-keys", case) for case in ("right key", "wrong keys", "guessing", CONSTANT)
    )
    said = f"Behind {wrong['draws']} wrong keys the network errs on {_share(wrong)}, behind the right one on "
    said += f"{_share(right)}. Guessing errs on {_share(guessing)}, always saying the commonest class on "
    said += f"{_share(constant)}: "
    if wrong["low"] <= right["high"]:
        return f"{said}a wrong key does as well as the right one, so the network needs none."
    if wrong["high"] < min(guessing["value"], constant["value"]):
        return f"{said}a wrong key is still worth something."
    return f"{said}a wrong key is worth nothing."


def _avalanche(lines: pd.DataFrame) -> str:
    found = curve(lines, "avalanche")
    first, last = found.iloc[0], found.iloc[-1]
    said = f"With {first['x']:.0f} pair exchanged the error is {_share(first)}"
    there = found[found["value"] >= _half(lines)]
    if there.empty:
        return f"{said}, with {last['x']:.0f} pairs {_share(last)}: not half of the way to guessing."
    reached = there.iloc[0]
    if reached["x"] == first["x"]:
        return f"{said}: the key has an avalanche effect, as a cipher's has."
    before = found[found["x"] < reached["x"]].iloc[-1]
    return (
        f"{said}, with {before['x']:.0f} pairs {_share(before)}, with {reached['x']:.0f} {_share(reached)}. A cipher's "
        "key is worth nothing once one bit of it is wrong; this one has no avalanche effect, and what is nearly the "
        "key does nearly as well."
    )


def _leak(lines: pd.DataFrame) -> str:
    found = curve(lines, "leak")
    enough = found[found["value"] <= _half(lines)].iloc[0]
    if enough["x"] == 0:
        return (
            f"Who knows nothing of the key and guesses all of it errs on {_share(enough)} already, which is nearer to "
            "the right key's error than to guessing."
        )
    before = found[found["x"] < enough["x"]].iloc[-1]
    return (
        f"Who knows {percents(before['x'])} of the key and guesses the rest errs on {_share(before)}, with "
        f"{percents(enough['x'])} on {_share(enough)}: between them lies half of the way from guessing to the right "
        "key."
    )


def at_share(lines: pd.DataFrame, share: float) -> str:
    """The errors at a share of the key, in a sentence: clean, and attacked where that was measured at this share."""
    found, used = curve(lines, "leak"), at_budget(lines)
    clean = found[(found["x"] - share).abs() < 1e-9]
    if clean.empty:
        return ""
    said = f"With {percents(share)} of the key the clean error is {_share(clean.iloc[0])}"
    at = used[(used["share"] - share).abs() < 1e-9]
    parts = ", ".join(f"{_share(line)} at ε {line['epsilon']:g}" for _, line in at.iterrows())
    return f"{said}; after an attack with it {parts}." if parts else f"{said}."


def _attacked(lines: pd.DataFrame) -> str:
    at = at_budget(lines)
    budgets = sorted(at["epsilon"].unique())
    chosen = at[at["epsilon"] == budgets[len(budgets) // 2]]
    parts = ", ".join(f"{100 * line['value']:.1f} % with {percents(line['share'])}" for _, line in chosen.iterrows())
    return f"Attacked at ε {chosen.iloc[0]['epsilon']:g} by who knows a share of its key, it errs on {parts}."


def _half(lines: pd.DataFrame) -> float:
    """Half of the way from the right key's error to guessing."""
    right, guessing = (_need(lines, "wrong-keys", case)["value"] for case in ("right key", "guessing"))
    return float(right + guessing) / 2


def percents(share: float) -> str:
    """A share without digits behind the point: "50 %"."""
    return f"{100 * share:.0f} %"


def _cross_keys(lines: pd.DataFrame) -> str:
    chosen = lines[lines["test"] == "cross-keys"]
    own, others = chosen[chosen["model"] == chosen["case"]], chosen[chosen["model"] != chosen["case"]]
    return (
        f"Behind their own keys {len(own)} networks err on {_span(own['value'])}, behind each other's on "
        f"{_span(others['value'])}."
    )


def _span(values: "pd.Series[float]") -> str:
    return f"{100 * values.min():.1f} to {100 * values.max():.1f} %"


def _price(lines: pd.DataFrame) -> str:
    chosen = lines[lines["test"] == "price"]
    names = list(dict.fromkeys(chosen["model"]))

    def get(case: str, model: str) -> float | None:
        found = one(chosen, "price", case, model)
        return None if found is None else float(found["value"])

    mine = [get(case, names[0]) for case in ("clean error", "an image alone", "an image of 128")]
    said = f"Clean error {100 * (mine[0] or 0):.1f} %, {mine[1]:.2f} ms an image alone, {mine[2]:.2f} of 128 at once"
    if len(names) < 2:
        return f"{said}; there is no such classifier without a key here."
    twin = [get(case, names[1]) for case in ("clean error", "an image alone", "an image of 128")]
    said += f"; without a key {100 * (twin[0] or 0):.1f} %, {twin[1]:.2f} and {twin[2]:.2f} ms"
    trained = [get("training", name) for name in names[:2]]
    if None not in trained:
        said += f". Their training took {trained[0]:,.0f} and {trained[1]:,.0f} seconds"
    return f"{said}."


def absorbed(summary: pd.DataFrame) -> str:
    """What the transforms that a network can absorb were measured to be worth, in two sentences; "" if they were not.

    Args:
        summary: of the question "behind_each" of results/defences: each classifier attacked itself.
    """
    lines = summary[(summary["question"] == "behind_each") & (summary["attack"] == "apgd")]
    by = {str(line["evaluated_on"]).rpartition("mnist-half-")[2]: line for line in lines.to_dict("records")}
    plain, shuffled, keyed = (by.get(name) for name in ("adversarial", "shuffle-4-adversarial", "keyed-adversarial"))
    if plain is None or shuffled is None or keyed is None:
        return ""
    epsilon = json.loads(plain["options"])["epsilon"]
    return (
        f"Adversarially trained networks under APGD at ε {epsilon:g}, all of it known: {_after(plain)} wrong without a "
        f"transform, {_after(shuffled)} behind a block-wise shuffle, {_after(keyed)} behind the permutation. What a "
        "network can absorb makes it no better and no worse."
    )


def _after(line: Mapping[Any, Any]) -> str:
    return f"{percent(*(float(line[f'attacked_error{end}']) for end in ('', '_low', '_high')))} %"


_SENTENCES: dict[str, Callable[[pd.DataFrame], str]] = {
    "entropy": _entropy,
    "guesses": _guesses,
    "wrong-keys": _wrong_keys,
    "avalanche": _avalanche,
    "leak": _leak,
    "attacked": _attacked,
    "cross-keys": _cross_keys,
    "price": _price,
}
