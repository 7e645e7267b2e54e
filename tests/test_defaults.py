"""docs/defaults.md says what the registry and the installed packages say."""

import pandas as pd
import pytest

from docs import defaults
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.bench.contestants import installed
from tests import ROOT

TEXT = (ROOT / "docs" / "defaults.md").read_text()
MEASURED = defaults.RESULTS / "arithmetic.csv"


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


def test_what_was_measured_is_in_the_page():
    for line in (*defaults.arithmetic(), *(line for name in defaults.BENCHES for line in defaults.others(name))):
        assert line in TEXT.splitlines()


def test_in_the_same_arithmetic_the_errors_are_the_same():
    rows = pd.read_csv(MEASURED)
    assert set(rows["samples"]) == {1000}
    assert not rows["reason"].notna().any(), "everybody returned images"
    for (_, attack, _), group in rows.groupby(["model", "attack", "epsilon"]):
        error = group.set_index("spec")["error"]
        (ours,) = error[error.index.str.contains("arithmetic=float32")]
        peers = error[~error.index.str.contains("arithmetic=")]
        if attack == "MI-FGSM":
            peers = peers[~peers.index.str.fullmatch(r"foolbox\.mi_fgsm[^ ]*")]  # sums signs
        assert len(peers) == 2
        assert ((peers - ours).abs() <= 0.003).all(), peers


def test_where_the_arithmetic_decides_by_more_than_the_intervals():
    rows = pd.read_csv(MEASURED)
    apart = set()
    for (model, attack, epsilon), group in rows.groupby(["model", "attack", "epsilon"]):
        exact, rounded = (group[group["spec"].str.contains(f"arithmetic={each}")] for each in ("exact", "float32"))
        if exact["error_low"].item() > rounded["error_high"].item():
            apart.add((model.removesuffix("-table1-classical"), attack, epsilon))
    assert apart == {("mnist", "FGSM", 0.3), ("fashion-mnist", "FGSM", 0.3), ("fashion-mnist", "FGSM", 0.1)}
