"""docs/defences.md and the README's table say what the registries and the measured rows say."""

from docs import defences
from tests import ROOT


def test_the_page_is_what_the_registries_and_the_results_say():
    text = (ROOT / "docs" / "defences.md").read_text(encoding="utf-8")
    assert text == defences.page(), "python -m docs.defences > docs/defences.md"


def test_the_table_of_the_readme_is_the_one_of_the_results():
    assert defences.table(defences.OVERVIEW, defences.overview()) in (ROOT / "README.md").read_text(encoding="utf-8")
