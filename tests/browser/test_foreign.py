"""Hostile names, addresses and manifests in a real Chromium: nothing is fetched, and nothing leads away."""

import json
import shutil
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import expect

from kerckhoffs import zoo
from kerckhoffs.zoo import cards
from tests.foreign import SEEDS
from tests.ui.test_foreign import packed, png

WORST = [each for each in SEEDS if "evil.example" in each or each.startswith((":", "$"))]
CLASSICAL = "mnist-table1-classical"
ADDRESSES = """() => [...document.querySelectorAll('a[href], img, [src], use, image, iframe')]
  .flatMap((each) => [each.href, each.src, each.currentSrc].map((it) => it?.baseVal ?? it)).filter(Boolean)"""


@pytest.fixture
def guarded(visit, server):
    """Open a page; at the end nothing was asked of another host, and nothing on any page leads to one."""
    asked, pages = [], []

    def open_page(path):
        page = visit("api/status")  # so that no request is missed
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{server.address}/{path}")
        pages.append(page)
        return page

    yield open_page
    here = urlsplit(server.address).netloc
    foreign = [each for each in asked if urlsplit(each).scheme in ("http", "https") and urlsplit(each).netloc != here]
    assert asked
    assert foreign == []
    for page in pages:
        links = [each for each in page.evaluate(ADDRESSES) if not each.startswith(("data:", "blob:"))]
        assert {urlsplit(each).netloc for each in links} <= {here}
        assert page.locator(".katex, [data-testid=stExceptionMessage]").count() == 0
        assert "evil.example" not in "".join(links)


def test_what_an_address_says_is_shown_as_it_is(guarded):
    names = ("set", "network", "image", "sample", "dial", "attack", "target", "epsilon")
    for start in range(0, len(WORST), len(names)):
        part = dict(zip(names, WORST[start:], strict=False))
        page = guarded("?" + urlencode(part))
        expect(page.get_by_text("was refused").first).to_be_visible()
        expect(
            page.get_by_test_id("stAlertContainer").filter(has_text=repr(part["set"])[1:13]).first
        ).to_be_visible()  # as the sentence quotes it


def test_no_other_host_may_frame_a_page(browser, server):
    page = browser.new_page()
    for path in ("", "challenge", "stage"):
        page.goto(f"data:text/html,<iframe src='{server.address}/{path}'></iframe>")
        assert [frame.url for frame in page.frames[1:]] == ["chrome-error://chromewebdata/"]
    page.close()


def test_the_names_of_pictures_are_shown_as_they_are(guarded):
    page = guarded("?image=upload")
    for name in WORST:
        file = {"name": f"{name}.png", "mimeType": "image/png", "buffer": b"no picture"}
        page.locator("input[type=file]").set_input_files(file)
        sent = name.split("/")[-1].replace('"', "%22")  # as browsers write it in a request
        expect(page.get_by_role("alert").filter(has_text=sent[-12:])).to_be_visible()
        # Streamlit forgets a file that is chosen in the moment in which a run of the page begins: none is beginning.
        page.get_by_role("button", name="Remove").click()
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible()


def test_the_names_in_a_zip_are_shown_as_they_are(guarded):
    page = guarded("batch")
    page.get_by_text("A zip of your own").click()
    content = packed({"1/good.png": png()} | {f"{name}.png": b"" for name in WORST})
    page.locator("input[type=file]").set_input_files(
        {"name": f"{WORST[1]}.zip", "mimeType": "application/zip", "buffer": content}
    )
    expect(page.get_by_text("image is used")).to_be_visible()
    page.locator("input[type=file]").set_input_files(
        {"name": "none.zip", "mimeType": "application/zip", "buffer": packed({f"{WORST[1]}.png": b""})}
    )
    expect(page.get_by_role("alert").filter(has_text="no labelled image was found")).to_be_visible()


@pytest.fixture
def own_models(server):
    """Write a manifest of own models into the app's home; gone at the end."""
    folder = server.home / "models"

    def write(**changes):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(zoo.shipped_folder() / f"{CLASSICAL}.safetensors", folder)
        (folder / zoo.MANIFEST).write_text(json.dumps({"models": [cards.write(zoo.card(CLASSICAL)) | changes]}))

    yield write
    shutil.rmtree(folder, ignore_errors=True)


def test_what_a_manifest_says_is_shown_as_it_is(guarded, own_models):
    own_models(command=" ".join(WORST))
    expect(guarded("defences").get_by_test_id("stDataFrame")).to_be_visible()
    own_models(id=WORST[1])
    for page in ("", "defences"):
        expect(guarded(page).get_by_text("Your own models are left out")).to_be_visible()
