"""docs/ladder.md says what the registry and the measured rows say."""

from docs import ladder
from tests import ROOT


def test_the_page_is_what_the_registry_and_the_results_say():
    text = (ROOT / "docs" / "ladder.md").read_text(encoding="utf-8")
    assert text == ladder.page(), "python -m docs.ladder > docs/ladder.md"
