"""kerckhoffs defences."""

import pytest

from kerckhoffs import cli
from kerckhoffs.defences import DEFENCES


def test_every_defence_is_a_line_with_its_id_and_its_name(capsys):
    assert cli.main(["defences"]) == 0
    out, err = capsys.readouterr()
    assert [tuple(line.split(maxsplit=1)) for line in out.splitlines()] == [(d.id, d.name) for d in DEFENCES.values()]
    assert err == ""


@pytest.mark.parametrize("defence", ["classical", "kda", "shuffle-4", "keyed-adversarial", "noise"])
def test_all_that_is_known_of_one_is_said(defence, capsys):
    assert cli.main(["defences", defence]) == 0
    entry, out = DEFENCES[defence], capsys.readouterr().out
    for said in (entry.name, entry.what, entry.cost, entry.known, entry.trained, entry.source):
        assert said in out
