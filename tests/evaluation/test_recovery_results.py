"""What is said of recovered keys is in the rows."""

import pandas as pd

from tests import ROOT


def test_the_readme_of_the_ladder_says_what_was_found():
    found = pd.read_csv(ROOT / "results" / "recovery" / "found.csv")
    said = " ".join((ROOT / "results" / "ladder" / "README.md").read_text().split())

    def listed(values):
        *first, last = map(str, values)
        return f"{', '.join(first)} and {last}"

    assert f"{listed(found['inked_right'])} of the {found['inked'][0]} places that carry ink" in said
    shares = (100 * found["inked_right"] / found["inked"]).round(1)
    assert f"({listed(shares)} %), in {listed(found['seconds'])} s" in said
