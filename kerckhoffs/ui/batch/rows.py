"""The rows of a run, one by one: a table to sort and choose from, and what each model said of the chosen image."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import streamlit as st
from torch import Tensor

from kerckhoffs import attackers as ladder
from kerckhoffs import plots
from kerckhoffs.attackers import is_made
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluation import tables
from kerckhoffs.evaluation.experiments import UPLOADED
from kerckhoffs.evaluation.judge import Verdict, percent
from kerckhoffs.evaluation.runs import Run
from kerckhoffs.evaluation.summaries import nothing_to_attack
from kerckhoffs.plots.runs import MADE, attack_words
from kerckhoffs.ui import foreign
from kerckhoffs.ui.controls import BY
from kerckhoffs.ui.models import attackers, card, cards, crafter, may_run, pair, samples
from kerckhoffs.ui.page import pictures
from kerckhoffs.ui.parts import pixels

SHOWN = 2000  # rows in the table; the file has all
OUTCOMES = ("fooled", "still right", "no evidence", "was wrong before")  # Verdict.outcome
ICONS = {"fooled": "✗", "still right": "✓", "no evidence": "?", "was wrong before": "⊘"}


def outcomes(rows: pd.DataFrame) -> pd.Series:
    """The outcome of each row, as Verdict.outcome says it."""
    before, after, label = (rows[name].to_numpy() for name in ("before", "after", "label"))
    nothing = ~rows["crafted_success"].to_numpy() | nothing_to_attack(rows)
    words = np.select([before != label, after != label, nothing], [OUTCOMES[3], OUTCOMES[0], OUTCOMES[2]], OUTCOMES[1])
    return pd.Series(words, index=rows.index)


def explorer(run: Run, rows: pd.DataFrame) -> None:
    """The table, and below it the chosen row's image."""
    said = outcomes(rows)
    wanted = st.pills("Show", OUTCOMES, default=OUTCOMES, selection_mode="multi", key="batch_outcomes")
    kept = rows[said.isin(wanted)]
    if kept.empty:
        st.caption("No row is like that.")
        return
    few = kept.iloc[:SHOWN]
    event = st.dataframe(
        tables.shown(_table(few, said[few.index])),
        hide_index=True,
        height=260,
        key=f"batch_rows_{run.id}_{'_'.join(wanted)}",
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [0]}},
        alt="Rows: a sample, an attack, what it was crafted on and evaluated on, and what came of it",
    )
    if len(kept) > SHOWN:
        st.caption(f"The first {SHOWN} of {len(kept)} rows; the file of all rows has the others.")
    chosen = event["selection"]["rows"]
    if not chosen:
        st.caption("Choose a row, at its left end, to see its image.")
        return
    one(run, rows, few.iloc[chosen[0]])


def _table(rows: pd.DataFrame, said: pd.Series) -> pd.DataFrame:
    """The rows for people. A class has its name."""
    classes = dict(enumerate(DATASETS[str(rows["dataset"].iloc[0])].classes))
    lines = rows[["attack", "options", "targets", "seed"]].drop_duplicates()
    words = {tuple(line): attack_words(dict(zip(lines.columns, line, strict=True))) for line in lines.to_numpy()}
    shown = pd.DataFrame(
        {
            "outcome": [f"{ICONS[each]} {each}" for each in said],
            "sample": rows["sample"].map(foreign.cell),
            "label": rows["label"].map(classes),
            "before": rows["before"].map(classes),
            "after": rows["after"].map(classes),
            "crafted on": rows["crafted_on"],
            "evaluated on": rows["evaluated_on"],
            "attack": [words[tuple(line)] for line in rows[list(lines.columns)].to_numpy()],
            "target": rows["target"].map(classes),
            "worked where crafted": rows["crafted_success"],
            "l0": rows["l0"],
            "l2": rows["l2"],
            "linf": rows["linf"],
        }
    )
    return shown.drop(columns="target") if rows["target"].isna().all() else shown


def one(run: Run, rows: pd.DataFrame, row: pd.Series) -> None:
    """One example: its clean image, and what every evaluated model said of it before and after."""
    same = (rows["index"] == row["index"]) & (rows["target"].eq(row["target"]) | pd.isna(row["target"]))
    for name in MADE:
        same &= rows[name] == row[name]
    image = _image(run, row)
    left, right = st.columns([1, 4], gap="medium")
    if image is not None:
        with left:
            clean = plots.picture(image[0], upscale=1)
            name = foreign.visible(row["sample"])
            pictures((clean, f"{name}, clean", f"The clean image of {name}"))
    with right:
        _said(run, rows[same])
        drawn = ", with other random numbers" if ATTACKS[row["attack"]].random else ""
        st.caption(
            f"{attack_words(row.to_dict())}. Size of the change: linf {row['linf']:.3f} · l2 {row['l2']:.2f} · "
            f"l0 {row['l0']} pixels. The adversarial image is not kept; Play makes it again{drawn}."
        )
        if image is not None and (address := play_address(row, image)):
            st.link_button("Open in Play", address, icon=":material/swords:")


def _said(run: Run, rows: pd.DataFrame) -> None:
    """The verdict of each evaluated model, in words."""
    classes = DATASETS[str(rows["dataset"].iloc[0])].classes
    for nothing, (_, row) in zip(nothing_to_attack(rows), rows.iterrows(), strict=True):
        verdict = Verdict(
            crafted_on=_called(run, row["crafted_on"]),
            evaluated_on=_called(run, row["evaluated_on"]),
            label=int(row["label"]),
            target=None if pd.isna(row["target"]) else int(row["target"]),
            before=int(row["before"]),
            after=int(row["after"]),
            confidence=float(row["confidence_after"]),
            crafted_success=bool(row["crafted_success"]),
            nothing_to_attack=bool(nothing),
        )
        before = f"{classes[verdict.before]} ({percent(float(row['confidence_before']))})"
        said = verdict.sentence(classes)
        st.markdown(f"{ICONS[verdict.outcome()]} **{verdict.outcome().capitalize()}.** {said} Before: {before}.")


def _called(run: Run, model: str) -> str:
    return f"{run.cards[model].entry.name} classifier {model}"


def _image(run: Run, row: pd.Series) -> Tensor | None:
    """The clean image, (1, C, H, W); None where it would have to be downloaded."""
    if row["split"] == UPLOADED and run.uploaded is not None:
        return run.uploaded.images[int(row["index"])][None]
    return samples(str(row["dataset"]))[0][int(row["index"])][None] if row["split"] == "test" else None


def play_address(row: pd.Series, image: Tensor) -> str:
    """The address of Play with this image and this attack; "" where Play does not have it."""
    if (found := _side_by_side(row)) is None:
        return ""
    attack, (left, right, dial, given) = ATTACKS[row["attack"]], found
    options = {option.name: option.default for option in attack.options} | json.loads(row["options"])
    values = {"set": card(right).dataset, "network": card(right).network, "dial": dial, "attack": attack.id}
    values |= {f"{BY}{name}": str(value).lower() for name, value in given.items()}
    if (left, right) != pair(card(right).dataset, card(right).network):
        values |= {"left": left, "right": right}
    values |= {name: str(value).lower() for name, value in options.items() if name != "perturb_all"}
    if row["split"] == UPLOADED:
        values |= {"image": "upload", "upload": pixels.encode(image), "meant": str(row["label"])}
    else:
        values |= {"image": "sample", "sample": str(row["index"])}
    if not pd.isna(row["target"]):
        values["target"] = str(row["target"])
    if attack.random:
        values["seed"] = str(row["seed"])
    return f"./?{urlencode(values)}"


def _side_by_side(row: pd.Series) -> tuple[str, str, str, Mapping[str, Any]] | None:
    """Play's left and right classifier, its rung and the options of that, so that it crafts on what the row was crafted
    on and shows what the row was evaluated on; the network's first pair where that does. None where Play would show a
    private key's gradients."""
    crafted_on, evaluated_on, attack = str(row["crafted_on"]), str(row["evaluated_on"]), ATTACKS[row["attack"]]
    try:
        made = crafter(crafted_on) if is_made(crafted_on) else None
    except ValueError:  # whom no page offers
        return None
    target = crafted_on if made is None else made.target.id
    if target not in cards():
        return None
    first, second = pair(card(target).dataset, card(target).network)
    for defended in dict.fromkeys((second, evaluated_on, target)):
        if is_made(defended):
            continue
        for dial in attackers(card(defended)) if made is None else (made.entry.id,):
            given = {} if made is None else made.options
            offered = dial in attackers(card(defended)) and may_run(attack, dial, card(defended))
            if offered and ladder.crafted_on(dial, card(defended), given) == crafted_on:
                shown = evaluated_on in (first, defended, crafted_on)
                return first if shown else evaluated_on, defended, dial, given
    return None
