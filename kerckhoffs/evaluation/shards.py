"""The rows of one block as a file that cannot pass for those of another block, or of another run.

    <block>-<hash>.csv.gz    hash: SHA-256 of the run's seal, the block's number and the file's bytes, 16 digits of it

So a file that was changed, cut, renamed, or brought from another run is not what its name says. What is inside is
looked at as well, so that rows of another block are found where there is no seal, in a run of the format before, or
where somebody computed the hash of what they made up: the samples, the attack, the models, how many rows, and that
every cell is a value that its column can have. Whether an attack really gave these rows, no file can show.
"""

import csv
import gzip
import hashlib
import io
import re
import zlib
from itertools import repeat
from pathlib import Path

from kerckhoffs.checks import FileRefused
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluation.examples import ADDED, COLUMNS
from kerckhoffs.evaluation.experiments import Block, Experiment

NAME = re.compile(r"([0-9]{6,})-([0-9a-f]{16})\.csv\.gz")
HEADER = ",".join(COLUMNS) + "\n"
BEFORE = ",".join(name for name in COLUMNS if name not in ADDED) + "\n"
AGAIN = "remove it and resume the run, and that block alone is made again"
CLASSES = ("label", "target", "crafted_before", "crafted_after", "before", "after", "after_8bit")
MOST_BYTES = 8192  # of a row: what unpacks to more is no block


def name(seal: str, number: int, data: bytes) -> str:
    """What the file of a block is called.

    Args:
        seal: the run's; empty in a run of the format before.
        data: the file's bytes.
    """
    bound = f"{seal} {number}\n".encode() if seal else b""
    return f"{number:06d}-{hashlib.sha256(bound + data).hexdigest()[:16]}.csv.gz"


def number(path: Path) -> int | None:
    """The block that a file says it is; None if it is none."""
    match = NAME.fullmatch(path.name)
    return int(match[1]) if match else None


def pack(text: str) -> bytes:
    """CSV text as the bytes of a file, always the same ones."""
    return gzip.compress(text.encode(), mtime=0)


def read(path: Path, seal: str, experiment: Experiment, block: Block, dataset: str) -> bytes:
    """The CSV text of a block.

    Raises:
        FileRefused: naming the file, what is wrong with it, and what to do.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileRefused(f"cannot read {path}: {error.strerror}; {AGAIN}") from error
    if path.name != name(seal, block.number, data):
        raise FileRefused(
            f"{path} is damaged: its contents are not what was written there, or it was renamed, or it is of another "
            f"run; {AGAIN}"
        )
    most = MOST_BYTES * (block.examples * len(experiment.evaluated_on) + 1)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            text = file.read(most + 1)
        if len(text) > most:
            raise ValueError(f"it unpacks to more than {most} bytes")
        whole = completed(text.decode())
        check(whole, experiment, block, dataset)
    except (OSError, EOFError, zlib.error, ValueError, csv.Error) as error:
        raise FileRefused(f"{path} is not block {block.number} of this run: {error}; {AGAIN}") from error
    return whole.encode()


def completed(text: str) -> str:
    """CSV text with empty cells in the columns ADDED, if it has none of them.

    Raises:
        csv.Error: if it cannot be read.
    """
    if not text.startswith(BEFORE):
        return text
    rows = csv.reader(io.StringIO(text[len(BEFORE) :], newline=""), strict=True)
    whole = io.StringIO(HEADER, newline="")
    whole.seek(0, io.SEEK_END)
    csv.writer(whole, lineterminator="\n").writerows([*row, *("" for _ in ADDED)] for row in rows)
    return whole.getvalue()


def check(text: str, experiment: Experiment, block: Block, dataset: str) -> None:
    """Refuse CSV text that is not the rows of a block.

    Raises:
        ValueError, csv.Error: with what is wrong.
    """
    if not text.startswith(HEADER):
        raise ValueError("its columns are others")
    rows = list(csv.reader(io.StringIO(text[len(HEADER) :], newline=""), strict=True))
    judges, count = experiment.evaluated_on, block.examples * len(experiment.evaluated_on)
    if len(rows) != count:
        raise ValueError(f"it has {len(rows)} rows, not {count}")
    if {len(row) for row in rows} != {len(COLUMNS)}:
        raise ValueError("a row has more or fewer cells than there are columns")
    columns = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    each = count // (block.stop - block.start)  # rows of a sample
    expected = {
        "dataset": repeat(dataset, count),
        "split": repeat(experiment.split, count),
        "index": (str(index) for index in range(block.start, block.stop) for _ in range(each)),
        "targets": repeat(experiment.targets, count),
        "seed": repeat(str(experiment.seed), count),
        "attack": repeat(experiment.attack, count),
        "options": repeat(experiment.named_options(), count),
        "crafted_on": repeat(experiment.crafted_on, count),
        "evaluated_on": (model for _ in range(block.examples) for model in judges),
    }
    for column, values in expected.items():
        if columns[column] != tuple(values):
            raise ValueError(f"its rows are of another {column}")
    if len(set(zip(columns["index"], columns["target"], columns["evaluated_on"], strict=True))) != count:
        raise ValueError("a row is there twice")
    known = {str(number) for number in range(len(DATASETS[dataset].classes))}
    for column, cells in columns.items():
        if not _possible(column, set(cells), known, experiment.targeted):
            raise ValueError(f"a cell of its column {column} cannot be read")


def _possible(column: str, cells: set[str], classes: set[str], targeted: bool) -> bool:
    """Whether all of these cells are values of a column."""
    if column == "target" and not targeted:
        return cells == {""}
    if column in CLASSES:
        return cells <= classes
    kind = COLUMNS[column]
    if kind == "bool":
        return cells <= {"True", "False"}
    if kind.startswith("int"):
        return all(re.fullmatch("[0-9]{1,10}", cell) and int(cell) < 2**31 for cell in cells)
    if kind.startswith("float"):
        return all(_is_number(cell) for cell in cells)
    return "" not in cells


def _is_number(cell: str) -> bool:
    """Whether pandas reads a number; an empty cell is one that is none (NaN)."""
    return cell == "" or re.fullmatch(r"-?([0-9]+(\.[0-9]+)?(e[+-]?[0-9]{1,3})?|inf)", cell) is not None
