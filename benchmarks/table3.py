"""Put a run of some rows of Table 3 in the place of those rows in results/table3; the other rows stay as they are.

    python -m kerckhoffs table3 --rows mnist-fgsm,fashion-mnist-fgsm --out runs/fgsm
    python -m benchmarks.table3 runs/fgsm

The manifest then lists the runs, each with its own manifest as it was written, command and versions included, and the
rows that are its.
"""

import argparse
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd

from kerckhoffs.evaluation import files, runs, summaries, table3
from kerckhoffs.evaluation.examples import COLUMNS
from kerckhoffs.evaluation.runs import MANIFEST, Run

RESULT = Path(__file__).parent.parent / "results" / "table3"
FORMAT = "kerckhoffs-table3-1"


def names(rows: pd.DataFrame) -> pd.Series:
    """The row of the table that each line of rows belongs to, a key of table3.ROWS."""
    return rows["dataset"] + "-" + rows["attack"]


def merged(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """The new rows, those of the old that belong to other rows of the table, in the table's order; all as text."""
    kept = pd.concat([old[~names(old).isin(set(names(new)))], new])
    parts = [kept[names(kept) == name] for name in table3.ROWS]
    return pd.concat(parts, ignore_index=True)


def manifest(old: dict[str, Any], new: dict[str, Any], renewed: set[str]) -> dict[str, Any]:
    """Which run each row is of.

    Args:
        old: the shipped manifest, of one run or of several.
        renewed: the rows that are the new run's.
    """
    before = old["runs"] if "runs" in old else [{"rows": list(table3.ROWS), "manifest": old}]
    left = [each | {"rows": [name for name in each["rows"] if name not in renewed]} for each in before]
    now = {"rows": [name for name in table3.ROWS if name in renewed], "manifest": new}
    return {"format": FORMAT, "runs": [*(each for each in left if each["rows"]), now]}


def text(run: Run) -> pd.DataFrame:
    """The rows of a run as they were written."""
    tables = (pd.read_csv(io.BytesIO(each), **AS_TEXT) for _, each in run.texts())
    return pd.concat(tables, ignore_index=True)


AS_TEXT: dict[str, Any] = {"dtype": str, "keep_default_na": False}


def main() -> None:
    """Merge and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished run of table3")
    run = runs.open_run(parser.parse_args().run)
    new = text(run)
    rows = merged(pd.read_csv(RESULT / "rows.csv.gz", **AS_TEXT), new)
    told = manifest(runs.read_manifest(RESULT), runs.read_manifest(run.folder), set(names(new)))
    packed = gzip.compress(rows.to_csv(index=False).encode(), mtime=0)
    lines = table3.compare(pd.read_csv(io.BytesIO(gzip.decompress(packed)), dtype=COLUMNS))
    commands = [f"    {each['manifest']['command']}\n" for each in told["runs"]]
    files.write_atomically(RESULT / "rows.csv.gz", packed)
    files.write_atomically(RESULT / MANIFEST, (json.dumps(told, indent=1) + "\n").encode())
    files.write_atomically(RESULT / "summary.csv", lines.to_csv(index=False).encode())
    files.write_atomically(RESULT / "summary.json", lines.to_json(orient="records", indent=1).encode())
    report = "".join(commands) + "\n" + summaries.markdown(table3.report(lines))
    files.write_atomically(RESULT / "report.md", report.encode())


if __name__ == "__main__":
    main()
