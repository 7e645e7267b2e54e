"""How long a person waits for the Play page, in a real Chromium, with the app on two cores.

    python benchmarks/page.py --starts 3 --moves 20
    python benchmarks/page.py --starts 5 --against ../another-checkout

Prints the seconds from `streamlit run app.py` to the first complete picture (both verdicts, six images, two charts),
from a key press on the epsilon slider to the changed perturbation, from the end of a stroke to the prediction, and
those that CW l2 takes for the image on screen; the pictures a second that a running attack shows; and the server's
peak memory. The first start of a machine reads everything from disk: look at the second. With --against, only starts:
those of another checkout and of this one in turn, and the ratio of their medians.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parent.parent
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def complete(page: Page) -> None:
    """Wait for the whole picture."""
    for kind in ("classical", "keyed"):
        expect(page.get_by_text(f"evaluated on the {kind} classifier")).to_be_visible()
    expect(page.locator(".k-sum img")).to_have_count(6)
    expect(page.locator(".js-plotly-plot .trace.bars")).to_have_count(4)


def start(port: int, cores: set[int], root: Path = ROOT) -> subprocess.Popen[bytes]:
    """The app of a checkout as the README starts it, on some cores only."""
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    return subprocess.Popen(
        command, cwd=root, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, cores)
    )


def open_page(page: Page, port: int) -> None:
    """Open the app as soon as it listens."""
    while True:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.02)
    page.goto(f"http://127.0.0.1:{port}")


WATCH = """([event, texts]) => {
  const began = new Promise((done) => addEventListener(event, (e) => done(e.timeStamp), {once: true, capture: true}));
  const picture = () => document.querySelector('.k-sum figure:last-child img')?.src, before = picture();
  const there = (text) => document.body.textContent.includes(text) && (event !== 'keydown' || picture() !== before);
  const appeared = (text) => new Promise((done) => {
    const look = () => {
      if (!there(text)) return;
      observer.disconnect();
      requestAnimationFrame(() => done(performance.now()));
    };
    const observer = new MutationObserver(look);
    observer.observe(document.body, {subtree: true, childList: true, characterData: true, attributeFilter: ['src']});
    look();
  });
  window.watched = texts.map((text) => began.then(async (start) => (await appeared(text)) - start));
}"""
"""Takes the time in the page, from an event to the frame after each of some texts has come; a tool that looks on from
outside adds its own waiting, and one that looks at every frame makes the browser draw every frame. After a key press
the picture must have changed, too."""


def watched(page: Page) -> list[float]:
    """The seconds that WATCH took."""
    found: list[float] = page.evaluate("Promise.all(window.watched)")
    return [each / 1000 for each in found]


def move_epsilon(page: Page, moves: int) -> list[float]:
    """Seconds from each key press to the new adversarial image and the size of its perturbation."""
    slider = page.get_by_role("slider", name="epsilon")
    slider.focus()
    seconds = []
    for number in range(moves):
        key, by = ("ArrowRight", 0.01) if number < moves // 2 else ("ArrowLeft", -0.01)
        value = float(slider.input_value()) + by
        page.evaluate(WATCH, ["keydown", [f"full colour is a change of {value:.3f}"]])
        slider.press(key)
        seconds += watched(page)
        time.sleep(0.5)  # until the rest of the page is there
    return seconds


def stroke(page: Page, port: int, strokes: int) -> list[float]:
    """Seconds from the end of a stroke on the canvas to the prediction."""
    page.goto(f"http://127.0.0.1:{port}/?image=drawing")
    box = page.get_by_role("img", name="Canvas").bounding_box()
    assert box
    seconds = []
    for _ in range(strokes):
        page.get_by_text("There is no image yet").wait_for()
        page.mouse.move(box["x"] + 50, box["y"] + 45)
        page.mouse.down()
        page.mouse.move(box["x"] + 140, box["y"] + 45, steps=8)
        page.mouse.move(box["x"] + 85, box["y"] + 150, steps=8)
        page.evaluate(WATCH, ["pointerup", ["evaluated on the keyed classifier"]])
        page.mouse.up()
        seconds += watched(page)
        time.sleep(0.5)
        page.get_by_role("button", name="Clear").click()
    return seconds


def run_cw(page: Page, port: int) -> list[float]:
    """Seconds from the button to the first step on screen, and to the result."""
    page.goto(f"http://127.0.0.1:{port}/?network=table2&attack=cw_l2")
    button = page.get_by_role("button", name="Run Carlini-Wagner l2")
    complete_clean(page)
    time.sleep(0.5)
    page.evaluate(WATCH, ["click", ["s left at most", "evaluated on the keyed classifier"]])
    button.click()
    return watched(page)


def complete_clean(page: Page) -> None:
    """Wait for the picture of an attack that has not run."""
    expect(page.get_by_text("Clean image, read as")).to_have_count(2)
    expect(page.locator(".js-plotly-plot .trace.bars")).to_have_count(4)


def frames(page: Page, port: int, seconds: float = 4.0) -> float:
    """Pictures a second that a running attack shows."""
    page.goto(f"http://127.0.0.1:{port}/?attack=cw_l2&solver=reference")
    complete_clean(page)
    page.get_by_role("button", name="Run Carlini-Wagner l2").click()
    page.get_by_text("s left at most").wait_for()
    shown: int = page.evaluate(
        """async (milliseconds) => {
            const seen = new Set(), until = performance.now() + milliseconds;
            while (performance.now() < until) {
                seen.add(document.querySelector('[data-testid=stProgress]')?.innerText);
                await new Promise(requestAnimationFrame);
            }
            return seen.size;
        }""",
        1000 * seconds,
    )
    page.get_by_test_id("stMain").get_by_role("button", name="Stop").click()
    return shown / seconds


def peak_memory(process: subprocess.Popen[bytes]) -> int:
    """The most memory that the server has held, in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def first_picture(chromium: Browser, port: int, cores: set[int], root: Path) -> float:
    """Seconds from a cold start of the app of a checkout to the first complete picture, in a browser of its own."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(60_000)
    began = time.perf_counter()
    server = start(port, cores, root)
    try:
        open_page(page, port)
        complete(page)
        return time.perf_counter() - began
    finally:
        context.close()
        server.kill()
        server.wait()


def compare(chromium: Browser, other: Path, starts: int, port: int, cores: set[int]) -> None:
    """Starts of two checkouts in turn, each first as often as the other."""
    taken: dict[Path, list[float]] = {other.resolve(): [], ROOT: []}
    for number in range(starts):
        for root in list(taken)[:: 1 if number % 2 else -1]:
            port += 1
            taken[root].append(first_picture(chromium, port, cores, root))
    for root, seconds in taken.items():
        print(f"{root.name}: {', '.join(f'{each:.2f}' for each in seconds)}; median {statistics.median(seconds):.2f} s")
    theirs, ours = (statistics.median(seconds) for seconds in taken.values())
    print(f"this one takes {ours / theirs:.2f} of the other's time")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--moves", type=int, default=20)
    parser.add_argument("--port", type=int, default=8597)
    parser.add_argument("--against", type=Path, help="Another checkout, whose starts are set beside this one's.")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    cores = set(sorted(os.sched_getaffinity(0))[:2])
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        if options.against:
            compare(browser, options.against, options.starts, options.port, cores)
            return
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
                drawn = stroke(page, options.port + number, options.moves // 2)
                print(f"; stroke median {statistics.median(drawn):.2f} s, worst {max(drawn):.2f} s", end="")
                firsts, wholes = zip(*(run_cw(page, options.port + number) for _ in range(5)), strict=True)
                print(f"; CW l2 first step median {statistics.median(firsts):.2f} s, worst {max(firsts):.2f} s", end="")
                print(f", done median {statistics.median(wholes):.2f} s, worst {max(wholes):.2f} s", end="")
                rate = frames(page, options.port + number)
                print(f"; {rate:.1f} pictures a second; peak memory {peak_memory(server)} MiB")
            finally:
                page.close()
                server.kill()
                server.wait()
        browser.close()


if __name__ == "__main__":
    main()
