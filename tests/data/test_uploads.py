import dataclasses
import io
import stat
import struct
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kerckhoffs import data
from kerckhoffs.checks import FileRefused
from kerckhoffs.data import images, uploads
from tests import digits

SAMPLES = {dataset: data.load(dataset, indices=range(10)) for dataset in data.DATASETS}


def png(image: torch.Tensor | Image.Image) -> bytes:
    file = io.BytesIO()
    if isinstance(image, torch.Tensor):
        image = Image.fromarray((image[0] * 255).round().to(torch.uint8).numpy())
    image.save(file, "PNG")
    return file.getvalue()


SEVEN = png(SAMPLES["mnist"][0][0])


def packed(*files: tuple[str | zipfile.ZipInfo, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return file.getvalue()


def refused(*files: tuple[str | zipfile.ZipInfo, bytes | str], **options) -> list[tuple[str, str]]:
    """What is refused of a zip that also holds one good image, which must be kept."""
    read = uploads.read_zip(packed(*files, ("7/good.png", SEVEN), **options), "mnist")
    assert read.names == ("7/good.png",)
    assert torch.equal(read.images[0], SAMPLES["mnist"][0][0])
    return list(read.refused)


# --- Images and labels


@pytest.mark.parametrize("dataset", list(data.DATASETS))
def test_samples_in_folders_come_back_bit_by_bit(dataset, tmp_path):
    samples, labels = SAMPLES[dataset]
    files = [
        (f"set/{int(label)}/{i}.png", png(image)) for i, (image, label) in enumerate(zip(samples, labels, strict=True))
    ]
    path = tmp_path / "samples.zip"
    path.write_bytes(packed(*files))
    for source in (path, str(path), path.read_bytes(), path.open("rb")):
        read = uploads.read_zip(source, dataset)
        assert torch.equal(read.images, samples)
        assert torch.equal(read.labels, labels)
        assert read.labels.dtype == torch.int64
        assert read.names == tuple(name for name, _ in files)
        assert read.refused == ()


def test_other_sizes_are_prepared_as_the_data_set_was():
    drawing = digits.draw(5, np.random.default_rng(0))
    file = packed(("5/a.png", png(drawing)))
    assert torch.equal(uploads.read_zip(file, "mnist").images, images.to_model_input(drawing, style="digit"))
    assert torch.equal(uploads.read_zip(file, "fashion-mnist").images, images.to_model_input(drawing, style="whole"))
    assert {each: data.DATASETS[each].style for each in data.DATASETS} == {"mnist": "digit", "fashion-mnist": "whole"}


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("Trouser/a.png", 1),
        ("test/ANKLE_BOOT/a.png", 9),
        ("ankle-boot/more/a.png", 9),
        ("T-shirt/top/a.png", 0),
        ("T-shirt_top/a.png", 0),
        ("tshirt/a.png", 0),
        ("Shirt/a.png", 6),
        ("09/a.png", 9),
        ("Bag/3/a.png", 3),
    ],
)
def test_the_innermost_folder_that_names_a_class_is_the_label(path, label):
    assert uploads.read_zip(packed((path, SEVEN)), "fashion-mnist").labels.tolist() == [label]


@pytest.mark.parametrize("path", ["a.png", "7.png", "digits/a.png", "-3/a.png", "10/a.png", "3.0/a.png", "٣/a.png"])
def test_no_folder_that_names_a_class(path):
    assert refused((path, SEVEN)) == [(path, "no folder in its path names a class of MNIST")]


@pytest.mark.parametrize("header", ["", "file,label\n", "\ufefffile,label\r\n"])
@pytest.mark.parametrize("table", ["labels.csv", "set/Labels.CSV"])
def test_a_csv_has_the_labels(header, table):
    rows = "set/a.png,7\n./set/b.png, 2 ,more\n\n"
    if table.startswith("set"):
        rows = rows.replace("set/", "")
    read = uploads.read_zip(packed(("set/a.png", SEVEN), ("set/b.png", SEVEN), (table, header + rows)), "mnist")
    assert dict(zip(read.names, read.labels.tolist(), strict=True)) == {"set/a.png": 7, "set/b.png": 2}
    assert read.refused == ()


@pytest.mark.parametrize(("label", "number"), [("T-shirt/top", 0), ("sneaker", 7), ("8", 8)])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_may_name_classes_and_have_other_delimiters(label, number, delimiter):
    table = f"image{delimiter}class\na.png{delimiter}{label}\n"
    assert uploads.read_zip(packed(("a.png", SEVEN), ("l.csv", table)), "fashion-mnist").labels.tolist() == [number]


def test_the_rows_of_a_csv_that_cannot_be_used_are_named():
    table = "good.png,7\nbad.png,ten\nboth.png,1\nboth.png,2\nabsent.png,3\nempty.png,\n"
    names = ("good.png", "bad.png", "both.png", "1/unlisted.png", "empty.png")
    read = uploads.read_zip(packed(*[(name, SEVEN) for name in names], ("labels.csv", table)), "mnist")
    assert read.names == ("good.png",)
    assert dict(read.refused) == {
        "absent.png": "the CSV file names it, but the zip does not have it",
        "bad.png": "its label, 'ten', is no class of MNIST",
        "both.png": "the CSV file has more than one label for it",
        "1/unlisted.png": "the CSV file has no label for it",
        "empty.png": "its label, '', is no class of MNIST",
    }


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ({"a.csv": "x,1", "b.csv": "x,1"}, "the zip has 2 CSV files; one may give the labels"),
        ({"a.csv": b"\xff\xfe\0\0"}, "the CSV file, which has the labels, is damaged or not in UTF-8"),
        ({"a.csv": '"never closed,1'}, "the CSV file, which has the labels, is damaged or not in UTF-8"),
        ({"a.csv": "only one column\n"}, "the CSV file must have two columns, file and label, and at most 10000 rows"),
        ({"a.csv": "x,1\n" * 10_001}, "the CSV file must have two columns, file and label, and at most 10000 rows"),
        (
            {"a.csv": "x,1\n" * 300_000},
            "the CSV file, which has the labels, cannot be used: it declares 1.2 MB, and may have 1",
        ),
    ],
)
def test_a_csv_that_cannot_be_read(tables, reason):
    with pytest.raises(FileRefused) as caught:
        uploads.read_zip(packed(("7/a.png", SEVEN), *tables.items()), "mnist")
    assert str(caught.value) == reason


def test_backslashes_of_old_windows_tools_are_slashes():
    files = ("set\\7\\a.png", "set\\2\\b.png", "set\\__MACOSX\\7\\._a.png", "set\\7\\Thumbs.db", "set\\7\\")
    read = uploads.read_zip(packed(*[(name, SEVEN) for name in files]), "mnist")
    assert read.names == ("set/7/a.png", "set/2/b.png")
    assert read.labels.tolist() == [7, 2]
    assert read.refused == ()
    table = ("set\\labels.csv", "file,label\n7\\a.png,1\nset\\2\\b.png,3\n")
    assert uploads.read_zip(packed(*[(name, SEVEN) for name in files[:2]], table), "mnist").labels.tolist() == [1, 3]


TINY = dataclasses.replace(data.DATASETS["mnist"], id="tiny", name="Tiny", classes=("red", "blue"), style="whole")


@pytest.mark.parametrize("style", list(images.STYLES))
@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 8, 12), (1, 8, 8), (1, 12, 8), (3, 32, 32)])
def test_a_zip_is_prepared_to_the_shape_of_its_set(shape, style, monkeypatch):
    monkeypatch.setitem(data.DATASETS, "tiny", dataclasses.replace(TINY, shape=shape, style=style))
    channels, height, width = shape
    pixels = np.random.default_rng(0).integers(0, 100, (height, width, channels), np.uint8)
    exact = Image.fromarray(pixels if channels == 3 else pixels[:, :, 0])
    others = [Image.new("RGB", (30, 20), (200, 40, 40)), digits.draw(5, np.random.default_rng(0))]
    for other in others:
        other.paste(0, (0, 0, 5, 5))
    files = [("blue/exact.png", png(exact)), *((f"red/{i}.png", png(other)) for i, other in enumerate(others))]
    read = uploads.read_zip(packed(*files), "tiny")
    assert read.images.shape == (3, *shape)
    assert read.images.dtype == torch.float32
    assert read.labels.tolist() == [1, 0, 0]
    assert torch.equal(read.images[0], torch.from_numpy(pixels).permute(2, 0, 1) / 255)
    for image, other in zip(read.images[1:], others, strict=True):
        assert torch.equal(image[None], images.to_model_input(other, style=style, shape=shape))


# --- What is refused


def test_what_systems_leave_behind_is_skipped_in_silence():
    litter = ("__MACOSX/7/._a.png", ".DS_Store", "7/.DS_Store", "7/Thumbs.db", "7/._a.png", "7/desktop.ini", "7/")
    assert refused(*[(name, b"") for name in litter]) == []


@pytest.mark.parametrize(
    "path", ["../7/a.png", "7/../../a.png", "/7/a.png", "C:/7/a.png", "c:7/a.png", "7/..\\../a.png"]
)
def test_paths_that_lead_out(path):
    windows = path.replace("/", "\\")
    assert refused((path, SEVEN)) == [(path.replace("\\", "/"), "its path is absolute, or has '..'")]
    assert refused((windows, SEVEN)) == [(path.replace("\\", "/"), "its path is absolute, or has '..'")]


def test_links():
    link = zipfile.ZipInfo("7/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert refused((link, "/etc/passwd")) == [("7/link.png", "it is a link, or no ordinary file")]


def test_encrypted_files():
    file = bytearray(packed(("7/secret.png", SEVEN), ("7/good.png", SEVEN)))
    file[6] |= 1  # in the local header
    file[file.index(b"PK\1\2") + 8] |= 1  # and in the directory
    read = uploads.read_zip(bytes(file), "mnist")
    assert read.names == ("7/good.png",)
    assert read.refused == (("7/secret.png", "it is encrypted"),)


def test_zips_in_the_zip_and_what_is_no_image():
    assert refused(("7/inner.zip", packed(("7/a.png", SEVEN))), ("7/a.png", b"text"), ("7/b.png", b"")) == [
        ("7/inner.zip", "a zip inside the zip is not opened"),
        ("7/a.png", "the file is no picture of a kind that is read here: PNG, JPEG, WebP, BMP, GIF"),
        ("7/b.png", "the file is empty"),
    ]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_path_that_is_there_twice():
    assert refused(("7/a.txt", b""), ("7/a.txt", b""))[1] == ("7/a.txt", "the zip holds this path twice")


def test_an_empty_drawing_has_its_reason():
    [(_, reason)] = refused(("7/empty.png", png(Image.new("L", (50, 50)))))
    assert reason.startswith("there is nothing to read")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packings(method):
    link = zipfile.ZipInfo("7/a.png")
    link.compress_type = method
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(link, SEVEN, compress_type=method)
        archive.writestr("7/good.png", SEVEN)
    [(_, reason)] = uploads.read_zip(file.getvalue(), "mnist").refused
    assert reason == "it is packed in a way that is not read here; deflate is"


def test_a_bomb_is_refused_by_what_it_declares_and_a_liar_by_what_it_holds():
    assert refused(("7/a.bmp", bytes(9_000_000)), ("7/b.bmp", bytes(11_000_000))) == [
        ("7/a.bmp", "it declares to unpack to more than 200 times its size, which no picture does"),
        ("7/b.bmp", "it declares 11.0 MB, and may have 10"),
    ]
    liar = bytearray(packed(("7/a.bmp", bytes(11_000_000)), ("7/good.png", SEVEN)))
    for place in (22, liar.index(b"PK\1\2") + 24):
        liar[place : place + 4] = struct.pack("<I", 1000)
    read = uploads.read_zip(bytes(liar), "mnist")
    assert read.refused == (("7/a.bmp", "it is damaged and cannot be unpacked"),)


def test_bytes_and_pixels_of_all_files_are_bounded(monkeypatch):
    monkeypatch.setattr(uploads, "MAX_TOTAL", 3 * len(SEVEN))
    read = uploads.read_zip(packed(*[(f"7/{i}.png", SEVEN) for i in range(5)]), "mnist")
    assert len(read.names) <= 5
    budget = uploads._Budget(size=3 * len(SEVEN), pixels=2 * 784)
    monkeypatch.setattr(uploads, "_Budget", lambda: budget)
    read = uploads.read_zip(packed(*[(f"7/{i}.png", SEVEN) for i in range(5)]), "mnist")
    assert read.names == ("7/0.png", "7/1.png")
    assert "million pixels" in read.refused[0][1]
    assert "which is all that is read" in read.refused[1][1]


def test_more_images_than_are_read():
    read = uploads.read_zip(packed(*[(f"7/{i}.png", SEVEN) for i in range(5)]), "mnist", max_images=3)
    assert len(read.images) == 3
    assert read.refused[0] == ("7/3.png", "3 images have been read, and no more are")


def test_more_entries_than_are_looked_at(monkeypatch):
    monkeypatch.setattr(zipfile, "ZipFile", lambda *a: pytest.fail("opened"))
    with pytest.raises(FileRefused, match="the zip has more than 10000 entries"):
        uploads.read_zip(b"PK\1\2" * 10_001, "mnist")


def test_a_zip_that_is_too_large_is_not_read_whole():
    class Endless(io.RawIOBase):
        def read(self, size=-1):
            assert 0 < size <= 50_000_001
            return bytes(size)

    with pytest.raises(FileRefused, match="the zip has more than 50 MB"):
        uploads.read_zip(Endless(), "mnist")


def test_names_are_safe_to_show():
    [(name, reason)] = refused(("x\n\x1b[31m" * 100 + "\u202egnp.txt", SEVEN))
    assert name.isprintable()
    assert len(name) <= 60
    [(name, reason)] = refused(("9" * 5000 + "/a.png", SEVEN))
    assert len(name) <= 60
    assert reason == "its path has more than 1000 characters"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"", "the file is no zip, or a damaged one"),
        (SEVEN, "the file is no zip, or a damaged one"),
        (packed(), "no labelled image was found in the zip"),
        (packed(("a.txt", "x")), "no labelled image was found in the zip; the first of 1 reasons: a.txt: no folder"),
        ("/no/such.zip", "cannot read the zip: No such file"),
    ],
)
def test_what_holds_nothing_is_one_sentence(source, reason):
    with pytest.raises(FileRefused) as caught:
        uploads.read_zip(source, "mnist")
    assert str(caught.value).startswith(reason)
    assert "\n" not in str(caught.value)


def test_an_unknown_data_set():
    with pytest.raises(ValueError, match="unknown dataset 'cifar'"):
        uploads.read_zip(b"", "cifar")


def test_progress_is_told_and_can_stop_it():
    file = packed(*[(f"7/{i}.png", SEVEN) for i in range(5)])
    told = []
    read = uploads.read_zip(file, "mnist", on_step=lambda done, total: told.append((done, total)) or done == 2)
    assert told == [(1, 5), (2, 5)]
    assert read.names == ("7/0.png", "7/1.png")


WHOLE = packed(("7/a.png", SEVEN), ("2/b.png", SEVEN), ("labels/c.txt", "x"))


def only_sentences(file: bytes) -> None:
    try:
        read = uploads.read_zip(file, "mnist")
    except FileRefused:
        return
    assert len(read.images) == len(read.labels) == len(read.names) > 0
    assert all(text.isprintable() and len(text) < 200 for pair in read.refused for text in pair)


def test_a_zip_that_ends_anywhere():
    for end in range(0, len(WHOLE), 7):
        only_sentences(WHOLE[:end])


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=20))
def test_a_zip_that_was_changed_anywhere(changes):
    file = bytearray(WHOLE)
    for place, value in changes:
        file[place] = value
    only_sentences(bytes(file))
