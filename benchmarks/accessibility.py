"""What axe-core finds on each page, in a real Chromium, light and dark, wide and narrow.

    npm pack axe-core && tar -xzf axe-core-*.tgz package/axe.min.js
    python benchmarks/accessibility.py package/axe.min.js

Prints each serious or critical finding with the element that it is about, and ends with status 1 if there is one.
"""

import argparse
import os
import sys
from pathlib import Path

from page import FLAGS, complete, complete_clean, open_page, start  # of this folder
from playwright.sync_api import Page, expect, sync_playwright

VIEWS = (("light", 1280, 800), ("dark", 1280, 800), ("light", 390, 844))
GRAVE = ("serious", "critical")
SETTLED = 2000  # milliseconds: a page that fades in has no contrast yet


def finished(page: Page) -> None:
    """Run the attack that the address names."""
    page.get_by_role("button", name="Run Carlini-Wagner l2").click()
    page.get_by_text("Finished.").wait_for()
    complete(page)


def curves(page: Page) -> None:
    """Wait for both curves of How it works."""
    page.locator(".js-plotly-plot .scatterlayer .trace").nth(3).wait_for()


def estimated(page: Page) -> None:
    """Wait for what a batch would take."""
    page.get_by_text("on one core").first.wait_for()


def tabled(page: Page) -> None:
    """Wait for a table."""
    page.get_by_test_id("stDataFrame").first.wait_for()


STATES = (
    ("", complete),
    ("?attack=cw_l2", complete_clean),
    ("?attack=cw_l2&dial=white-box", finished),
    ("?image=drawing", lambda page: page.get_by_role("img", name="Canvas").wait_for()),
    ("?image=upload", lambda page: page.get_by_test_id("stFileUploader").wait_for()),
    ("?sample=no-number", lambda page: page.get_by_text("was refused").wait_for()),
    ("how_it_works", curves),
    ("batch", estimated),
    ("table3", tabled),
    ("defences", tabled),
)


def main() -> None:
    """Look and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("axe", type=Path, help="axe.min.js")
    parser.add_argument("--port", type=int, default=8599)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    expect.set_options(timeout=60_000)
    grave = undecided = 0
    server = start(options.port, os.sched_getaffinity(0))
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
            for scheme, width, height in VIEWS:
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                page.set_default_timeout(60_000)
                open_page(page, options.port)
                for address, reach in STATES:
                    page.goto(f"http://127.0.0.1:{options.port}/{address}")
                    reach(page)
                    page.wait_for_timeout(SETTLED)
                    page.add_script_tag(path=options.axe)
                    result = page.evaluate("axe.run(document, {resultTypes: ['violations', 'incomplete']})")
                    undecided += sum(len(each["nodes"]) for each in result["incomplete"] if each["impact"] in GRAVE)
                    for found in result["violations"]:
                        if found["impact"] in GRAVE:
                            grave += len(found["nodes"])
                            print(f"{scheme} {width} /{address}: {found['id']}, {found['impact']}: {found['help']}")
                            print("\n".join(f"    {each['html'][:200]}" for each in found["nodes"]))
                page.close()
            browser.close()
    finally:
        server.kill()
        server.wait()
    print(f"{len(STATES) * len(VIEWS)} looks; serious or critical: {grave}; axe could not decide: {undecided}")
    sys.exit(bool(grave))


if __name__ == "__main__":
    main()
