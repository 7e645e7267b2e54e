"""docs/lesson.md says what was measured, and its links open what they say."""

import pytest

from docs import lesson
from tests import ROOT
from tests.pages import address, html, opened, words


def test_the_page_is_what_the_steps_and_the_results_say():
    text = (ROOT / "docs" / "lesson.md").read_text(encoding="utf-8")
    assert text == lesson.page(), "python -m docs.lesson > docs/lesson.md"


@pytest.mark.parametrize("step", [each for each in lesson.STEPS if not each.page], ids=lambda step: step.title)
def test_every_link_opens_the_state_that_it_names(step):
    app = opened(**step.link)
    assert not app.warning or "refused" not in words(app.warning)
    assert {name: address(app)[name] for name in step.link} == dict(step.link)
    assert "display: none !important" in html(app)


def test_what_is_said_of_the_opening_example_is_so():
    assert "Fooled: 7 → 2" in words(opened(attack="fgsm", epsilon="0.15").error)
    shown = opened(**lesson.STEPS[4].link)
    assert "evaluated on the keyed classifier: 7 is now" in words(shown.error)
