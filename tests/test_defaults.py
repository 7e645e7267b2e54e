"""docs/defaults.md says what the registry and the installed packages say."""

import pytest

from docs import defaults
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.bench.contestants import installed
from tests import ROOT

TEXT = (ROOT / "docs" / "defaults.md").read_text()
MEASURED = ROOT / "results" / "arithmetic" / "errors.csv"


def rows(text):
    """The cells of each line of the tables."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_every_default_is_as_the_table_says():
    said = rows(TEXT.partition("## The defaults")[2].partition("\n## ")[0])[2:]
    found = [list(line) for line in defaults.lines()]
    if not installed("foolbox"):
        said, found = drop_foolbox(said), drop_foolbox(found)
    assert said == found, "python -m docs.defaults prints the table"


def drop_foolbox(lines):
    """Without its column, and without the lines that are foolbox's alone."""
    return [line[:4] for line in lines if not (line[0] == "" and line[2] == line[3] == "-")]


def test_every_attack_has_its_place_in_the_table():
    assert set(defaults.PEERS) == set(ATTACKS)


@pytest.mark.parametrize(("of", "words"), [(8 / 255, "8/255"), (0.2, "0.2"), (1, "1"), (True, "True"), (None, "None")])
def test_defaults_are_written_for_people(of, words):
    assert defaults.value(of) == words
