"""Tables on a terminal: as wide as it is, the columns that matter. Elsewhere, or where asked for, Markdown with all."""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

import pandas as pd
import typer
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from kerckhoffs.evaluation import flags, summaries
from kerckhoffs.evaluation.flags import Raised

Markdown = Annotated[
    bool, typer.Option("--markdown", help="Print all columns as Markdown; the default where there is no terminal.")
]
WIDTH = 15  # of a cell where there is little room: an interval in percent


def show(full: pd.DataFrame, brief: pd.DataFrame, found: Sequence[Raised] = (), *, markdown: bool, more: str) -> None:
    """Print a table, and below it what to be wary of.

    Args:
        full: all columns.
        brief: those that matter, most of all the first.
        found: the flags that its rows raise.
        more: where the other columns are, for a terminal.
    """
    if markdown or not sys.stdout.isatty():
        print(document(full, found))
        return
    console = Console()
    console.print(fitted(brief, console))
    console.print(Text(more, style="dim"), soft_wrap=True)
    for each in found:
        console.print(Text(f"\nWarning: {each.flag.title}", style="bold"))
        for seen in each.seen:
            console.print(Text(f"- {seen.words()}"))
        console.print(Text(each.flag.means))


def document(table: pd.DataFrame, found: Sequence[Raised]) -> str:
    """A table, and below it what to be wary of, as Markdown."""
    return "\n".join(filter(None, (summaries.markdown(table), flags.markdown(found))))


def fitted(table: pd.DataFrame, console: Console) -> Table:
    """A table that is no wider than the console: where it has to, cells break before an interval and after a hyphen."""
    wide = _table(table, lambda cell: cell)
    if Measurement.get(console, console.options, wide).maximum <= console.width:
        return wide
    return _table(table, narrow)


def _table(table: pd.DataFrame, cell: Callable[[str], str]) -> Table:
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in table.columns:
        drawn.add_column(Text(cell(str(name))), overflow="fold")
    for row in table.itertuples(index=False):
        drawn.add_row(*(Text(cell(str(value))) for value in row))
    return drawn


def narrow(text: str) -> str:
    """Text in lines of WIDTH characters where it can be broken."""
    return "\n".join(line for part in text.replace(" (", "\n(").split("\n") for line in _lines(part))


def _lines(text: str) -> Iterator[str]:
    line = ""
    for piece in re.findall(r"[^ -]+[ -]*|[ -]+", text):
        if line and len(line) + len(piece.rstrip()) > WIDTH:
            yield line.rstrip()
            line = ""
        line += piece
    yield line.rstrip()
