"""The README says what is so."""

import re
from pathlib import Path

import pytest

from kerckhoffs import paper, zoo
from kerckhoffs.metrics import wilson

README = (Path(__file__).parent.parent / "README.md").read_text()


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


EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(("example", "shows"), [*zip(EXAMPLES, ("tensor", "attacked_error_high"), strict=True)])
def test_the_python_examples_run_as_printed(example, shows, capsys):
    exec(compile(example, "README.md", "exec"), {})
    assert shows in capsys.readouterr().out
