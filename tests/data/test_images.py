import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from kerckhoffs import data, zoo
from kerckhoffs.checks import FileRefused
from kerckhoffs.data import images
from tests import digits

DRAWING = digits.draw(3, np.random.default_rng(3))
every_set = pytest.mark.parametrize("dataset", list(data.DATASETS))


def picture(image: torch.Tensor) -> Image.Image:
    """A sample of a data set as the picture that it was."""
    return Image.fromarray((image[0] * 255).round().to(torch.uint8).numpy())


def encoded(image: Image.Image, form: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *extra: bytes, pixels: bytes = b"") -> bytes:
    """A PNG of 8 bit greys with any header, and with more chunks before its pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def centre(image: torch.Tensor) -> tuple[float, float]:
    mass = image[0, 0] / image.sum()
    return float(mass.sum(1) @ torch.arange(28.0)), float(mass.sum(0) @ torch.arange(28.0))


def box(image: torch.Tensor) -> tuple[int, int, int, int]:
    """Top, left, height and width of what is not nearly black."""
    ink = image[0, 0] > 0.1
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    return int(rows[0]), int(columns[0]), int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


GOOD = {
    "PNG": encoded(DRAWING.resize((60, 60))),
    "JPEG": encoded(DRAWING.resize((60, 60)), "JPEG"),
    "WebP": encoded(DRAWING.resize((60, 60)), "WEBP"),
    "BMP": encoded(DRAWING.resize((60, 60)), "BMP"),
    "GIF": encoded(DRAWING.resize((60, 60)), "GIF"),
}
every_format = pytest.mark.parametrize("form", GOOD)


def test_every_format_is_read():
    assert set(GOOD) == set(images.FORMATS)


# --- What MNIST's authors did


def test_mnist_comes_through_its_own_preparation_within_a_grey_level():
    for image in data.load("mnist")[0][:300]:
        assert (images.to_model_input(picture(image))[0] - image).abs().max() <= 1.01 / 255


@every_set
@pytest.mark.parametrize("light", [False, True])
def test_a_sample_comes_through_whole_bit_by_bit(dataset, light):
    for image in data.load(dataset)[0][:300]:
        sample = picture(image)
        if light:
            sample = sample.point(lambda grey: 255 - grey)
        prepared = images.prepare(sample, style="whole")
        assert torch.equal(prepared.images, image[None])
        assert prepared.inverted is light


@pytest.mark.parametrize("model_id", ["mnist-table1-classical", "mnist-table2-classical"])
def test_drawings_are_read_right(model_id):
    generator = np.random.default_rng(0)
    labels = torch.arange(10).repeat_interleave(5)
    drawn = torch.cat([images.to_model_input(digits.draw(int(digit), generator)) for digit in labels])
    assert (zoo.load(model_id)(drawn).argmax(1) == labels).float().mean() >= 0.9


@given(st.integers(0, 9), st.integers(0, 2**32 - 1), st.integers(20, 600))
def test_a_drawing_fills_20_pixels_and_its_mass_is_in_the_middle_or_it_touches_an_edge(digit, seed, side):
    image = images.to_model_input(digits.draw(digit, np.random.default_rng(seed), side))
    assert image.dtype == torch.float32
    assert image.shape == (1, 1, 28, 28)
    assert (float(image.min()), float(image.max())) == (0, 1)
    assert 19 <= max(box(image)[2:]) <= 20
    top, left, height, width = box(image)
    for middle, start, length in zip(centre(image), (top, left), (height, width), strict=True):
        assert abs(middle - 14) < 0.51 or start == 0 or start + length == 28


def test_where_and_how_large_it_was_drawn_does_not_matter():
    small = Image.new("L", (700, 400))
    small.paste(DRAWING, (400, 100))
    assert torch.equal(images.to_model_input(small), images.to_model_input(DRAWING))
    large = DRAWING.resize((1120, 1120), Image.Resampling.NEAREST)
    assert (images.to_model_input(large) - images.to_model_input(DRAWING)).abs().max() < 0.15


def test_the_aspect_is_kept():
    bar = Image.new("L", (300, 300))
    bar.paste(255, (50, 100, 250, 150))  # 200 wide, 50 high
    assert box(images.to_model_input(bar))[2:] == (5, 20)


def test_strokes_become_greys_and_the_strongest_white():
    thin = Image.new("L", (280, 280))
    thin.paste(120, (100, 40, 108, 240))
    thin.paste(120, (60, 140, 150, 148))
    image = images.to_model_input(thin)
    assert image.max() == 1
    assert ((image > 0.1) & (image < 0.9)).any()


def test_a_heavy_corner_does_not_push_the_drawing_out():
    corner = Image.new("L", (200, 200))
    corner.paste(255, (10, 10, 190, 14))
    corner.paste(255, (150, 10, 190, 190))
    assert box(images.to_model_input(corner))[2:] == (20, 20)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "1"])
@pytest.mark.parametrize("shade", [0, 40, 255])
@pytest.mark.parametrize("size", [(1, 1), (280, 280), (3, 900)])
def test_an_empty_drawing_is_a_sentence(mode, shade, size):
    with pytest.raises(ValueError, match="there is nothing to read: the picture is empty, or all of about one shade"):
        images.to_model_input(Image.new("L", size, shade).convert(mode, dither=Image.Dither.NONE))


# --- Colours, backgrounds, transparency


def strokes_on_nothing(shade: int) -> Image.Image:
    """The drawing as a canvas with a transparent background holds it."""
    canvas = Image.new("RGBA", DRAWING.size, (shade, shade, shade, 0))
    canvas.putalpha(DRAWING)
    return canvas


@pytest.mark.parametrize("shade", [0, 255])
def test_strokes_of_any_shade_on_a_transparent_canvas(shade):
    prepared = images.prepare(strokes_on_nothing(shade))
    assert (prepared.images - images.to_model_input(DRAWING)).abs().max() < 0.02
    assert prepared.inverted is (shade == 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"])
def test_every_mode_shows_the_same_drawing(mode):
    converted = DRAWING.convert("I").point(lambda grey: grey * 257).convert(mode) if mode == "I;16" else DRAWING
    image = images.to_model_input(converted if mode == "I;16" else DRAWING.convert(mode))
    assert (image - images.to_model_input(DRAWING)).abs().max() < (0.5 if mode == "1" else 0.03)


@pytest.mark.parametrize("scale", [1 / 255, 1, 257])
def test_numbers_of_three_ranges(scale):
    numbers = Image.fromarray(np.asarray(DRAWING, np.float32) * scale)
    assert (images.to_model_input(numbers) - images.to_model_input(DRAWING)).abs().max() < 0.01


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e9])
def test_numbers_outside_are_refused(value):
    with pytest.raises(ValueError, match="must lie in"):
        images.to_model_input(Image.new("F", (28, 28), value))


def test_a_light_background_is_inverted_and_can_be_overruled():
    paper = DRAWING.point(lambda grey: 255 - grey)
    assert images.prepare(paper).inverted
    assert torch.equal(images.to_model_input(paper), images.to_model_input(DRAWING))
    assert not images.prepare(paper, invert=False).inverted
    assert not torch.equal(images.to_model_input(paper, invert=False), images.to_model_input(DRAWING))
    assert torch.equal(images.to_model_input(DRAWING, invert=False), images.to_model_input(DRAWING))


def test_a_photo_of_ink_on_grey_noisy_paper_in_uneven_light():
    generator = np.random.default_rng(5)
    light = np.linspace(190, 225, 280)[None] + generator.normal(0, 3, (280, 280))
    photo = np.asarray(DRAWING) / 255 * (40 - light) + light
    image = images.to_model_input(Image.fromarray(photo.clip(0, 255).astype(np.uint8)))
    assert (image - images.to_model_input(DRAWING)).abs().mean() < 0.03
    assert zoo.load("mnist-table2-classical")(image).argmax() == 3


def test_the_whole_picture_keeps_its_aspect_on_its_background():
    coat = Image.new("L", (100, 200), 10)
    coat.paste(200, (30, 60, 70, 140))
    image = images.to_model_input(coat, style="whole") * 255
    assert image[0, 0, 14, 14] == 200
    assert image[0, 0, 14, 0] == 10
    assert image[0, 0, :, 14].gt(100).sum() == pytest.approx(28 * 80 / 200, abs=1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_photo_is_turned_upright_once(orientation, form):
    turned = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the inverse of each, as a number of Image.Transpose
    stored = DRAWING.transpose(turned[orientation]) if orientation > 1 else DRAWING
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = encoded(stored, form, exif=exif, **({} if form == "PNG" else {"quality": 95}))
    expected = images.to_model_input(DRAWING)
    read = images.read(file, "photo")
    assert (images.to_model_input(read) - expected).abs().mean() < 0.01
    assert (images.to_model_input(Image.open(io.BytesIO(file))) - expected).abs().mean() < 0.01


def test_the_callers_picture_stays_as_it_was():
    before = strokes_on_nothing(0)
    before.info["note"] = "mine"
    after = before.copy()
    images.to_model_input(after)
    assert after.tobytes() == before.tobytes()
    assert (after.mode, after.info) == (before.mode, before.info)


@pytest.mark.parametrize("wrong", [None, "a.png", b"", np.zeros((28, 28))])
def test_what_is_no_picture_is_refused_with_its_type(wrong):
    with pytest.raises(ValueError, match=f"picture must be a PIL.Image.Image, but is a {type(wrong).__name__}"):
        images.to_model_input(wrong)


def test_an_unknown_style_is_refused():
    with pytest.raises(ValueError, match="unknown style 'round'; choose one of: digit, whole"):
        images.to_model_input(DRAWING, style="round")


def test_a_lazy_picture_that_cannot_be_decoded_is_a_sentence():
    with pytest.raises(FileRefused, match="the picture is damaged"):
        images.to_model_input(Image.open(io.BytesIO(GOOD["JPEG"][:-200])))


# --- Files


@every_format
def test_a_good_file_is_read_whatever_its_name(form):
    read = images.read(GOOD[form], "x.exe")
    assert read.size == (60, 60)
    assert (images.to_model_input(read) - images.to_model_input(DRAWING)).abs().mean() < 0.05
    assert images.declared(GOOD[form], "x.exe") == (60, 60)


def test_the_first_frame_of_an_animation_is_read():
    frames = [DRAWING, Image.new("L", DRAWING.size, 255)]
    expected = images.to_model_input(DRAWING)
    for form, options in (("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True})):
        file = encoded(
            frames[0].convert("RGB"), form, save_all=True, append_images=[frames[1].convert("RGB")], **options
        )
        assert torch.equal(images.to_model_input(images.read(file, "x")), expected), form


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (DRAWING.convert("P"), {"transparency": 0}),
        (DRAWING.convert("1"), {"transparency": 0}),
        (DRAWING, {"transparency": 0}),
        (DRAWING.convert("RGB"), {"transparency": (0, 0, 0)}),
        (DRAWING.convert("LA"), {}),
        (DRAWING.convert("I").point(lambda grey: grey * 257).convert("I;16"), {}),
    ],
    ids=["palette", "two shades", "greys", "colours", "alpha", "16 bits"],
)
def test_transparent_and_deep_pngs_show_the_drawing(image, options):
    read = images.read(encoded(image, **options), "x.png")
    assert (images.to_model_input(read) - images.to_model_input(DRAWING)).abs().mean() < 0.05


def test_cmyk_is_read():
    read = images.read(encoded(DRAWING.convert("RGB").convert("CMYK"), "JPEG", quality=95), "x.jpg")
    assert (images.to_model_input(read) - images.to_model_input(DRAWING)).abs().mean() < 0.02


@pytest.mark.parametrize(
    ("form", "mode", "side"),
    [("PNG", "L", 4001), ("WEBP", "L", 2001), ("BMP", "1", 4001), ("GIF", "L", 4001)],
)
def test_a_large_picture_comes_out_small_and_a_larger_one_is_refused(form, mode, side):
    assert images.read(encoded(Image.new(mode, (3000, 1300)), form), "x").size == (1500, 650)
    with pytest.raises(FileRefused, match=rf"^x declares {side} x {side} pixels; a \w+ may have (16|4) million$"):
        images.read(encoded(Image.new(mode, (side, side)), form), "x")


def test_a_large_photo_comes_out_small_and_one_that_no_phone_takes_is_refused():
    photo = encoded(Image.new("L", (3000, 1300)), "JPEG")
    assert images.read(photo, "x").size == (1500, 650)
    size = photo.index(b"\xff\xc0") + 5
    photo = photo[:size] + (15_000).to_bytes(2, "big") * 2 + photo[size + 4 :]
    with pytest.raises(FileRefused, match="^x declares 15000 x 15000 pixels; a JPEG may have 210 million$"):
        images.read(photo, "x")


def test_a_small_file_that_declares_196_megapixels_is_refused_by_its_header(monkeypatch):
    bomb = png(14_000, 14_000, pixels=bytes(1000))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FileRefused, match="^bomb.png declares 14000 x 14000 pixels; a PNG may have 16 million$"):
            images.read(bomb, "bomb.png")


def test_texts_in_a_png_are_not_unpacked():
    text = chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(1_000_000)))
    read = images.read(png(30, 20, *[text] * 100, pixels=bytes(31 * 20)), "x.png")
    assert read.size == (30, 20)


def test_a_jpeg_of_scans_or_segments_is_refused():
    jpeg = GOOD["JPEG"]
    many = {
        "segments": jpeg[:2] + b"\xff\xfe\0\2" * 5000 + jpeg[2:],
        "scans": jpeg[:-2] + b"\xff\xda\0\2" * 5000 + jpeg[-2:],
    }
    for file in many.values():
        with pytest.raises(FileRefused, match="damaged or cut short and cannot be read as JPEG"):
            images.read(file, "x.jpg")


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"", "x is empty"),
        (b"hello", "x is no picture of a kind that is read here: PNG, JPEG, WebP, BMP, GIF"),
        (encoded(DRAWING, "TIFF"), "x is no picture of a kind that is read here: PNG, JPEG, WebP, BMP, GIF"),
        (GOOD["PNG"][:100], "x is damaged or cut short and cannot be read as PNG"),
        (GOOD["PNG"] + bytes(10_000_000), "x has 10.0 MB; a PNG may have 10"),
        (GOOD["GIF"] + bytes(2_000_000), "x has 2.0 MB; a GIF may have 2"),
        (png(0, 5), "x is damaged or cut short and cannot be read as PNG"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(file, reason):
    with pytest.raises(FileRefused) as caught:
        images.read(file, "x")
    assert str(caught.value) == reason


def test_a_name_is_shown_short_and_without_control_characters():
    assert images.shown("a\r\n\x1b[31m\u202eb.png\0") == "a[31mb.png"
    assert images.shown("\n\0") == "the file"
    long = images.shown("x" * 500 + ".png")
    assert len(long) == 60
    assert long.endswith(".png")


def one_sentence_or_a_picture(file: bytes) -> Image.Image | None:
    """Read a file that may be anything; a failure must be FileRefused, and one short sentence."""
    try:
        read = images.read(file, "x")
    except FileRefused as error:
        sentence = str(error)
        read = None
    if read is None:
        assert sentence.isprintable()
        assert len(sentence) < 120
        return None
    assert read.mode in ("L", "RGB", "RGBA")
    assert max(read.size) <= images.LARGEST_SIDE
    assert images.prepare(read, style="whole").images.shape == (1, 1, 28, 28)
    return read


@given(st.sampled_from(["", *GOOD]), st.binary(max_size=400))
def test_random_bytes_after_any_beginning(form, tail):
    one_sentence_or_a_picture(GOOD.get(form, b"")[:30] + tail)


@every_format
def test_a_file_that_ends_anywhere(form):
    good = images.read(GOOD[form], "x").tobytes()
    for end in range(0, len(GOOD[form]), max(1, len(GOOD[form]) // 300)):
        read = one_sentence_or_a_picture(GOOD[form][:end])
        assert read is None or read.tobytes() == good or form == "GIF"


@given(st.sampled_from(list(GOOD)), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1))
def test_a_file_that_was_changed_anywhere(form, changes):
    file = bytearray(GOOD[form])
    for place, value in changes:
        file[place % len(file)] = value
    one_sentence_or_a_picture(bytes(file))


def test_nothing_global_changes():
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)
    for file in (*GOOD.values(), GOOD["JPEG"][:-100], png(14_000, 14_000)):
        one_sentence_or_a_picture(file)
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)) == before
