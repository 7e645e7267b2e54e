"""Ladders that were climbed in several runs, put together as results/ladder has them.

    python -m benchmarks.climbed results/ladder/mnist-table1-keyed RUN...

A run may have been broken off: what it had not finished for all samples is left out. Three files are written beside
each other: the lines (.csv), of every row what they were read from (.parquet; a test reads them again), and whole rows
to look at (.rows.csv.gz), of the first key and its control, the first samples. What these files have already stays,
where the runs do not have it anew: what an attack did to a classifier is replaced as a whole. The first run names all
keys and controls, in their order.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kerckhoffs.evaluation import ladder, runs, tables
from kerckhoffs.evaluation.examples import COLUMNS
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


def before(path: Path, runs_rows: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of a file that is there, but those of attacks that runs have anew on the same classifiers."""
    if not path.exists():
        return []
    there = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    names = ["crafted_on", "attack", "options", "evaluated_on"]
    anew = pd.MultiIndex.from_frame(runs_rows[names].astype(str).drop_duplicates())
    return [there[~pd.MultiIndex.from_frame(there[names].astype(str)).isin(anew)]]


def small(rows: pd.DataFrame) -> pd.DataFrame:
    """What lines are read from, in few bytes."""
    kinds = {"index": "int16", "label": "int8", "before": "int8", "after": "int8", "linf": "float32"}
    words = {name: "category" for name in rows if rows[name].dtype == object}
    return rows.astype(kinds | words | {"forwards": "float32"})


def examples(run: Run, first: Sequence[str]) -> pd.DataFrame:
    """Whole rows of the first key and its control."""
    rows = run.rows(tuple(COLUMNS))
    return rows[rows["evaluated_on"].isin(first) & (rows["index"] < EXAMPLES)]


def main() -> None:
    """Put them together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="without an ending")
    parser.add_argument("runs", type=Path, nargs="+")
    asked = parser.parse_args()
    opened = [runs.open_run(folder) for folder in asked.runs]
    made = together([whole(run.rows(ladder.NEEDED), run) for run in opened])
    packed_rows, shown_rows = asked.out.with_suffix(".parquet"), Path(f"{asked.out}.rows.csv.gz")
    rows = together([made, *before(packed_rows, made)])
    experiments = [each for run in opened for each in run.experiments]
    cards = {name: card for run in opened for name, card in run.cards.items()}
    asked.out.with_suffix(".csv").write_bytes(tables.csv(ladder.lines_of(rows, experiments, cards)))
    small(rows).to_parquet(packed_rows, index=False, compression="zstd")
    groups, controls = ladder.sides(experiments, cards)
    first = [*(group.ids[0] for group in groups), *controls.ids[:1]]
    shown = together([examples(run, first) for run in opened])
    shown = together([shown, *before(shown_rows, shown)])
    packed = {"method": "gzip", "compresslevel": 9, "mtime": 0}
    shown.to_csv(shown_rows, index=False, compression=packed)


if __name__ == "__main__":
    main()
