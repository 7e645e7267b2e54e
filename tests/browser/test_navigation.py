"""The row of every page, its heading and the ways to all pages, in a real Chromium: one row on a small laptop."""

import pytest
from playwright.sync_api import expect

from kerckhoffs.ui.pages import PAGES

LAPTOP, SCROLLBAR = 1280, 15  # pixels; a headless Chromium hides the bar that takes its share in others
MIDDLES = """row => [...row.querySelectorAll('h1, a')].map(each => {
    const box = each.getBoundingClientRect();
    return (box.top + box.bottom) / 2;
})"""


@pytest.mark.parametrize("address", ["", *(each.name for each in PAGES[1:])])  # the first page is at /
def test_heading_and_navigation_are_one_row_on_a_small_laptop(visit, address):
    page = visit(address, viewport={"width": LAPTOP - SCROLLBAR, "height": 800})
    row = page.locator(".st-key-navigation")
    expect(row.get_by_role("link")).to_have_count(len(PAGES))
    expect(row.get_by_role("link").last).to_be_visible()
    page.evaluate("document.fonts.ready")  # letters of another width could wrap it, or not
    middles = row.evaluate(MIDDLES)
    assert len(middles) == 1 + len(PAGES)
    assert max(middles) - min(middles) < 2
