"""Play in a real Chromium: what a person does with it, and what they then read."""

import re
from itertools import pairwise
from pathlib import Path

from playwright.sync_api import expect

from kerckhoffs import data
from tests.ui.play.test_input import digit, png

LINES = {"7": [(50, 45), (150, 45), (85, 160)], "1": [(100, 30), (100, 165)]}  # points on the canvas


def verdict(page, kind):
    return page.get_by_text(f"evaluated on the {kind} classifier")


def choose(page, menu, option):
    """Open a menu by its name, look for the words, as a long menu draws only some, and take the first that has them."""
    box = page.get_by_role("combobox", name=re.compile(f"^{menu}"))
    box.click()
    box.fill(option)
    page.get_by_role("option", name=option).first.click()


def climb(page, rung):
    """Choose a rung of the ladder by its name."""
    choose(page, "What the attacker knows", rung)


def draw(page, digit):
    """Draw a digit with the mouse, in one stroke."""
    box = page.get_by_role("img", name="Canvas").bounding_box()
    first, *rest = [(box["x"] + x / 184 * box["width"], box["y"] + y / 184 * box["height"]) for x, y in LINES[digit]]
    page.mouse.move(*first)
    page.mouse.down()
    for point in rest:
        page.mouse.move(*point, steps=12)
    page.mouse.up()


def touch(page, digit):
    """Draw a digit with a finger."""
    box = page.get_by_role("img", name="Canvas").bounding_box()
    scale = box["width"] / 184
    corners = [(box["x"] + x * scale, box["y"] + y * scale) for x, y in LINES[digit]]
    session = page.context.new_cdp_session(page)

    def send(kind, *point):
        points = [dict(zip("xy", point, strict=True))] if point else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", *corners[0])
    for (x1, y1), (x2, y2) in pairwise(corners):
        for part in range(1, 13):
            send("touchMove", x1 + (x2 - x1) * part / 12, y1 + (y2 - y1) * part / 12)
    send("touchEnd")


def expect_read_as(page, digit):
    """What the page says that the classical classifier reads in the drawing or the upload."""
    expect(page.get_by_text(re.compile(f"the classical classifier reads {digit} "))).to_be_visible()


def test_moving_epsilon_changes_the_prediction_that_is_read(page):
    expect(verdict(page, "classical")).to_contain_text("is now read as")
    slider = page.get_by_role("slider", name="epsilon")
    slider.focus()
    slider.press("Home")
    expect(verdict(page, "classical")).to_contain_text("still read as")
    expect(verdict(page, "keyed")).to_contain_text("says nothing about the defence")
    expect(page.get_by_text("Try this: raise epsilon")).to_be_visible()
    slider.press("End")
    expect(verdict(page, "classical")).to_contain_text("is now read as")


def test_choices_and_verdicts_are_in_one_viewport_and_every_picture_has_words(page):
    pictures = page.locator(".k-sum img")
    expect(pictures).to_have_count(6)
    charts = page.locator(".js-plotly-plot")
    expect(charts).to_have_count(2)
    panels = [page.get_by_text(title) for title in ("1 · The image", "2 · Who knows what", "3 · The attack")]
    for element in [*panels, *pictures.all(), *charts.all(), verdict(page, "classical"), verdict(page, "keyed")]:
        expect(element).to_be_in_viewport(ratio=1)
    for picture in pictures.all():
        assert "classifier" in picture.get_attribute("alt")


def test_a_digit_drawn_with_the_mouse_is_read_at_the_end_of_the_stroke_and_survives_a_reload(visit):
    page = visit("?image=drawing")
    draw(page, "7")
    expect_read_as(page, "7")
    expect(verdict(page, "keyed")).to_be_visible()
    expect(page).to_have_url(re.compile("drawing=[A-Za-z0-9_-]{20,}"))
    page.reload()
    expect(verdict(page, "keyed")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("There is no image yet")).to_be_visible()
    draw(page, "1")
    expect(verdict(page, "classical")).to_contain_text("1")
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("There is no image yet")).to_be_visible()


def test_a_digit_drawn_with_a_finger_on_a_phone_is_read(visit):
    page = visit("?image=drawing", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.get_by_role("img", name="Canvas").scroll_into_view_if_needed()
    touch(page, "7")
    expect_read_as(page, "7")
    expect(verdict(page, "keyed")).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "nothing is wider than the phone"


def test_a_drawing_survives_a_visit_to_another_page(visit):
    page = visit("?image=drawing")
    draw(page, "7")
    expect_read_as(page, "7")
    page.get_by_role("link", name="Defences").first.click()
    expect(page.get_by_role("heading", name="Defences")).to_be_visible()
    page.get_by_role("link", name="Play").first.click()
    expect_read_as(page, "7")
    page.get_by_role("button", name="Undo").click()  # so the canvas has the stroke too
    expect(page.get_by_text("There is no image yet")).to_be_visible()


def test_turning_the_dial_changes_what_is_crafted_on_and_the_scheme(page):
    expect(verdict(page, "keyed")).to_contain_text("Crafted on the classical classifier")
    expect(page.get_by_role("img", name="as the attacker sees it")).to_contain_text("classical twin")
    climb(page, "White box: the key has leaked")
    expect(verdict(page, "keyed")).to_contain_text("Crafted on the keyed classifier")
    expect(page.get_by_role("img", name="as the attacker sees it")).to_contain_text("Hidden from the attacker: nothing")
    expect(page.get_by_role("button", name="One rung up")).to_be_disabled()
    climb(page, "Black box: scores")
    expect(page.get_by_text("A black box gives no gradients")).to_be_visible()
    page.get_by_role("button", name="Run Square").click()
    expect(verdict(page, "keyed")).to_contain_text("Crafted on the keyed classifier")
    for rung in (4, 5):
        page.get_by_role("button", name="One rung up").click()
        expect(page.get_by_text(f"Rung {rung} of")).to_be_visible()
    expect(page.get_by_text("It runs at every change")).to_be_visible()


def test_cw_runs_shows_its_progress_and_stops(page):
    choose(page, "Attack", "Carlini-Wagner l2")
    choose(page, "solver", "reference")  # which is slow enough to be stopped
    page.get_by_role("button", name="Run Carlini-Wagner l2").click()
    expect(page.get_by_text("s left at most")).to_be_visible()
    page.get_by_test_id("stMain").get_by_role("button", name="Stop").click()  # Streamlit's header has one too
    expect(page.get_by_text("Stopped: this is the best example it had.")).to_be_visible()
    expect(verdict(page, "keyed")).to_be_visible()


def test_cw_ends_by_itself_fools_the_classifier_it_is_crafted_on_and_is_replayed(page):
    choose(page, "Attack", "Carlini-Wagner l2")
    page.get_by_role("button", name="Run Carlini-Wagner l2").click()
    expect(page.get_by_text("Finished.")).to_be_visible()
    expect(verdict(page, "classical")).to_contain_text("is now read as")
    slider = page.get_by_role("slider", name="Replay")
    slider.focus()
    slider.press("Home")
    expect(page.get_by_text("Replay: step 1 of")).to_be_visible()
    expect(page.get_by_text("not the result").first).to_be_visible()
    expect(verdict(page, "classical")).to_have_count(0)
    slider.press("End")
    expect(verdict(page, "classical")).to_contain_text("is now read as")


def test_a_shared_link_shows_the_same_in_another_session(page, visit):
    page.get_by_text("Table 2").click()
    climb(page, "White box: the key has leaked")
    expect(page).to_have_url(re.compile("network=table2.*dial=key"))
    expect(verdict(page, "keyed")).to_contain_text("Crafted on the keyed classifier")
    other = visit(page.url.split("/")[-1])
    expect(other.get_by_text("The attacker has the key as well").first).to_be_visible()
    for kind in ("classical", "keyed"):
        expect(verdict(other, kind)).to_have_text(verdict(page, kind).inner_text())


def test_two_sessions_do_not_disturb_each_other(page, visit):
    expect(verdict(page, "classical")).to_be_visible()
    other = visit()
    other.get_by_text("Fashion-MNIST").click()
    expect(verdict(other, "classical")).to_contain_text("Sneaker")
    slider = page.get_by_role("slider", name="epsilon")
    slider.focus()
    slider.press("Home")
    expect(verdict(page, "classical")).to_contain_text("still read as 7")
    expect(verdict(other, "classical")).to_contain_text("Sneaker")


def test_a_good_upload_is_read_and_a_bad_one_is_a_sentence(visit):
    page = visit("?image=upload")
    chooser = page.locator("input[type=file]")
    chooser.set_input_files({"name": "bad.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n nonsense"})
    expect(page.get_by_role("alert").filter(has_text="bad.png")).to_be_visible()
    expect(page.get_by_text("Traceback")).to_have_count(0)
    good = {"name": "seven.png", "mimeType": "image/png", "buffer": png(digit(0))}
    chooser.set_input_files(good)
    expect_read_as(page, "7")
    expect(page.get_by_text("Dark and light were swapped.")).to_be_visible()
    expect(verdict(page, "keyed")).to_be_visible()


def test_a_pixel_is_followed_through_p_by_the_keyboard_and_by_the_button(page):
    pixel = page.get_by_role("img", name=re.compile(r"^pixel in row \d+, column \d+ goes to row")).first
    pixel.focus()
    expect(page.locator("line.shown")).to_have_count(1)
    page.get_by_role("button", name="Send the pixels through P").click()
    expect(page.get_by_role("button", name="Bring them back")).to_have_attribute("aria-pressed", "true")
    assert "translate" in pixel.get_attribute("style")
    page.get_by_text("a wrong key").click()
    expect(page.get_by_text("Behind a wrong key, the network")).to_be_visible()


def test_a_hostile_address_is_a_sentence_and_never_a_traceback(visit):
    page = visit("?epsilon=nan&sample=99999&dial=%3Cscript%3Ealert(1)%3C/script%3E&drawing=" + "A" * 6000)
    expect(page.get_by_text("was refused")).to_have_count(3)
    expect(verdict(page, "keyed")).to_be_visible()


def test_how_it_works_draws_its_curves(visit):
    page = visit("how_it_works")
    expect(page.locator(".js-plotly-plot .scatterlayer .trace")).to_have_count(6)
    expect(page.get_by_text("6413 bits")).to_be_visible()


def test_the_example_its_figure_and_its_program_are_downloaded(page):
    expected = {"PNG": b"\x89PNG", "Array": b"\x93NUMPY", "Figure": b"<svg", "Experiment": b'"""FGSM, crafted on'}
    for name, begin in expected.items():
        with page.expect_download() as download:
            page.get_by_role("button", name=name, exact=False).click()
        assert Path(download.value.path()).read_bytes().startswith(begin)


def test_a_picture_in_the_clipboard_is_pasted_by_the_keyboard_and_by_the_button(visit):
    page = visit("?image=upload")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = page.get_by_role("button", name="Paste a picture")
    page.evaluate("navigator.clipboard.writeText('no picture')")
    button.click()
    expect(page.get_by_text("There is no picture in the clipboard.")).to_be_visible()
    for number, paste in ((0, button.click), (2, lambda: page.keyboard.press("ControlOrMeta+v"))):  # a 7, a 1
        page.evaluate(
            """async (bytes) => navigator.clipboard.write(
                [new ClipboardItem({'image/png': new Blob([new Uint8Array(bytes)], {type: 'image/png'})})])""",
            list(png(digit(number))),
        )
        page.get_by_role("button", name="One rung down").focus()  # no place for text
        paste()
        expect_read_as(page, str(int(data.load("mnist")[1][number])))


def test_back_and_forward_show_what_the_address_says_and_lead_out_again(page):
    slider = page.get_by_role("slider", name="epsilon")
    slider.focus()
    for key, epsilon in (("Home", "0.0"), ("End", "1.0")):
        slider.press(key)
        expect(page).to_have_url(re.compile(f"epsilon={epsilon}(&|$)"))
    page.go_back()
    expect(slider).to_have_value("0")
    expect(verdict(page, "classical")).to_contain_text("still read as 7")
    expect(page).to_have_url(re.compile("epsilon=0.0(&|$)"))
    page.go_forward()
    expect(slider).to_have_value("1")
    page.get_by_role("link", name="Defences").click()
    expect(page.get_by_role("heading", name="Defences", level=1)).to_be_visible()
    page.get_by_role("link", name="Play").click()
    expect(slider).to_have_value("1")
    expect(page).to_have_url(re.compile("epsilon=1.0(&|$)"))
    page.go_back()  # to Play's bare address, which says nothing
    page.go_back()
    expect(page.get_by_role("heading", name="Defences", level=1)).to_be_visible()


def test_back_takes_a_stroke_away_and_the_class_stays_what_is_read(visit):
    page = visit("?image=drawing")
    draw(page, "1")
    expect_read_as(page, "1")
    first = page.url
    draw(page, "7")
    expect(page).not_to_have_url(first)
    page.go_back()
    expect(page).to_have_url(first)
    expect_read_as(page, "1")
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_have_count(1)  # the canvas that was left is gone
    undo.click()
    expect(page.get_by_text("There is no image yet")).to_be_visible()


def test_a_reload_in_mid_attack_finds_it_still_running(visit):
    page = visit("?attack=cw_l2&solver=reference&max_iterations=3000")
    page.get_by_role("button", name="Run Carlini-Wagner l2").click()
    expect(page.get_by_text("s left at most")).to_be_visible()
    page.reload()
    expect(page.get_by_text("s left at most")).to_be_visible()
    page.get_by_test_id("stMain").get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped: this is the best example it had")).to_be_visible()
