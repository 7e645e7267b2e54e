"""The labels in a CSV file, as spreadsheets and scripts write them.

Its delimiter and its columns are those under which its cells name files of the zip: commas, semicolons or tabs, a
header or none, an index before or a note behind, names in quotes, with backslashes or without their folder. Where two
readings are as good, it is refused.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from kerckhoffs.checks import FileRefused

DELIMITERS = ",;\t"
MAX_ROWS = 10_000
FILE_WORDS = {"file", "filename", "name", "path", "filepath", "image", "imagename", "imagepath", "imagefile", "img"}
LABEL_WORDS = {"label", "labels", "class", "classname", "target", "digit", "category", "y"}
ALIASES = {"tshirttop": "tshirt"}  # Zalando's name of the class is T-shirt/top
FORM = f"the CSV file must have two columns, file and label, and at most {MAX_ROWS} rows"
DAMAGED = "the CSV file, which has the labels, is damaged or not in UTF-8"

Row = list[str]


@dataclass(frozen=True)
class Table:
    """The labels of each path in the zip, as they are written, and the names in the CSV file that are no path."""

    labels: Mapping[str, set[str]]
    unused: tuple[str, ...]


def letters(text: str) -> str:
    """What of a name matters: its letters, small."""
    found = "".join(each for each in text.casefold() if each.isalpha())
    return ALIASES.get(found, found)


def class_number(label: str, classes: Sequence[str]) -> int | None:
    """The class that a label names, by number or by letters."""
    if label.isascii() and label.isdecimal():
        return next((number for number in range(len(classes)) if str(number) == (label.lstrip("0") or "0")), None)
    return next((number for number, name in enumerate(classes) if letters(label) == letters(name) != ""), None)


def cell_class(label: str, classes: Sequence[str]) -> int | None:
    """`class_number` for a cell: a column of numbers with one missing is written as 7.0."""
    return class_number(re.sub(r"^([0-9]+)[.,]0+$", r"\1", label), classes)


def read(data: bytes, folder: PurePosixPath, paths: set[str], classes: Sequence[str]) -> Table:
    """Read a CSV file.

    Args:
        data: its bytes, in UTF-8, or in UTF-16 with a byte order mark.
        folder: where it lies in the zip.
        paths: the files of the zip, with slashes.
        classes: the names of the classes.

    Raises:
        FileRefused: if it cannot be read, or in more than one way.
    """
    find = _Finder(folder, paths)
    rows = _rows(_text(data), find)
    if not rows or len(rows) > MAX_ROWS or any(len(row) < 2 for row in rows):
        raise FileRefused(FORM)
    head = [letters(cell) for cell in rows[0]]
    headed = not any(find(cell) for cell in rows[0]) and bool({*head} & (FILE_WORDS | LABEL_WORDS))
    file = _file_column(rows, head if headed else [], find)
    label = _label_column(rows, head if headed else [], file, classes)
    labels: dict[str, set[str]] = {}
    unused = []
    for number, row in enumerate(rows):
        if max(file, label) >= len(row):
            raise FileRefused(FORM)
        path = find(row[file])
        if path is not None:
            labels.setdefault(path, set()).add(row[label])
        elif number > 0 or not (headed or cell_class(row[label], classes) is None):
            unused.append(row[file])
    return Table(labels, tuple(unused))


class _Finder:
    """The path in the zip that a name in the CSV file means: from the CSV's folder, the zip's, or the only such."""

    def __init__(self, folder: PurePosixPath, paths: set[str]) -> None:
        self.folder, self.paths = folder, paths
        count = Counter(path.rpartition("/")[2] for path in paths)
        self.alone = {path.rpartition("/")[2]: path for path in paths if count[path.rpartition("/")[2]] == 1}

    def __call__(self, name: str) -> str | None:
        plain = str(PurePosixPath(name.replace("\\", "/")))
        for path in (str(self.folder / plain), plain):
            if path in self.paths:
                return path
        path = self.alone.get(plain.rpartition("/")[2], "")
        return path if path.endswith(f"/{plain}") else None


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileRefused(DAMAGED) from error
    if "\0" in text:
        raise FileRefused(DAMAGED)
    return text


def _rows(text: str, find: _Finder) -> list[Row]:
    """The rows that are not blank, by the delimiter under which most of them name a file."""
    said = re.match(r"sep=([,;\t])\r?\n", text)  # Excel's own note
    if said:
        return _split(text[said.end() :], said[1])
    readings, failure = [], None
    for delimiter in DELIMITERS:
        try:
            rows = _split(text, delimiter)
        except FileRefused as error:
            failure = error
        else:
            named = sum(len(row) > 1 and any(map(find, row)) for row in rows[: MAX_ROWS + 1])
            readings.append((named, sum(len(row) > 1 for row in rows), rows))
    if not readings:
        raise failure or FileRefused(DAMAGED)
    return max(readings, key=lambda reading: reading[:2])[2]


def _split(text: str, delimiter: str) -> list[Row]:
    source = io.StringIO(text, newline=None)  # with the line ends of any system
    try:
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(source, delimiter=delimiter, strict=True, skipinitialspace=True)
        ]
    except csv.Error as error:
        raise FileRefused(DAMAGED) from error
    return [row for row in rows if any(row)]


def _file_column(rows: Sequence[Row], head: Sequence[str], find: _Finder) -> int:
    """The column that names most files; else the one whose title says so; else the first."""
    named = Counter(column for row in rows for column, cell in enumerate(row) if find(cell))
    most = [column for column, count in named.items() if count == max(named.values())]
    titled = [column for column, word in enumerate(head) if word in FILE_WORDS]
    if len(most) > 1 and len(set(most) & set(titled)) != 1:
        raise FileRefused("the CSV file has several columns that name files; title one of them 'file'")
    return next(iter([*(set(most) & set(titled)), *most, *titled]), 0)


def _label_column(rows: Sequence[Row], head: Sequence[str], file: int, classes: Sequence[str]) -> int:
    """The column whose title says so; else the first after the files that has a class; else the only other."""
    titled = [column for column, word in enumerate(head) if word in LABEL_WORDS and column != file]
    if len(titled) > 1:
        raise FileRefused("the CSV file has several columns of labels; title only one of them 'label'")
    if titled:
        return titled[0]
    after = range(file + 1, max(len(row) for row in rows))
    if not after and file > 1:
        raise FileRefused("the CSV file has several columns before the files' names; title one of them 'label'")
    classed = (
        column
        for column in after
        if any(cell_class(row[column], classes) is not None for row in rows if column < len(row))
    )
    return next(classed, after[0] if after else 0)
