"""How long a person waits for the Play page, in a real Chromium, with the app on two cores.

    python benchmarks/page.py --starts 3 --moves 20

Prints the seconds from `streamlit run app.py` to the first complete picture (both verdicts, six images, two charts),
the seconds from a key press on the epsilon slider to the changed verdict, the seconds that CW l2 takes for the image
on screen, and the server's peak memory. The first start of a machine reads everything from disk: look at the second.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).parent.parent
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def complete(page: Page) -> None:
    """Wait for the whole picture."""
    expect(page.get_by_text("Crafted on the")).to_have_count(2)
    expect(page.locator("[data-testid=stMain] [data-testid=stImage] img")).to_have_count(6)
    expect(page.locator(".js-plotly-plot .trace.bars")).to_have_count(4)


def start(port: int, cores: set[int]) -> subprocess.Popen[bytes]:
    """The app as the README starts it, on some cores only."""
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, cores)
    )


def open_page(page: Page, port: int) -> None:
    """Reload until the server is there."""
    while True:
        try:
            page.goto(f"http://127.0.0.1:{port}")
            return
        except Exception as error:
            if "ERR_CONNECTION_REFUSED" not in str(error):
                raise
            time.sleep(0.02)


def move_epsilon(page: Page, moves: int) -> list[float]:
    """Seconds from each key press to the caption of the new perturbation."""
    slider = page.get_by_role("slider", name="epsilon")
    slider.focus()
    seconds = []
    for number in range(moves):
        began = time.perf_counter()
        slider.press("ArrowRight" if number < moves // 2 else "ArrowLeft")
        value = float(slider.input_value())
        expect(page.get_by_text(f"full colour is a change of {value:.3f}")).to_be_visible()
        seconds.append(time.perf_counter() - began)
    return seconds


def run_cw(page: Page) -> tuple[float, float]:
    """Seconds from the button to the first step on screen, and to the result."""
    page.get_by_text("Table 2").click()
    page.get_by_text("Carlini-Wagner l2").click()
    button = page.get_by_role("button", name="Run Carlini-Wagner l2")
    button.wait_for()
    began = time.perf_counter()
    button.click()
    page.get_by_text("s left at most").wait_for()
    first = time.perf_counter() - began
    page.get_by_text("Finished.").wait_for()
    return first, time.perf_counter() - began


def peak_memory(process: subprocess.Popen[bytes]) -> int:
    """The most memory that the server has held, in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--moves", type=int, default=20)
    parser.add_argument("--port", type=int, default=8597)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    cores = set(sorted(os.sched_getaffinity(0))[:2])
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        for number in range(options.starts):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(60_000)
            began = time.perf_counter()
            server = start(options.port + number, cores)
            try:
                open_page(page, options.port + number)
                complete(page)
                print(f"start {number + 1}: {time.perf_counter() - began:.2f} s to the first complete picture", end="")
                moves = move_epsilon(page, options.moves)
                print(f"; slider median {statistics.median(moves):.2f} s, worst {max(moves):.2f} s", end="")
                first, whole = run_cw(page)
                print(f"; CW l2 first step {first:.2f} s, done {whole:.2f} s; peak memory {peak_memory(server)} MiB")
            finally:
                page.close()
                server.kill()
                server.wait()
        browser.close()


if __name__ == "__main__":
    main()
