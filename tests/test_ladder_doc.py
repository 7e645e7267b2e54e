"""docs/ladder.md says what the registry and the measured rows say."""

import pandas as pd

from docs import ladder
from kerckhoffs.attackers import ATTACKERS
from tests import ROOT
from tests.plots.test_ladder import point


def test_the_page_is_what_the_registry_and_the_results_say():
    text = (ROOT / "docs" / "ladder.md").read_text(encoding="utf-8")
    assert text == ladder.page(), "python -m docs.ladder > docs/ladder.md"


def test_what_was_measured_becomes_a_section_with_its_tables_and_the_lessons(tmp_path, monkeypatch):
    points = [
        point("twin", 0.25, control=0.75, advantage=0.5),
        point("key", 1.0, control=1.0, advantage=0.0, advantage_samples=50),
        point("twin", 0.25, level="data and design", control=0.75, advantage=0.5),
    ]
    pd.DataFrame(points).to_csv(tmp_path / "mnist-table1-keyed.csv", index=False)
    monkeypatch.setattr(ladder, "RESULTS", tmp_path)
    text = "\n".join(ladder.measured())
    assert "## Measured: mnist-table1-keyed" in text
    errors = "25.0 (20.0 to 30.0) | fgsm | 75.0 (70.0 to 80.0) | 50.0 (40.0 to 60.0)"
    assert f"| 0.1 | twin | pgd | keyed | {errors} | 1, 100 |" in text
    assert (
        f"| 0.1 | knows data and design | twin: pgd | keyed | {errors.replace('fgsm', 'twin: fgsm')} | 1, 100 |" in text
    )
    assert "| 1, 100; advantage 1, 50 |" in text
    assert "it leaves 100.0 (95.0 to 105.0) % wrong, and 100.0" in text


def test_the_readme_counts_the_attackers():
    words = {14: "Fourteen"}
    assert f"{words[len(ATTACKERS)]} attackers stand on" in " ".join((ROOT / "README.md").read_text("utf-8").split())


def test_the_readme_has_the_ladder_in_short():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert ladder.comes_to() in readme
    assert ladder.short() in readme


def ends(table):
    """By the first cell of a row: the ends of the interval of its advantage."""
    rows = [line.split(" | ") for line in table.splitlines()[2:]]
    cells = {row[0].removeprefix("| "): row[3].rstrip(")").split("(")[1].split(" to ") for row in rows}
    return {name: (float(low), float(high)) for name, (low, high) in cells.items()}


def test_what_the_readme_says_of_the_ladder_is_so():
    levels, rungs = ends(ladder.comes_to()), ends(ladder.short())
    assert [name for name, (low, _) in levels.items() if low > 0] == ["data, design, weights"]
    helped = [name.partition(",")[0] for name, (low, _) in rungs.items() if low > 0]
    assert helped == ["Gray box: classical twin", "Weights"]
    harmed = [name.partition(",")[0] for name, (_, high) in rungs.items() if high < 0]
    assert {"Noise: nothing is known", "Data: another network", "Gray box: several keys of their own"} <= set(harmed)


def test_what_the_first_key_does_to_the_results_is_said_beside_them():
    assert ladder.without_the_first() in (ROOT / "results" / "ladder" / "README.md").read_text(encoding="utf-8")
