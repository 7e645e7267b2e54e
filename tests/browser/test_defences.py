"""Defences in a real Chromium: found at its old address, on a phone, and chosen in Play."""

import re

from playwright.sync_api import expect


def test_an_old_address_leads_to_the_page_of_defences(visit):
    page = visit("classifiers")
    expect(page.get_by_role("heading", name="Defences", level=1)).to_be_visible()
    expect(page).to_have_url(re.compile("/defences$"))
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()


def test_nothing_is_wider_than_a_phone(visit):
    page = visit("defences", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_a_classifier_is_can_be_read_without_leaving_play(page):
    page.get_by_role("button", name="About").last.click()
    expect(page.get_by_text("Known against it.").last).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Known against it.")).to_have_count(0)
