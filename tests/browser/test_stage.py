"""The shipped talk in a real Chromium: a speaker, the projector and two phones go through it together."""

import re

from playwright.sync_api import expect

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SCENES = 10
HIDDEN = (
    """() => [document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight]"""
)
NAMELESS = """() => [...document.querySelectorAll('button, input, a, img, [role=img], dialog')].filter((each) => {
  const label = each.labels && each.labels[0], named = each.getAttribute('aria-label') || each.alt || each.title;
  return each.checkVisibility() && !(named || (label || each).textContent.trim());
}).map((each) => each.outerHTML.slice(0, 100))"""
CONTRAST = """() => {
  const parts = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = (c) => { const v = c / 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
  const lum = ([r, g, b]) => .2126 * light(r) + .7152 * light(g) + .0722 * light(b);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = parts(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('body *')].filter((each) => each.checkVisibility() && !each.disabled &&
    [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())).map((each) => {
      const [a, b] = [lum(parts(getComputedStyle(each).color)), lum(behind(each))];
      return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), each.textContent.slice(0, 40)];
    }).filter(([ratio]) => ratio < 4.5);
}"""


def readable(page):
    """Nothing without a name, nothing too faint."""
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(CONTRAST) == []


def heading(page, words):
    expect(page.get_by_role("heading", level=1, name=words)).to_be_visible()


def draw(page):
    """Draw a 1 with a mouse."""
    box = page.get_by_role("img", name="Canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.15)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.85, steps=12)
    page.mouse.up()


def test_a_talk(visit):
    opening = visit("stage")
    opening.get_by_role("button", name="Open a room").click()
    with opening.context.expect_page() as window:
        opening.get_by_role("link", name="The speaker's window").click()
    desk = window.value
    desk.emulate_media(color_scheme="dark")
    code = re.search("room/([A-Z0-9]{6})/", desk.url)[1]
    expect(opening.get_by_text("The app listens to this machine alone")).to_be_visible()
    heading(desk, "Can a secret key defend a network?")
    assert desk.url.endswith("view=presenter"), "the token has left the address"
    with desk.context.expect_page() as window:
        desk.get_by_role("button", name="Open the projector window").click()
    screen = window.value
    screen.set_viewport_size({"width": 1280, "height": 720})
    heading(screen, "Can a secret key defend a network?")
    assert "#" not in screen.url
    expect(screen.get_by_text("kerckhoffs app --address 0.0.0.0")).to_be_visible()

    ada, bob = visit(f"room/{code}", **PHONE), visit(f"room/{code.lower()}", color_scheme="dark", **PHONE)
    for page in (ada, bob):
        expect(page.get_by_text("Look at the screen.")).to_be_visible()

    # Either window steers both
    screen.keyboard.press("PageDown")
    heading(desk, "A digit, and one step of FGSM")
    desk.get_by_role("button", name="Next").click()
    heading(screen, "The key: where each pixel goes")
    screen.keyboard.press("ArrowLeft")

    # Predict
    expect(
        ada.get_by_role("heading", level=2, name="Will the classical classifier still read the digit?")
    ).to_be_visible()
    for page, option in ((ada, "A No, it is fooled"), (bob, "B Yes, it still reads it")):
        page.get_by_role("button", name=re.compile(option.replace(" ", r"\s+"))).click()
    expect(ada.get_by_text("You said A.")).to_be_visible()
    expect(screen.get_by_text("votes, the question is open")).to_be_visible()
    expect(screen.locator("#count")).to_have_text("2")
    for page in (screen, ada, bob):
        assert page.get_by_text("Fooled", exact=False).count() == page.get_by_text("it is fooled").count()
        assert page.locator(".true, .bar").count() == 0
    ada.reload()
    expect(ada.get_by_text("You said A.")).to_be_visible()

    # then reveal
    screen.keyboard.press(" ")
    expect(screen.get_by_text("votes, locked")).to_be_visible()
    expect(ada.get_by_role("button", name=re.compile(r"A\s+No"))).to_be_disabled()
    screen.keyboard.press(" ")
    expect(screen.get_by_text("✗ Fooled")).to_be_visible()
    expect(screen.get_by_text("Crafted on the classical classifier, evaluated on the")).to_be_visible()
    expect(ada.get_by_text("You were right.")).to_be_visible()
    expect(bob.get_by_text("Not this time.")).to_be_visible()
    readable(screen)
    readable(ada)
    readable(bob)

    # the slider, and panic
    expect(screen.get_by_text("▣ Precomputed")).to_be_visible()
    slider = desk.get_by_role("slider")
    slider.fill("0.02")
    expect(screen.get_by_text("● Live: computed now")).to_be_visible()
    expect(screen.get_by_text("ε = 0.02")).to_be_visible()
    expect(screen.get_by_text("✗ Fooled")).to_have_count(0)
    desk.get_by_role("button", name="Panic").click()
    expect(screen.get_by_text("▣ Precomputed")).to_be_visible()
    expect(screen.get_by_text("nothing is computed now")).to_be_visible()
    desk.get_by_role("button", name="Panic").click()

    # black, help, and all the other scenes
    screen.keyboard.press("b")
    expect(screen.locator("#black")).to_be_visible()
    desk.get_by_role("button", name="Black", exact=True).last.click()
    expect(screen.locator("#black")).to_be_hidden()
    screen.keyboard.press("?")
    expect(screen.get_by_text("lock the votes, then reveal")).to_be_visible()
    screen.keyboard.press("Escape")
    for number in range(3, SCENES + 1):
        screen.keyboard.press("ArrowRight")
        expect(screen.locator("#number")).to_have_text(f"{number} / {SCENES}")
        expect(screen.locator("#view > *").first).to_be_visible()
        assert "cannot be shown" not in screen.content()
        assert all(each <= 0 for each in screen.evaluate(HIDDEN))
        heading(ada, screen.locator("#heading").text_content())  # a phone looks once a second
        if screen.locator("#question").is_visible():
            ada.locator("#options button").first.click()
            expect(screen.locator("#count")).to_have_text("1")
            screen.keyboard.press(" ")
            expect(screen.get_by_text("locked")).to_be_visible()
            screen.keyboard.press(" ")
            expect(screen.locator("#options .true")).to_have_count(1)
        readable(screen)
        if ada.get_by_role("img", name="Canvas").is_visible():
            break

    # a drawing of the room, with a name that the speaker lets pass
    draw(ada)
    ada.get_by_role("button", name="Send").click()
    expect(ada.get_by_text("Sent: the speaker may take it.")).to_be_visible()
    ada.get_by_label("Your name").fill("<b>Ada</b>")
    ada.get_by_role("button", name="Say it").click()
    desk.get_by_role("button", name=re.compile("Approve the name")).click()
    readable(desk)
    readable(ada)
    desk.get_by_role("button", name="Take drawing 1").click()
    expect(screen.get_by_text("● Live: computed when the drawing was taken")).to_be_visible()
    expect(screen.get_by_text(re.compile("drawn by .bAdab"))).to_be_visible()
    bob.get_by_role("button", name=re.compile(r"A\s+Yes")).click()
    expect(screen.locator("#count")).to_have_text("1")
    desk.get_by_role("button", name="Lock").last.click()
    desk.get_by_role("button", name="Reveal").last.click()
    expect(screen.locator(".card .out").first).not_to_have_text("?")
    screen.keyboard.press("ArrowRight")
    heading(screen, "Beat the key")
    expect(ada.get_by_role("link", name="To the challenge")).to_be_visible()
    assert ada.evaluate("document.documentElement.scrollWidth") <= 390

    # the end
    desk.on("dialog", lambda dialog: dialog.accept())
    desk.get_by_role("button", name="Close the room").click()
    for page, words in ((screen, "The room is closed."), (ada, "There is no such room")):
        expect(page.get_by_text(words)).to_be_visible()
