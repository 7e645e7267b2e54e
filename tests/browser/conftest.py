"""A real Chromium and the app on a free port, for the tests of this folder; they skip without a Chromium."""

import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests import ROOT

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
MILLISECONDS = 120_000  # a machine may be busy


@dataclass(frozen=True)
class Server:
    """The app: where it is, the file of all that it says, and the home of what it keeps."""

    address: str
    log: Path
    home: Path


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The app on a free port, with a home of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    command += ["--server.address=127.0.0.1", f"--server.port={port}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    folder = tmp_path_factory.mktemp("server")
    app = Server(f"http://127.0.0.1:{port}", folder / "log", folder / "home")
    environment["KERCKHOFFS_HOME"] = str(app.home)
    with (
        app.log.open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            while "URL:" not in app.log.read_text():
                assert process.poll() is None, "the app ended before it served"
                time.sleep(0.1)
            yield app
        finally:
            process.kill()  # Streamlit may wait for a closing connection for long


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    expect.set_options(timeout=MILLISECONDS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, server):
    """Open the app in a session of its own, at 1280x800; fails the test when a script of the page throws."""
    contexts, failures = [], []

    def open_page(path="", **options):
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | options))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(MILLISECONDS)
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(f"{server.address}/{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not failures


@pytest.fixture
def page(visit):
    """Play, as it opens."""
    return visit()
