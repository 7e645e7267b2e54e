"""docs/keys.md says what the program does."""

import re

from kerckhoffs.cli.keys import key_app
from kerckhoffs.keys import SECRET_BYTES, Cost, locked
from kerckhoffs.ui.keylab import owner
from tests import ROOT

SAID = " ".join((ROOT / "docs" / "keys.md").read_text().split())


def test_its_commands_are_those_that_there_are():
    there = {each.name for each in key_app.registered_commands}
    said = set(re.findall(r"kerckhoffs key ([a-z]+)", SAID))
    assert said - there == set()
    assert there - said <= {"test"}, "which has a page of its own"


def test_its_numbers_are_those_of_the_program():
    assert (Cost().n, Cost().r, Cost().p) == (2**17, 8, 1)
    for part in (
        f"n = 2^17, r = 8, p = 1: {128 * Cost().n * Cost().r // 2**20} MiB",
        f"may ask for {locked.MOST_MEMORY // 2**20} MiB at most",
        f"the secret's {8 * SECRET_BYTES} bits at most",
        f"(`server.address` {owner.LOCAL[0]})",
    ):
        assert part in SAID
