"""docs/ladder.md says what the registry and the measured rows say."""

import pandas as pd

from docs import ladder
from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.evaluation.ladder import CONTROL
from tests import ROOT
from tests.plots.test_ladder import line


def test_the_page_is_what_the_registry_and_the_results_say():
    text = (ROOT / "docs" / "ladder.md").read_text(encoding="utf-8")
    assert text == ladder.page(), "python -m docs.ladder > docs/ladder.md"


def test_what_was_measured_becomes_a_section_with_its_table_and_the_lessons(tmp_path, monkeypatch):
    lines = [line("twin", 0.25, advantage=0.5), line("twin", 0.75, group=CONTROL), line("key", 1.0, advantage=0.0)]
    pd.DataFrame(lines).to_csv(tmp_path / "mnist-table1-keyed.csv", index=False)
    monkeypatch.setattr(ladder, "RESULTS", tmp_path)
    text = "\n".join(ladder.measured())
    assert "## Measured: mnist-table1-keyed" in text
    errors = "25.0 (20.0 to 30.0) | 75.0 (70.0 to 80.0) | 50.0 (40.0 to 60.0)"
    assert f"| 0.1 | twin | pgd | keyed | {errors} | 1, 100 |" in text
    assert "it leaves 100.0 (95.0 to 105.0) % wrong" in text


def test_the_readme_counts_the_attackers():
    words = {14: "Fourteen"}
    assert f"{words[len(ATTACKERS)]} attackers stand on" in " ".join((ROOT / "README.md").read_text("utf-8").split())


def test_the_readme_has_the_ladder_in_short():
    assert ladder.short() in (ROOT / "README.md").read_text(encoding="utf-8")


def test_what_the_readme_says_of_the_ladder_is_so():
    rows = [line.split(" | ") for line in ladder.short().splitlines()[2:]]
    helps = {row[0].removeprefix("| "): float(row[3].split("(")[1].split(" to ")[0]) > 0 for row in rows}
    assert [name for name, key_helps in helps.items() if key_helps] == ["Gray box: classical twin"]
    harms = {row[0].removeprefix("| "): float(row[3].rstrip(")").split(" to ")[1]) < 0 for row in rows}
    assert {"Noise: nothing is known", "Data: another network", "Gray box: several keys of their own"} <= {
        name for name, key_harms in harms.items() if key_harms
    }
