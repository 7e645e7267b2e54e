"""Pictures that people have: photos in any light, pages with transparent margins, several digits."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmarks import photos
from kerckhoffs import data
from kerckhoffs.checks import FileRefused
from kerckhoffs.data import background, files, images
from tests import ROOT, digits

MNIST = data.load("mnist", indices=range(40))[0]


@pytest.mark.parametrize("condition", [*photos.CONDITIONS, *photos.MARGINS])
def test_nine_in_ten_are_read_right_in_any_light(condition):
    assert photos.measured(condition, 20)[0] >= 18


def sheet(ink: np.ndarray) -> Image.Image:
    return Image.fromarray(photos.page(ink).astype(np.uint8))


@pytest.mark.parametrize("dark", [False, True], ids=["light ink", "dark ink"])
@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_page_in_a_transparent_margin_is_read_as_the_page(dark, shade):
    for digit in MNIST[:5]:
        ink = photos.enlarged(digit[0].numpy())
        opaque = Image.fromarray(photos.page(ink if dark else 1 - ink).astype(np.uint8))
        around = Image.new("RGBA", (300, 280), (shade, shade, shade, 0))
        around.paste(opaque.convert("RGBA"), (30, 10))
        prepared = images.prepare(around)
        assert prepared.inverted is dark
        assert (prepared.images - images.to_model_input(opaque)).abs().mean() < 0.03


@pytest.mark.parametrize("alpha", [0, 1, 128, 255])
def test_an_alpha_that_is_the_same_everywhere_shows_nothing(alpha):
    picture = sheet(photos.enlarged(MNIST[0, 0].numpy()))
    with_alpha = picture.convert("RGBA")
    with_alpha.putalpha(alpha)
    assert torch.equal(images.to_model_input(with_alpha), images.to_model_input(picture))


@pytest.mark.parametrize("edge", ["left", "top"])
def test_a_drawing_that_reaches_an_edge_is_read_as_it_was(edge):
    drawing = digits.draw(4, np.random.default_rng(1))
    left, top, *_ = drawing.getbbox()
    cut = drawing.crop((left, 0, 280, 280) if edge == "left" else (0, top, 280, 280))
    assert (images.to_model_input(cut) - images.to_model_input(drawing)).abs().max() < 0.05


# --- Several digits


def row(*shapes: Image.Image, gap: int) -> Image.Image:
    shapes = tuple(shape.crop(shape.getbbox()) for shape in shapes)
    width, height = sum(shape.width + gap for shape in shapes), max(shape.height for shape in shapes)
    canvas = Image.new("L", (width + 80, height + 80))
    left = 40
    for shape in shapes:
        canvas.paste(shape, (left, 40))
        left += shape.width + gap
    return canvas


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("inverted", [False, True])
def test_several_digits_are_counted_and_refused(count, inverted):
    generator = np.random.default_rng(count)
    for _ in range(5):
        drawn = [digits.draw(int(digit), generator) for digit in generator.integers(0, 10, count)]
        several = row(*drawn, gap=30).point(lambda grey: 255 - grey if inverted else grey)
        with pytest.raises(FileRefused, match=f"^one digit, please: {count} were seen side by side$"):
            images.to_model_input(several)
        assert images.to_model_input(several, style="whole").shape == (1, 1, 28, 28)


def test_no_digit_of_mnist_and_no_drawing_counts_as_two():
    pictures = [digit[0] * 255 for digit in data.load("mnist")[0]]
    refused = [number for number, each in enumerate(pictures) if background.side_by_side(each.numpy() >= 25.5) > 1]
    assert refused == []
    generator = np.random.default_rng(0)
    for number in range(50):
        images.to_model_input(digits.draw(number % 10, generator))


def test_broken_strokes_are_one_digit():
    five = Image.new("L", (200, 200))
    five.paste(255, (60, 100, 75, 160))
    five.paste(255, (60, 160, 110, 175))
    five.paste(255, (118, 40, 170, 55))  # its bar, off to the right
    eight = Image.new("L", (200, 200))
    eight.paste(255, (70, 30, 130, 85))
    eight.paste(255, (70, 95, 130, 160))
    dotted = digits.draw(1, np.random.default_rng(0))
    dotted.paste(255, (250, 250, 256, 256))
    for picture in (five, eight, dotted):
        assert images.to_model_input(picture).max() == 1


# --- Large photos, small bombs


def encoded(picture: Image.Image, form: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


MEASURE = """
import re, sys
from kerckhoffs.data import images
def peak():  # of this program alone: ru_maxrss counts the one that started it
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
content = open(sys.argv[1], "rb").read()
before = peak()
try:
    read = images.read(content, "x")
    print(*read.size)
    images.to_model_input(read, style="whole")
except ValueError as error:
    print(error)
print((peak() - before) // 1024)
"""


def measured(content: bytes, folder) -> tuple[str, int]:
    """What becomes of a file in a process of its own, and the MiB that this takes."""
    if not Path("/proc/self/status").exists():
        pytest.skip("memory is measured on Linux alone")
    path = folder / "file"
    path.write_bytes(content)
    ran = subprocess.run([sys.executable, "-c", MEASURE, path], cwd=ROOT, capture_output=True, text=True, check=True)
    said, mebibytes = ran.stdout.splitlines()
    return said, int(mebibytes)


@pytest.mark.parametrize(("width", "height"), [(5712, 4284), (8160, 6144)])
def test_the_photo_of_a_phone_is_read_in_little_memory(width, height, tmp_path):
    said, mebibytes = measured(encoded(Image.new("RGB", (width, height), (200, 190, 180)), "JPEG"), tmp_path)
    assert max(map(int, said.split())) <= 2048
    assert mebibytes < 100


def skips(width: int, height: int) -> bytes:
    """A BMP of a few bytes whose runs skip over all its pixels."""
    header = b"BM" + bytes(8) + (58).to_bytes(4, "little") + (40).to_bytes(4, "little")
    header += width.to_bytes(4, "little") + height.to_bytes(4, "little") + b"\1\0\x08\0\1\0\0\0" + bytes(8)
    header += (0).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes(4)
    return header + bytes(8) + b"\0\2\0\xff" * (height // 255 + 1) + b"\0\1"


@pytest.mark.parametrize("form", ["BMP", "GIF", "PNG", "JPEG", "WEBP"])
def test_a_small_file_cannot_cost_much(form, tmp_path):
    empty = Image.new("P" if form == "GIF" else "L", (2000, 2000) if form == "WEBP" else (4000, 4000))
    content = (
        skips(4000, 4000) if form == "BMP" else encoded(empty, form, **({"lossless": True} if form == "WEBP" else {}))
    )
    said, mebibytes = measured(content, tmp_path)
    assert mebibytes < (100 if said[0].isdigit() else 10)
    if form == "BMP":
        assert "which no picture does" in said


def test_a_progressive_jpeg_that_would_be_kept_whole_is_refused_before_it_is_decoded():
    small = encoded(Image.new("RGB", (64, 64)), "JPEG", progressive=True)
    frame = small.index(b"\xff\xc2")
    assert images.read(small, "x").size == (64, 64)
    large = small[: frame + 5] + (12_000).to_bytes(2, "big") * 2 + small[frame + 9 :] + bytes(20_000)
    with pytest.raises(FileRefused, match="the JPEG is progressive and too large"):
        images.read(large, "x")


@given(
    st.sampled_from(["L", "RGB", "RGBA", "LA", "P", "1", "I", "F", "CMYK"]),
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(0, 2**32 - 1),
    st.sampled_from(list(images.STYLES)),
    st.sampled_from([(1, 28, 28), (3, 8, 8), (1, 5, 9), (3, 32, 20)]),
    st.sampled_from([None, False, True]),
)
def test_any_picture_is_prepared_or_refused(mode, width, height, seed, style, shape, invert):
    generator = np.random.default_rng(seed)
    levels = generator.integers(0, 256, (height, width, 4)) * (
        generator.random((height, width, 4)) < generator.random()
    )
    picture = Image.fromarray(levels.astype(np.uint8)).convert("RGBA")
    picture = picture if mode == "RGBA" else picture.convert(mode)
    sentence, image = "", torch.zeros(1, *shape)
    try:
        image = images.to_model_input(picture, invert=invert, style=style, shape=shape)
    except ValueError as error:
        sentence = str(error)
    if sentence:
        assert sentence.isprintable()
    else:
        assert image.shape == (1, *shape)
        assert bool(torch.isfinite(image).all())
        assert 0 <= float(image.min()) <= float(image.max()) <= 1


@pytest.mark.parametrize("shape", [(28, 28), (2, 28, 28), (1, 0, 28), ()])
def test_a_shape_that_no_image_has_is_refused(shape):
    with pytest.raises(ValueError, match="shape must be"):
        images.to_model_input(digits.draw(1, np.random.default_rng(0)), shape=shape)


def test_numbers_are_read_in_bands_as_in_one(monkeypatch):
    levels = np.random.default_rng(0).integers(0, 65536, (300, 50)).astype(np.uint16)
    whole = files.plain(Image.fromarray(levels)).tobytes()
    monkeypatch.setattr(files, "BAND", 700)
    assert files.plain(Image.fromarray(levels)).tobytes() == whole
