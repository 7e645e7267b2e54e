"""No key is found in anything that the app shows, sends, writes or keeps, whatever is done with it."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from kerckhoffs import zoo
from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.keys import Key
from tests.browser.test_play import climb, verdict
from tests.leaks import traces

KEYS = {path.name: Key.load(path, public=True) for path in zoo.shipped_folder().glob("*.key.json")}
STORED = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"


class Eavesdropper:
    """A session that keeps what its browser is sent, as bytes: frames, pages, addresses, downloads."""

    def __init__(self, page):
        self.page, self.seen = page, []
        page.on("websocket", lambda socket: socket.on("framereceived", self._keep))

    def _keep(self, frame):
        self.seen.append(frame if isinstance(frame, bytes) else frame.encode())

    def look(self):
        """Keep the page as it is now, its address, and what it stores."""
        for text in (self.page.content(), self.page.url, self.page.evaluate(STORED)):
            self.seen.append(text.encode())

    def download(self, name):
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name=name, exact=False).click()
        self.seen.append(Path(download.value.path()).read_bytes())


@pytest.fixture
def spy(browser, server):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(120_000)
    listener = Eavesdropper(page)
    page.goto(f"{server.address}/?network=table2")
    yield listener
    context.close()


def test_no_key_is_in_pages_addresses_frames_downloads_logs_or_files(spy, server):
    page = spy.page
    expect(verdict(page, "keyed")).to_be_visible()
    page.get_by_role("button", name="Send the pixels through P").click()
    spy.look()
    for each, crafted in (("own-key", "surrogate"), ("key", "keyed")):
        climb(page, ATTACKERS[each].name)
        expect(verdict(page, "keyed")).to_contain_text(f"Crafted on the {crafted} classifier")
        spy.look()
    for name in ("PNG", "Array", "Figure", "Experiment"):
        spy.download(name)
    page.goto(f"{server.address}/?network=table2&dial=white-box&attack=cw_l2")
    page.get_by_role("button", name="Run Carlini-Wagner l2").click()
    expect(page.get_by_text("Finished.")).to_be_visible()
    spy.look()
    spy.download("Experiment")

    page.get_by_role("link", name="Batch").first.click()
    samples = page.get_by_role("spinbutton", name="How many")
    samples.fill("8")
    samples.press("Enter")
    expect(page.get_by_text("8 examples")).to_be_visible()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("heading", name="Summary")).to_be_visible(timeout=180_000)
    spy.look()
    for name in ("Rows (.csv)", "Summary (.csv)", "Manifest (.json)", "Figures (.html)"):
        spy.download(name)
    for title in ("How it works", "Table 3", "Defences"):
        page.get_by_role("link", name=title).first.click()
        expect(page.get_by_text("The keys of these demonstration models are")).to_be_visible()
        spy.look()

    files = [path.read_bytes() for path in server.home.rglob("*") if path.is_file()]
    assert files, "the batch keeps its run"
    seen = b"\n".join((*spy.seen, server.log.read_bytes(), *files))
    assert b"evaluated on the keyed classifier" in seen, "something was overheard"
    assert len(KEYS) == sum(len(card.keys) for card in zoo.models(zoo.shipped_folder()).values())
    assert {name: found for name, key in KEYS.items() if (found := traces(seen, key))} == {}
