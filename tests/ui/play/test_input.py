"""The image of the Play page: drawn, uploaded, and what it is meant to be."""

import base64
import io
import random
import zlib
from contextlib import suppress

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

from kerckhoffs import data
from kerckhoffs.data import images
from kerckhoffs.ui.parts import pixels, strokes
from tests.pages import address, opened, switch, verdicts, words

SHAPE = (1, 28, 28)
SEVEN = strokes.encode([[(70 + 4 * i, 56) for i in range(28)], [(178 - 3 * i, 56 + 6 * i) for i in range(26)]])


pytestmark = pytest.mark.usefixtures("fresh_caches")


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def digit(index=0):
    """A bundled digit as a picture of 280 x 280, dark ink on white paper."""
    images, _ = data.load("mnist", indices=[index])
    grey = ((1 - images[0, 0]) * 255).round().to(torch.uint8).numpy()
    return Image.fromarray(grey).resize((280, 280), Image.Resampling.BICUBIC)


def uploaded(content, name="digit.png"):
    app = opened(image="upload")
    app.file_uploader(key="file_1").set_value((name, content, "image/png")).run()
    assert not app.exception
    return app


points = some.tuples(some.integers(0, 255), some.integers(0, 255))


@given(some.lists(some.lists(points, min_size=1, max_size=40), max_size=20))
def test_a_drawing_comes_back_from_its_encoding(drawing):
    assert strokes.decode(strokes.encode(drawing)) == drawing


@given(some.text(max_size=200))
def test_no_text_makes_the_reader_of_drawings_raise_anything_but_a_value_error(text):
    with suppress(ValueError):
        strokes.decode(text)


def test_a_drawing_of_too_many_points_is_refused():
    with pytest.raises(ValueError, match=f"at most {strokes.MAX_POINTS} points"):
        strokes.decode(strokes.encode([[(1, 1)] * 200] * 7))
    with pytest.raises(ValueError, match="characters long"):
        strokes.decode("A" * 100_000)


def test_a_stroke_that_is_cut_off_is_refused():
    with pytest.raises(ValueError, match="cut off"):
        strokes.decode(SEVEN[:40])


def test_a_drawing_is_white_ink_on_black_where_the_strokes_are():
    picture = strokes.picture([[(128, 40), (128, 200)], [(40, 128)]])
    assert picture.getpixel((128, 120)) == 255
    assert picture.getpixel((40, 128)) == 255, "a single point is a dot"
    assert picture.getpixel((220, 220)) == 0
    assert picture.getpixel((128, 20)) == 0


def test_pixels_come_back_from_their_encoding_in_256_greys():
    image, _ = data.load("mnist", indices=[3])
    assert torch.equal(pixels.decode(pixels.encode(image), SHAPE), image)
    noise = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert (pixels.decode(pixels.encode(noise), SHAPE) - noise).abs().max() <= 0.5 / 255 + 1e-6
    assert len(pixels.encode(noise)) < 1200


@pytest.mark.parametrize(
    "text", ["", "A", "AAAA", "%%%", "é", "x" * 3000, pixels.encode(torch.rand(1, 1, 28, 28))[:400]]
)
def test_pixels_that_are_no_picture_are_refused(text):
    with pytest.raises(ValueError, match="the picture is not"):
        pixels.decode(text, SHAPE)


def test_a_bomb_is_never_unpacked():
    bomb = base64.urlsafe_b64encode(zlib.compress(bytes(10_000_000), 9)).decode()
    with pytest.raises(ValueError, match="28 x 28"):
        pixels.decode(bomb, SHAPE)


def test_before_anything_is_drawn_the_page_invites_to_draw():
    app = opened(image="drawing")
    assert "There is no image yet" in words(app.info)
    assert "at the end of each stroke" in words(app.caption)
    assert not verdicts(app)


def test_a_drawing_is_read_and_counts_as_what_the_classical_classifier_reads():
    app = opened(image="drawing", drawing=SEVEN)
    assert len(verdicts(app)) == 2
    assert "the classical classifier reads **7** (" in words(app.caption)
    assert address(app)["drawing"] == SEVEN
    assert "meant" not in address(app), "nobody said so"


def test_a_drawing_can_be_meant_to_be_something_else_and_is_then_wrong_before_the_attack():
    app = opened(image="drawing", drawing=SEVEN)
    app.selectbox(key="meant_mnist").set_value("4").run()
    assert not app.exception
    assert address(app)["meant"] == "4"
    assert any("Was wrong before" in each and "7 for 4" in each for each in verdicts(app))


def test_a_drawing_survives_a_visit_to_another_page_and_to_the_samples():
    app = opened(image="drawing", drawing=SEVEN)
    switch(app, "defences").run()
    switch(app, "play").run()
    assert address(app)["drawing"] == SEVEN
    app.segmented_control(key="source").set_value("sample").run()
    app.segmented_control(key="source").set_value("drawing").run()
    assert not app.exception
    assert address(app)["drawing"] == SEVEN


def test_an_upload_is_turned_over_read_and_shared_as_28_x_28_pixels():
    app = uploaded(png(digit()))
    assert "Dark and light were swapped" in words(app.caption)
    assert "the classical classifier reads **7** (" in words(app.caption)
    again = opened(image="upload", upload=address(app)["upload"])
    assert len(verdicts(again)) == 2


def test_swapping_dark_and_light_can_be_overridden():
    app = uploaded(png(digit()))
    before = address(app)["upload"]
    app.segmented_control(key="invert").set_value("keep").run()
    assert not app.exception
    assert "as in the file" in words(app.caption)
    assert address(app)["upload"] != before


def test_an_upload_is_decoded_once_and_the_next_one_again(monkeypatch):
    decoded, read = [], images.read
    monkeypatch.setattr(images, "read", lambda data, name: decoded.append(name) or read(data, name))
    app = uploaded(png(digit()), "first.png")
    first = address(app)["upload"]
    app.slider(key="fgsm_epsilon").set_value(0.2).run()
    assert decoded == ["first.png"]
    app.file_uploader(key="file_1").set_value(("second.png", png(digit(1)), "image/png")).run()
    assert decoded == ["first.png", "second.png"]
    assert address(app)["upload"] != first


@pytest.mark.parametrize("content", [b"", b"not a picture", random.Random(0).randbytes(3000), png(digit())[:200]])
def test_a_file_that_is_no_picture_is_one_sentence_and_no_traceback(content):
    app = uploaded(content)
    assert len(app.error) == 1
    assert "\n" not in app.error[0].value


def test_a_refused_upload_leaves_nothing_of_the_picture_before_it():
    app = uploaded(png(digit()))
    assert len(verdicts(app)) == 2
    app.file_uploader(key="file_1").set_value(("broken.png", b"not a picture", "image/png")).run()
    assert len(app.error) == 1
    assert "cannot be read" in app.error[0].value or "picture" in app.error[0].value
    assert not any("evaluated on" in each for each in verdicts(app))
    assert "upload" not in {name for name in address(app) if name != "image"}


def test_without_an_image_the_address_keeps_all_that_was_chosen():
    chosen = dict(set="fashion-mnist", network="table2", dial="key", attack="pgd", epsilon="0.2", control="true")
    app = opened(image="drawing", **chosen)
    assert "There is no image yet" in words(app.info)
    assert chosen.items() <= address(app).items()
    assert address(app)["image"] == "drawing"


def test_an_empty_picture_is_one_sentence():
    app = uploaded(png(Image.new("L", (50, 50), 255)))
    assert len(app.error) == 1
    assert "nothing to read" in app.error[0].value
