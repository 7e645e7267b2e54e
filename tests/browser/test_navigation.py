"""The row of every page, its heading and the ways to all pages, in a real Chromium: one row on a small laptop."""

import pytest
from playwright.sync_api import expect

from kerckhoffs.ui.pages import PAGES

LAPTOP, SCROLLBAR = 1280, 15  # pixels; a headless Chromium hides the bar that takes its share in others
ONE_ROW = """count => {
    const each = [...document.querySelectorAll('.st-key-navigation :is(h1, a)')];
    const middles = each.map(part => part.getBoundingClientRect()).map(box => (box.top + box.bottom) / 2);
    return each.length == count && Math.max(...middles) - Math.min(...middles) < 2;
}"""


@pytest.mark.parametrize("address", ["", *(each.name for each in PAGES[1:])])  # the first page is at /
def test_heading_and_navigation_are_one_row_on_a_small_laptop(visit, address):
    page = visit(address, viewport={"width": LAPTOP - SCROLLBAR, "height": 800})
    expect(page.locator(".st-key-navigation").get_by_role("link").last).to_be_visible()
    page.wait_for_function(ONE_ROW, arg=1 + len(PAGES))  # until the icons' letters are here their names are wider
