"""What a new key costs is said from the rows that ship."""

import pandas as pd

from kerckhoffs.ui.keylab.rotation import said
from tests import ROOT
from tests.pages import opened, words


def test_what_is_said_is_what_the_rows_say():
    found = pd.read_csv(ROOT / "results" / "rotation" / "mnist-table1.csv")
    means = found.groupby(["start", "epoch"])["validation_error"].mean()
    text = said(found)
    assert f"misread {means['old weights'][0]:.0%} of the validation samples" in text
    assert f"{means['old weights'][4]:.1%} and {means['none'][4]:.1%}" in text
    assert said(pd.concat([found, found.assign(seed=1)])).count("Means of 2 pairs of keys") == 1


def test_the_page_shows_it():
    assert "behind a new key the old weights misread" in words(opened("key_lab").caption)
