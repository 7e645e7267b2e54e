"""The README says what is so."""

import re

import pandas as pd
import pytest

from kerckhoffs import zoo
from kerckhoffs.evaluation import paper, summaries, table3
from kerckhoffs.evaluation.examples import COLUMNS
from kerckhoffs.evaluation.metrics import wilson
from tests import ROOT

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
            keyed = cards[zoo.model_id(card.dataset, card.network, "keyed")]
            assert row(card, keyed) in README.splitlines()


def line_of_table3(line):
    """A line of the README's Table 3, from the shipped result."""

    papers = [f"{100 * line[f'paper_{kind}_attacked']:.2f}" for kind in ("classical", "keyed")]
    attacked = [cell(line, f"{kind}_attacked") for kind in ("classical", "keyed", "control")]
    cells = [title(line), attacked[0], papers[0], attacked[1], papers[1], attacked[2], line["verdict"]]
    return f"| {' | '.join(cells)} |"


def title(line):
    epsilon = re.search(r'"epsilon": ([0-9.]+)', line["options"])
    return table3.ROWS[line["row"]].title + (f", ε = {epsilon[1]}" if epsilon else "")


def cell(line, name):
    return summaries.percent(*(line[f"{name}{end}"] for end in ("", "_low", "_high")))


@pytest.fixture(scope="module")
def compared():
    """Table 3, from the shipped rows."""
    return table3.compare(pd.read_csv(ROOT / "results" / "table3" / "rows.csv.gz", dtype=COLUMNS))


def test_table_3_is_the_shipped_result(compared):
    lines = compared.to_dict("records")
    assert {line["row"] for line in lines} == set(table3.ROWS)
    for line in lines:
        assert line_of_table3(line) in README.splitlines()
        success = f"| {title(line)} | {cell(line, 'keyed_success')} | {cell(line, 'control_success')} |"
        assert success in README.splitlines()


def test_what_is_said_of_carlini_and_wagners_rows_is_so(compared):
    lines = compared[compared["row"].str.contains("-cw_")].set_index("row")
    worse = lines.index[lines["keyed_success_low"] > lines["control_success_high"]]
    assert set(worse) == {"mnist-cw_l2", "mnist-cw_linf"}, "more turn the keyed network wrong than the control"
    assert not (lines["keyed_success_high"] < lines["control_success_low"]).any()


def test_the_shipped_summary_is_what_the_shipped_rows_say(compared):
    summary = pd.read_csv(ROOT / "results" / "table3" / "summary.csv")
    pd.testing.assert_frame_equal(compared[summary.columns], summary, check_dtype=False)


EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(
    ("example", "shows"), [*zip(EXAMPLES, ("tensor", "attacked_error_high", "control success %"), strict=True)]
)
def test_the_python_examples_run_as_printed(example, shows, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    exec(compile(example, "README.md", "exec"), {})
    assert shows in capsys.readouterr().out
