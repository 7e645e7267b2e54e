"""Play in a real Chromium: opens the app, moves epsilon, reads the changed prediction."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MILLISECONDS = 60_000

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)")


@pytest.fixture(scope="module")
def address():
    """The app on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    command += ["--server.address=127.0.0.1", f"--server.port={port}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert any("URL:" in line for line in server.stdout), "the app ended before it served"
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()  # Streamlit may wait for a closing connection for long


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, address):
    """A page at 1280x800 that fails the test when its script throws."""
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    opened.set_default_timeout(MILLISECONDS)
    expect.set_options(timeout=MILLISECONDS)
    failures = []
    opened.on("pageerror", lambda error: failures.append(str(error)))
    opened.goto(address)
    yield opened
    opened.close()
    assert not failures


def verdict(page, kind):
    return page.get_by_text(f"evaluated on the {kind} classifier")


def choose(page, menu, option):
    """Open a menu of the sidebar by its name and take the first entry that holds the words."""
    page.get_by_role("combobox", name=menu).click()
    page.get_by_role("option", name=option).first.click()


def test_moving_epsilon_changes_the_prediction_that_is_read(page):
    expect(verdict(page, "classical")).to_contain_text("is now read as")
    slider = page.get_by_role("slider", name="epsilon")
    slider.focus()
    slider.press("Home")
    expect(verdict(page, "classical")).to_contain_text("still read as")
    expect(verdict(page, "keyed")).to_contain_text("says nothing about the defence")
    slider.press("End")
    expect(verdict(page, "classical")).to_contain_text("is now read as")


def test_everything_is_in_one_viewport_and_every_picture_has_words(page):
    pictures = page.locator("[data-testid=stMain] [data-testid=stImage] img")
    expect(pictures).to_have_count(6)
    charts = page.locator(".js-plotly-plot")
    expect(charts).to_have_count(2)
    for element in [*pictures.all(), *charts.all(), verdict(page, "classical"), verdict(page, "keyed")]:
        expect(element).to_be_in_viewport(ratio=1)
    for picture in pictures.all():
        assert "classifier" in picture.get_attribute("alt")


def test_cw_runs_shows_its_progress_and_stops(page):
    choose(page, "Attack", "Carlini-Wagner l2")
    choose(page, "solver", "reference")  # which is slow enough to be stopped
    page.get_by_role("button", name="Run Carlini-Wagner l2").click()
    expect(page.get_by_text("s left at most")).to_be_visible()
    page.get_by_test_id("stMain").get_by_role("button", name="Stop").click()  # Streamlit's header has one too
    expect(page.get_by_text("Stopped: this is the best example it had.")).to_be_visible()
    expect(verdict(page, "keyed")).to_be_visible()


def test_cw_ends_by_itself_and_fools_the_classifier_it_is_crafted_on(page):
    choose(page, "Attack", "Carlini-Wagner l2")
    page.get_by_role("button", name="Run Carlini-Wagner l2").click()
    expect(page.get_by_text("Finished.")).to_be_visible()
    expect(verdict(page, "classical")).to_contain_text("is now read as")
