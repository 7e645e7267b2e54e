"""Make docs/*.png anew: python docs/screenshots.py. It starts the app and photographs it in a headless Chromium."""

import io
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parent.parent
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SETTLED = 2500  # milliseconds after the last element has come
COLOURS = 128
SEVEN = "G0Y4TzhYOGE4azh0OH04hjiQOJk4ojisOLU4r0OpTqNYnWOXbpF5i4SFj3-aeaVzsG27Z8Zh0Q"
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


def complete(page: Page) -> None:
    """Wait for both verdicts and both charts."""
    page.get_by_text("evaluated on the keyed classifier").wait_for()
    page.locator(".js-plotly-plot .trace.bars").nth(3).wait_for()


def run_cw(page: Page) -> None:
    """Run Carlini-Wagner to its end."""
    page.get_by_role("button", name="Run Carlini-Wagner l2").click()
    page.get_by_text("Finished.").wait_for()
    complete(page)


def how(page: Page) -> None:
    """Wait for both curves."""
    page.locator(".js-plotly-plot .scatterlayer .trace").nth(5).wait_for()


def table3(page: Page) -> None:
    """Wait for the table and its figure."""
    page.get_by_text("The likely reason").wait_for()
    page.locator(".js-plotly-plot .xtick").first.wait_for()


def batch(page: Page) -> None:
    """Run the batch that the page opens on."""
    page.get_by_role("button", name="Start", exact=True).click()
    page.locator(".js-plotly-plot .trace.bars").nth(1).wait_for()
    page.get_by_role("button", name="Rows (.csv)").wait_for()


SHOTS: tuple[tuple[str, str, dict[str, int], str, Callable[[Page], None]], ...] = (
    ("play", "", DESK, "light", complete),
    ("play-dark-drawn", f"?image=drawing&drawing={SEVEN}&epsilon=0.2", DESK, "dark", complete),
    ("play-white-box", "?attack=cw_l2&dial=white-box", DESK, "light", run_cw),
    ("play-phone", "", PHONE, "light", complete),
    ("how-it-works", "how_it_works", {"width": 1280, "height": 1100}, "light", how),
    ("table3", "table3", {"width": 1280, "height": 1960}, "light", table3),
    ("batch", "batch", {"width": 1280, "height": 1640}, "dark", batch),
)


def photograph(page: Page, path: Path) -> None:
    """Save what is in the window, in few colours."""
    page.wait_for_timeout(SETTLED)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} kB")


def wait_for(port: int) -> None:
    """Wait until the app listens."""
    for _ in range(600):
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the app did not start")


def main() -> None:
    """Make all of them, or those that are named."""
    wanted = sys.argv[1:] or [name for name, *_ in SHOTS]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    home = tempfile.TemporaryDirectory()  # the batch's rows are not kept
    environment = os.environ | {"PYTHONPATH": str(ROOT), "KERCKHOFFS_HOME": home.name}
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            for name, path, size, scheme, act in SHOTS:
                if name in wanted:
                    context = chromium.new_context(viewport=size, color_scheme=scheme)
                    page = context.new_page()
                    page.set_default_timeout(120_000)
                    page.goto(f"http://127.0.0.1:{port}/{path}")
                    act(page)
                    photograph(page, ROOT / "docs" / f"{name}.png")
                    context.close()
            chromium.close()
    finally:
        server.kill()
        server.wait()
        home.cleanup()


if __name__ == "__main__":
    main()
