"""Ladders that were climbed in several runs, put together as results/ladder has them.

    python -m benchmarks.climbed results/ladder/mnist-table1-keyed [RUN...]

The last part of the path is the model that the ladder is of. A run may have been broken off: what it had not finished
for all samples is left out. Four files are written beside each other: what each rung comes to (.csv), each attack
(.attacks.csv), of every row what they were read from (.parquet; a test reads them again), and whole rows to look at
(.rows.csv.gz), of the first key and its control, the first samples. What these files have already stays, where the runs
do not have it anew: what an attack did to a classifier is replaced as a whole.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kerckhoffs import zoo
from kerckhoffs.evaluation import ladder, runs, tables
from kerckhoffs.evaluation.examples import COLUMNS
from kerckhoffs.evaluation.ladder import Group
from kerckhoffs.evaluation.runs import Run

EXAMPLES = 100  # samples of whose examples all is kept


def whole(rows: pd.DataFrame, run: Run) -> pd.DataFrame:
    """The rows of attacks that were shown to a classifier for all samples."""
    samples = max(each.stop - each.start for each in run.experiments)
    same = ["crafted_on", "attack", "options", "evaluated_on"]
    return rows[rows.groupby(same, observed=True)["index"].transform("size") == samples]


def together(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of several runs; what two of them have, of the first."""
    plain = [rows.astype(dict.fromkeys(rows.select_dtypes("category"), str)) for rows in parts]
    same = ["crafted_on", "attack", "options", "targets", "seed", "evaluated_on", "index"]
    return pd.concat(plain, ignore_index=True).drop_duplicates(same)


def with_before(made: Sequence[pd.DataFrame], path: Path) -> pd.DataFrame:
    """The rows of runs, and those of a file, where it is there, that none of the runs has anew."""
    rows = together(made) if made else None
    if not path.exists():
        if rows is None:
            raise SystemExit(f"name runs: there is no {path}")
        return rows
    there = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    if rows is None:
        return together([there])
    names = ["crafted_on", "attack", "options", "evaluated_on"]
    anew = pd.MultiIndex.from_frame(rows[names].drop_duplicates())
    return together([rows, there[~pd.MultiIndex.from_frame(there[names].astype(str)).isin(anew)]])


def small(rows: pd.DataFrame) -> pd.DataFrame:
    """What lines are read from, in few bytes."""
    kinds = {"index": "int16", "label": "int8", "before": "int8", "after": "int8", "linf": "float32"}
    words = {name: "category" for name in rows if rows[name].dtype == object}
    return rows.astype(kinds | words | {"forwards": "float32"})


def sides(rows: pd.DataFrame, model: str) -> tuple[tuple[Group, ...], Group]:
    """The defended classifiers, named as benchmarks/ladder.py names them, and their controls, in the order of their
    numbers."""
    card = zoo.card(model)
    ids = sorted(rows["evaluated_on"].astype(str).unique(), key=lambda each: (len(each), each))
    keyed = tuple(each for each in ids if each.startswith(model))
    controls = tuple(each for each in ids if each not in keyed)
    return (Group(card.title, keyed, card.network),), Group(ladder.CONTROL, controls, card.network)


def epsilons(rows: pd.DataFrame) -> tuple[float, ...]:
    """The budgets of attacks that have one."""
    found = {json.loads(each).get("epsilon") for each in rows["options"].astype(str).unique()}
    return tuple(sorted(found - {None}))


def main() -> None:
    """Put them together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="without an ending")
    parser.add_argument("runs", type=Path, nargs="*")
    asked = parser.parse_args()
    opened = [runs.open_run(folder) for folder in asked.runs]
    packed_rows, shown_rows, attacks = (
        asked.out.with_name(f"{asked.out.name}{ending}") for ending in (".parquet", ".rows.csv.gz", ladder.ATTACKS)
    )
    rows = with_before([whole(run.rows(ladder.NEEDED), run) for run in opened], packed_rows)
    (groups, controls), budgets = sides(rows, asked.out.name), epsilons(rows)
    for file, read in ((asked.out.with_name(f"{asked.out.name}.csv"), ladder.points), (attacks, ladder.lines)):
        file.write_bytes(tables.csv(read(rows, groups, controls, budgets)))
    small(rows).to_parquet(packed_rows, index=False, compression="zstd")
    first = [groups[0].ids[0], *controls.ids[:1]]
    shown = [run.rows(tuple(COLUMNS)) for run in opened]
    shown = [each[each["evaluated_on"].isin(first) & (each["index"] < EXAMPLES)] for each in shown]
    packed = {"method": "gzip", "compresslevel": 9, "mtime": 0}
    with_before(shown, shown_rows).to_csv(shown_rows, index=False, compression=packed)


if __name__ == "__main__":
    main()
