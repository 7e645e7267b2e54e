"""From a key to a classifier of one's own, in a real Chromium, with the app on two cores.

    python benchmarks/key_lab.py --moves 20
    python benchmarks/key_lab.py --kill

Prints the seconds from the press on "Make a key" to the trained classifier on screen, with its errors, and meanwhile,
in another window, those from a key press on Play's epsilon slider to the changed perturbation. With --kill the server
is killed once an epoch is over, and started again: the training is taken up where it was, and the steps that were done
twice are counted. The training set is read from KERCKHOFFS_DATA; keys and models go to a folder that is removed.
"""

import argparse
import os
import statistics
import tempfile
import time

from page import FLAGS, complete, move_epsilon, open_page, start  # of this folder
from playwright.sync_api import Page, expect, sync_playwright


def begin(page: Page) -> float:
    """Make a key and train under it, as the page opens; returns when the key was asked for."""
    page.get_by_role("button", name="Make a key").click()
    began = time.perf_counter()
    page.get_by_text("It is never shown").wait_for()
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_role("button", name="Pause").wait_for()
    return began


def said(page: Page) -> str:
    """What the bar of the training says."""
    return page.get_by_test_id("stProgress").first.inner_text()


def main() -> None:
    """Do it once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=20)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--port", type=int, default=8596)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    asked = parser.parse_args()
    expect.set_options(timeout=60_000)
    cores = set(list(os.sched_getaffinity(0))[:2])
    with tempfile.TemporaryDirectory() as home, sync_playwright() as tool:
        os.environ["KERCKHOFFS_HOME"] = home
        server = start(asked.port, cores)
        chromium = tool.chromium.launch(executable_path=asked.chromium, args=FLAGS)
        try:
            lab, play = chromium.new_page(), chromium.new_page()
            for page in (lab, play):
                page.set_default_timeout(600_000)
            open_page(play, asked.port)
            complete(play)
            lab.goto(f"http://127.0.0.1:{asked.port}/key_lab")
            began = begin(lab)
            if asked.kill:
                lab.get_by_text("% wrong of the validation samples").wait_for()
                before = said(lab)
                server.kill()
                server.wait()
                server = start(asked.port, cores)
                time.sleep(1)
                lab = chromium.new_page()
                lab.set_default_timeout(600_000)
                open_page(lab, asked.port)
                lab.goto(f"http://127.0.0.1:{asked.port}/key_lab")
                lab.get_by_text("stands at").wait_for()
                print(f"killed at: {before}")
                print(f"found as: {lab.get_by_text('stands at').inner_text()}")
                lab.get_by_role("button", name="Go on").click()
            else:
                moves = sorted(move_epsilon(play, asked.moves))
                late = moves[min(len(moves) - 1, round(0.95 * len(moves)))]
                print(f"epsilon meanwhile: median {statistics.median(moves):.2f} s, p95 {late:.2f} s")
                print(f"the training then: {said(lab)}")
            lab.get_by_text("is yours.").wait_for()
            print(f"from the key to the classifier: {time.perf_counter() - began:.1f} s")
            print(lab.locator('[class*="st-key-panel_done_"]').inner_text().splitlines()[0])
        finally:
            chromium.close()
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
