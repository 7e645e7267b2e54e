"""Every CSV that leaves the program: a mark at its beginning, no formula in it, and the same rows in pandas."""

import ast
import codecs
import csv
import gzip
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerckhoffs import bench
from kerckhoffs.bench import Contestant, Result
from kerckhoffs.evaluation import tables
from kerckhoffs.evaluation.examples import COLUMNS
from tests import ROOT

FORMULAS = [
    "=1+1",
    "+1",
    "-2",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\nx",
    " =1",
    "＝1",
    "＋1",
    "－1",
    "＠1",
    "=cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("cell", FORMULAS)
def test_text_that_could_be_a_formula_gets_an_apostrophe(cell):
    assert tables.safe(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["uploaded =1", "größe", "a-b", "", "'x", -1, -0.5, None, True])
def test_all_else_stays_as_it_is(cell):
    assert tables.safe(cell) is cell


def cells(data: bytes) -> list[str]:
    assert data.startswith(codecs.BOM_UTF8)
    return [cell for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")) for cell in row]


def assert_no_formula(data: bytes) -> None:
    assert not [cell for cell in cells(data) if tables.FORMULA.match(cell) and not _number(cell)]


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


@given(st.lists(st.tuples(st.text() | st.sampled_from(FORMULAS), st.floats(), st.sampled_from(FORMULAS)), min_size=1))
def test_no_table_has_a_formula_whatever_is_in_it(rows):
    text, number, kind = zip(*rows, strict=True)
    frame = pd.DataFrame({"=text": text, "number": number, "kind": pd.Categorical(kind)})
    surrogates = any("\ud800" <= letter <= "\udfff" for cell in text for letter in cell)
    if not surrogates:
        data = tables.csv(frame)
        assert_no_formula(data)
        assert pd.read_csv(io.BytesIO(data))["number"].tolist() == pytest.approx(list(number), nan_ok=True)


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_parts_are_one_table_with_one_mark(tmp_path, name):
    parts = [pd.DataFrame({"sample": [f"uploaded {word}"], "label": [label]}) for label, word in enumerate(FORMULAS)]
    tables.export(parts, tmp_path / name)
    data = (tmp_path / name).read_bytes()
    data = gzip.decompress(data) if name.endswith(".gz") else data
    assert data.count(codecs.BOM_UTF8) == 1
    assert_no_formula(data)
    back = pd.read_csv(tmp_path / name, dtype={each: COLUMNS[each] for each in ("sample", "label")})
    assert back["sample"].tolist() == [f"uploaded {word}" for word in FORMULAS]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_a_foreign_attack_says_is_no_formula():
    broken = Contestant("=name", "-library 1", "l2", "minimal", "@settings", lambda *_: None)
    assert_no_formula(tables.csv(bench.table([Result(broken, 1, 1.0, 1.0, 1, 1, 1.0, "=error")])))


def test_a_table_is_made_a_file_in_one_place_alone():
    """Whoever writes a table for people does it with tables; what a run keeps of its blocks is no such table."""
    found = set()
    for path in [*(ROOT / "kerckhoffs").rglob("*.py"), *(ROOT / "pages").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("to_csv", "to_excel", "to_clipboard"):
                found.add(path.relative_to(ROOT / "kerckhoffs").as_posix())
            if isinstance(node, ast.Import | ast.ImportFrom) and "csv" in [each.name for each in node.names]:
                found.add(path.relative_to(ROOT / "kerckhoffs").as_posix())
    writers = found - {"data/tables.py", "data/uploads.py", "evaluation/shards.py"}  # these read
    assert writers == {"evaluation/tables.py", "evaluation/runs.py"}
