"""The README says what is so."""

import re
from pathlib import Path

import pandas as pd
import pytest

from kerckhoffs import paper, summaries, table3, zoo
from kerckhoffs.evaluate import COLUMNS
from kerckhoffs.metrics import wilson

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def row(classical, keyed):
    """A line of the README's table, from the manifest."""

    def cell(card):
        low, high = wilson(round(card.test_error * card.test_samples), card.test_samples)
        return f"{100 * card.test_error:.1f} ({100 * low:.1f} to {100 * high:.1f}) | {paper.CLEAN_ERROR[card.id]:.1f}"

    return f"| {classical.title.removesuffix(', classical')} | {cell(classical)} | {cell(keyed)} |"


def test_the_table_of_errors_is_the_manifests():
    cards = zoo.models()
    for card in cards.values():
        if not card.keyed:
            assert row(card, cards[card.twin]) in README.splitlines()


def line_of_table3(line):
    """A line of the README's Table 3, from the shipped result."""

    def cell(name):
        return summaries.percent(*(line[f"{name}_attacked{end}"] for end in ("", "_low", "_high")))

    epsilon = re.search(r'"epsilon": ([0-9.]+)', line["options"])
    title = table3.ROWS[line["row"]].title + (f", ε = {epsilon[1]}" if epsilon else "")
    papers = [f"{100 * line[f'paper_{kind}_attacked']:.2f}" for kind in ("classical", "keyed")]
    cells = [title, cell("classical"), papers[0], cell("keyed"), papers[1], cell("control"), line["verdict"]]
    return f"| {' | '.join(cells)} |"


def test_table_3_is_the_shipped_result():
    lines = pd.read_csv(ROOT / "results" / "table3" / "summary.csv").to_dict("records")
    assert {line["row"] for line in lines} == set(table3.ROWS)
    for line in lines:
        assert line_of_table3(line) in README.splitlines()


def test_the_shipped_summary_is_what_the_shipped_rows_say():
    rows = pd.read_csv(ROOT / "results" / "table3" / "rows.csv.gz", dtype=COLUMNS)
    summary = pd.read_csv(ROOT / "results" / "table3" / "summary.csv")
    pd.testing.assert_frame_equal(table3.compare(rows), summary, check_dtype=False)


EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(("example", "shows"), [*zip(EXAMPLES, ("tensor", "attacked_error_high"), strict=True)])
def test_the_python_examples_run_as_printed(example, shows, capsys):
    exec(compile(example, "README.md", "exec"), {})
    assert shows in capsys.readouterr().out
