"""A batch in a real Chromium: started, watched, reloaded, and seen by nobody else."""

import re

import pytest
from playwright.sync_api import expect

SAMPLES = 20


@pytest.fixture
def batch(visit):
    """The page of a batch of FGSM on a few samples, started."""
    page = visit("batch")
    samples = page.get_by_role("spinbutton", name="How many")
    samples.fill(str(SAMPLES))
    samples.press("Enter")
    expect(page.get_by_text(f"{SAMPLES} examples")).to_be_visible()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page).to_have_url(re.compile(r"run=[0-9]{8}-[0-9]{6}-[0-9a-f]{16}$"))
    return page


def ended(page):
    """Wait until the results are there."""
    expect(page.get_by_text(f"Finished: {SAMPLES} of {SAMPLES} examples.")).to_be_visible(timeout=180_000)
    expect(page.get_by_role("heading", name="Summary")).to_be_visible()
    expect(page.get_by_text("evaluated on the keyed classifier mnist-table1-keyed")).to_be_visible()


def test_a_batch_ends_survives_a_reload_and_is_seen_by_no_other_session(batch, visit):
    other = visit("batch")
    expect(other.get_by_role("button", name="Start", exact=True)).to_be_visible()
    expect(other.get_by_text("Running")).to_have_count(0)
    ended(batch)
    batch.reload()
    ended(batch)
    batch.get_by_role("link", name="Defences").first.click()
    expect(batch.get_by_role("heading", name="Defences")).to_be_visible()
    batch.get_by_role("link", name="Batch").first.click()
    ended(batch)
    expect(other.get_by_role("button", name="Start", exact=True)).to_be_visible()

    with batch.expect_download() as download:
        batch.get_by_role("button", name="Rows (.csv)").click()
    lines = download.value.path().read_text().splitlines()
    assert len(lines) == 1 + 2 * SAMPLES, "a row a sample and evaluated model"
    with batch.expect_download() as download:
        batch.get_by_role("button", name="Figures (.html)").click()
    assert download.value.path().read_text().count("<h2>") == 3

    with batch.context.expect_page() as opened:
        batch.get_by_role("link", name="Open in Play").click()
    expect(opened.value.get_by_text("evaluated on the keyed classifier")).to_be_visible()
    expect(opened.value).to_have_url(re.compile("attack=fgsm.*epsilon=0.3"))


def test_nothing_is_wider_than_a_phone(visit):
    for path, heading in (("batch", "Attacks on many samples"), ("table3", "Table 3")):
        page = visit(path, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        expect(page.get_by_text("examples, about").or_(page.get_by_text("each shown to"))).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
