"""Photograph each scene of the shipped talk in a headless Chromium: python docs/stage_shots.py [FOLDER [axe.min.js]].

The projector at 1280 x 720 and 1920 x 1080, light and dark, before and after the reveal; the speaker's window; the
phone at 390 x 844. Without a folder, a few small ones go to docs/stage/, and sheets with all scenes at a size. With
axe-core (benchmarks/accessibility.py says where it comes from) what that finds serious is printed.
"""

import io
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SIZES = {"1280": (1280, 720), "1920": (1920, 1080), "2160": (3840, 2160), "phone": (390, 844)}
SHIPPED = ("1280-light-2-revealed", "1920-dark-4-ask", "1920-light-5-revealed", "phone-light-2-ask")
SHIPPED += ("phone-light-9-inviting", "presenter-light-9-inviting")
COLOURS = 64
SHEETS: dict[str, list[Image.Image]] = {"1280-light": [], "1920-light": [], "phone-light": []}
AXE = ""


@contextmanager
def app() -> Iterator[tuple[str, str, str]]:
    """The app with an open room: its address, the room's code and the speaker's token."""
    with tempfile.TemporaryDirectory() as home, socket.socket() as free:
        os.environ["KERCKHOFFS_HOME"] = home
        from kerckhoffs.room import Rooms, talk

        room = Rooms().create(talk.shipped()["key"])
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"]
        command += ["--server.headless=true", "--server.address=0.0.0.0"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            at = f"http://127.0.0.1:{port}"
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"{at}/room/{room.code}/scene").close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield at, room.code, room.token
        finally:
            process.kill()
            process.wait()


def post(address: str, said: Mapping[str, Any], token: str = "") -> Any:
    """Say something in JSON."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    with urllib.request.urlopen(urllib.request.Request(address, json.dumps(said).encode(), headers)) as answer:
        return json.load(answer)


def opened(browser: Browser, address: str, size: tuple[int, int], scheme: str) -> Page:
    """A window."""
    width, height = size
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    page.on("pageerror", lambda error: print("error:", error))
    page.goto(address)
    return page


def main() -> None:
    """Walk through the talk."""
    global AXE
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    AXE = Path(sys.argv[2]).read_text() if len(sys.argv) > 2 else ""
    with app() as (at, code, token), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        room = f"{at}/room/{code}"
        pages = {}
        for scheme in ("light", "dark"):
            for name, size in SIZES.items():
                if scheme == "light" or name in ("1920", "phone"):
                    there = room if name == "phone" else f"{room}/stage"
                    pages[f"{name}-{scheme}"] = opened(browser, there, size, scheme)
        pages["steered-light"] = opened(browser, f"{room}/stage#{token}", (1280, 720), "light")
        there = f"{room}/stage?view=presenter#{token}"
        pages["presenter-light"] = opened(browser, there, (1440, 900), "light")
        said = post(f"{room}/do", {"do": "go", "scene": 0}, token)
        while said["view"] is None or said["view"]["blocks"] == []:
            time.sleep(0.5)
            said = post(f"{room}/do", {"do": "go", "scene": 0}, token)
        time.sleep(5)  # until all scenes are prepared
        for number in range(said["of"]):
            said = post(f"{room}/do", {"do": "go", "scene": number}, token)
            states = [""]
            if said["show"] == "draw":
                for each in (PICTURES[0], PICTURES[1]):
                    phone = secrets.token_hex(16)
                    post(f"{room}/drawing", {"phone": phone, "strokes": each})
                    post(f"{room}/name", {"phone": phone, "name": "Ada"})
                shoot(pages, f"{number + 1}-inviting", folder)
                [first, *_] = post(f"{room}/do", {"do": "black", "on": False}, token)["speaker"]["drawings"]
                names = post(f"{room}/do", {"do": "black", "on": False}, token)["speaker"]["names"]
                post(f"{room}/do", {"do": "name", **names[0], "approved": True}, token)
                said = post(f"{room}/do", {"do": "take", "scene": number, "id": first["id"]}, token)
            if said["question"]:
                states = ["-ask", "-revealed"]
                for each in range(23):
                    choice = (each * each) % len(said["question"]["options"])
                    vote = {"scene": number, "round": said["round"], "turn": 1, "choice": choice}
                    post(f"{room}/vote", {"phone": secrets.token_hex(16), **vote})
            for state in states:
                if state == "-revealed":
                    step = {"do": "phase", "scene": number, "round": said["round"], "phase": "revealed"}
                    post(f"{room}/do", step, token)
                shoot(pages, f"{number + 1}{state}", folder)
        browser.close()
    sheets()


PICTURES = (
    "G0Y4TzhYOGE4azh0OH04hjiQOJk4ojisOLU4r0OpTqNYnWOXbpF5i4SFj3-aeaVzsG27Z8Zh0Q",
    "B4AghDCIUIiAiKCIuIjQ",
)


def shoot(pages: Mapping[str, Page], state: str, folder: Path | None) -> None:
    """Photograph all windows; say which of them scrolls."""
    time.sleep(4 if state.startswith("3") else 1.6)
    for name, page in pages.items():
        called = f"{name}-{state}"
        wide, high, overflow = page.evaluate(OVERFLOW)
        if "phone" not in name and "presenter" not in name and (wide or high or overflow):
            print(f"{called}: scrolls by {wide} x {high} {overflow}")
        if "phone" in name and wide:
            print(f"{called}: wider than the phone by {wide}")
        if AXE:
            page.evaluate(AXE)
            for found in page.evaluate("axe.run()")["violations"]:
                if found["impact"] in ("serious", "critical"):
                    print(f"{called}: {found['id']}: {[each['html'][:120] for each in found['nodes']]}")
        if folder is not None:
            folder.mkdir(exist_ok=True)
            page.screenshot(path=folder / f"{called}.png")
        elif called in SHIPPED or name in SHEETS:
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            (ROOT / "docs" / "stage").mkdir(exist_ok=True)
            if name in SHEETS:
                small = picture.copy()
                small.thumbnail((480, 480))
                SHEETS[name].append(small)
            if called in SHIPPED:
                picture.thumbnail((1000, 700))
                picture.quantize(COLOURS).save(ROOT / "docs" / "stage" / f"{called}.png", optimize=True)


def sheets() -> None:
    """Every scene at a size on one picture, in the order of the talk."""
    for name, pictures in SHEETS.items():
        if pictures:
            across = 8 if name.startswith("phone") else 4
            width, height = pictures[0].size
            page = Image.new("RGB", (across * width, -(-len(pictures) // across) * height), "white")
            for number, picture in enumerate(pictures):
                page.paste(picture, (number % across * width, number // across * height))
            page.quantize(COLOURS).save(ROOT / "docs" / "stage" / f"all-{name}.png", optimize=True)


OVERFLOW = """() => {
  const root = document.documentElement, main = document.getElementById('main'), inside = [];
  if (main && main.id === 'main' && main.parentElement.id === 'stage') {
    const box = main.getBoundingClientRect();
    for (const each of main.querySelectorAll('#view > *, #question'))  {
      const its = each.getBoundingClientRect();
      if (its.height && (its.bottom > box.bottom + 1 || its.top < box.top - 1 || its.right > box.right + 1))
        inside.push(`${each.className || each.id} ${its.top - box.top} ${its.bottom - box.bottom}`);
    }
  }
  return [root.scrollWidth - innerWidth, root.scrollHeight - innerHeight, inside.join(', ')];
}"""

if __name__ == "__main__":
    main()
