"""docs/defences.md says what the registries and the measured rows say."""

from docs import defences
from tests import ROOT


def test_the_page_is_what_the_registries_and_the_results_say():
    text = (ROOT / "docs" / "defences.md").read_text(encoding="utf-8")
    assert text == defences.page(), "python -m docs.defences > docs/defences.md"
