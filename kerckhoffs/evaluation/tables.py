"""Tables as files that people open: every CSV that leaves the program is written here.

A spreadsheet takes a file without a mark at its beginning for one in the alphabet of its country, and a cell that
begins with =, +, -, @, a tab or a line's end for a formula, which may read other cells or call a program. The mark is
UTF-8's (BOM), which pandas leaves out on reading; before a cell's text that could be a formula comes an apostrophe.
Numbers stay as they are.
"""

import codecs
import gzip
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerckhoffs.checks import FileRefused

if TYPE_CHECKING:
    import pandas as pd  # slow

FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n\0]")
"""What a cell begins with that a spreadsheet may calculate; the wide forms are those of East Asian keyboards."""


def safe(cell: Any) -> Any:
    """A cell that is no formula: text that could be one gets an apostrophe before it, all else comes back as it is."""
    return f"'{cell}" if isinstance(cell, str) and FORMULA.match(cell) else cell


def shown(table: "pd.DataFrame") -> "pd.DataFrame":
    """A copy of a table in which no cell and no heading is a formula, also for pages where a table can be saved."""
    words = {name: column.map(safe) for name, column in table.items() if column.dtype.kind not in "biuf"}
    return table.assign(**words).rename(columns=safe) if words else table.rename(columns=safe)


def csv(table: "pd.DataFrame") -> bytes:
    """A table as a CSV file."""
    return codecs.BOM_UTF8 + _lines(table, header=True)


def _lines(table: "pd.DataFrame", header: bool) -> bytes:
    text: str = shown(table).to_csv(index=False, header=header, lineterminator="\r\n")  # so that either is quoted
    return text.encode()


def export(parts: "Iterable[pd.DataFrame]", path: Path) -> None:
    """Tables of the same columns as one CSV file, compressed if its name ends with .gz; a part in memory at a time.

    Raises:
        FileRefused: if the disk refuses; then there is no file, or the one that was there.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with gzip.open(part, "wb") if path.suffix == ".gz" else open(part, "wb") as file:
            for number, table in enumerate(parts):
                file.write(_lines(table, header=False) if number else csv(table))
        part.replace(path)
    except OSError as error:
        raise FileRefused(f"cannot write {path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
