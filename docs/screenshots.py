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
SETTLED = 2500  # milliseconds after the last run of the page
COLOURS = 128
SEVEN = "G0Y4TzhYOGE4azh0OH04hjiQOJk4ojisOLU4r0OpTqNYnWOXbpF5i4SFj3-aeaVzsG27Z8Zh0Q"
# A window is as high as it is said to be, or ends below the element that is named.
DESK, PHONE = (1280, 800), (390, 844)
CHARTS = (1280, "[class*=st-key-bars_]")
WHOLE = (1280, "[data-testid=stMainBlockContainer]")
RUNGS = (1280, ".st-key-shipped_figure")
WORTH = (1280, ".st-key-keylab_wrong-keys")
MARGIN = 8
FIRST = 2000  # the height of a window before it is known where it ends


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


def ladder(page: Page) -> None:
    """Wait for the rungs, and for the last panel."""
    page.locator(".js-plotly-plot .xtick").first.wait_for()
    page.get_by_role("heading", name="3 · Climb it yourself").wait_for()


def key_lab(page: Page) -> None:
    """Wait for the last panel."""
    page.get_by_role("heading", name="5 · A new key").wait_for()


def batch(page: Page) -> None:
    """Run the batch that the page opens on."""
    page.get_by_role("button", name="Start", exact=True).click()
    page.locator(".js-plotly-plot .trace.bars").nth(1).wait_for()
    page.get_by_role("button", name="Rows (.csv)").wait_for()


SHOTS: tuple[tuple[str, str, tuple[int, int | str], str, Callable[[Page], None]], ...] = (
    ("play", "", DESK, "light", complete),
    ("play-dark-drawn", f"?image=drawing&drawing={SEVEN}&epsilon=0.2", CHARTS, "dark", complete),
    ("play-white-box", "?attack=cw_l2&dial=white-box", CHARTS, "light", run_cw),
    ("play-phone", "", PHONE, "light", complete),
    ("how-it-works", "how_it_works", WHOLE, "light", how),
    ("table3", "table3", WHOLE, "light", table3),
    ("batch", "batch", WHOLE, "dark", batch),
    ("ladder", "ladder", RUNGS, "light", ladder),
    ("key-lab", "key_lab", WORTH, "light", key_lab),
)


def settle(page: Page) -> None:
    """Wait until the page does not run any more, and has drawn."""
    page.get_by_test_id("stStatusWidget").wait_for(state="hidden")
    page.wait_for_timeout(SETTLED)


def end_below(page: Page, element: str) -> None:
    """Make the window as high as it takes to see an element."""
    settle(page)
    bottom = page.locator(element).first.evaluate("each => each.getBoundingClientRect().bottom")
    page.set_viewport_size({"width": page.evaluate("innerWidth"), "height": round(bottom) + MARGIN})


def photograph(page: Page, path: Path) -> None:
    """Save what is in the window, in few colours."""
    settle(page)
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
            for name, path, (width, height), scheme, act in SHOTS:
                if name in wanted:
                    first = FIRST if isinstance(height, str) else height
                    context = chromium.new_context(viewport={"width": width, "height": first}, color_scheme=scheme)
                    page = context.new_page()
                    page.set_default_timeout(120_000)
                    page.goto(f"http://127.0.0.1:{port}/{path}")
                    act(page)
                    if isinstance(height, str):
                        end_below(page, height)
                    photograph(page, ROOT / "docs" / f"{name}.png")
                    context.close()
            chromium.close()
    finally:
        server.kill()
        server.wait()
        home.cleanup()


if __name__ == "__main__":
    main()
