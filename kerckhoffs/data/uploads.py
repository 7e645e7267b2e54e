"""A zip of labelled images -> what a batch evaluation takes.

Nothing is extracted to disk, and nothing that the zip declares is believed: entries, bytes and pixels are counted
before they are read, and every read is bounded. What is usable is kept, what is not is named with its reason.
"""

import io
import re
import stat
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import torch
from torch import Tensor

from kerckhoffs.checks import FileRefused, check_choice
from kerckhoffs.data import DATASETS, Dataset, images, tables

MEGA = 1_000_000
MAX_IMAGES = 2000
MAX_ENTRIES = 10_000  # in the zip's directory
MAX_ZIP = 50 * MEGA  # bytes, packed
MAX_TOTAL = 100 * MEGA  # bytes of all files, unpacked
MAX_FILE = 10 * MEGA
MAX_CSV = MEGA
MAX_PATH = 1000  # characters
MAX_PIXELS = 400 * MEGA  # of all pictures
DIRECTORY_ENTRY = b"PK\x01\x02"
MAX_RATIO = 200  # unpacked to packed, for files of more than SMALL bytes: pictures hardly shrink
SMALL = 100_000

LITTER = {".ds_store", "thumbs.db", "desktop.ini"}  # what systems leave in folders
OUTSIDE = re.compile(r"^/|^[A-Za-z]:|(^|/)\.\.(/|$)")  # paths that may lead out of a folder
TABLES = (".csv", ".tsv")


@dataclass(frozen=True)
class Uploaded:
    """What a zip holds, in its order.

    Args:
        images: float32 (N, C, H, W) in [0, 1], N >= 1, of the data set's shape.
        labels: int64 (N,).
        names: the images' paths in the zip, with slashes, N.
        refused: path and reason of everything else. These and the names can be printed, and are short.
    """

    images: Tensor
    labels: Tensor
    names: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


def read_zip(
    source: bytes | str | Path | BinaryIO,
    dataset: str,
    *,
    max_images: int = MAX_IMAGES,
    on_step: Callable[[int, int], object] | None = None,
) -> Uploaded:
    """Read the labelled images of a zip.

    If there is a CSV file in the zip, it has the labels: two columns, an image's path (in the zip, from the CSV's
    folder, or its name alone where only one has it) and its label, with or without a header (tables.py).
    Otherwise the innermost folder that names a class is the label:
    "3/a.png", "digits/3/a.png", "Ankle boot/a.png", "T-shirt/top/a.png".

    A label is a class number, or a class name of which only the letters matter, small or capital.

    An image of the data set's own size is taken as it is, but greys are turned over if their background is light;
    others are prepared in the data set's `style` and shape.

    Args:
        source: the zip, its path, or a binary file; at most 50 MB.
        dataset: a key of DATASETS.
        max_images: how many are read; the rest is refused.
        on_step: called after every file with the number done and of all; if it returns True, this was the last.

    Raises:
        ValueError: on an unknown data set.
        FileRefused: if it is no zip, holds too much to look at, or nothing that can be used.
    """
    check_choice(dataset, DATASETS, "dataset")
    archive = _archive(source)
    files = [info for info in archive.infolist() if not _ignored(info)]
    lists = [info for info in files if info.filename.lower().endswith(TABLES)]
    budget = _Budget()
    label_of = partial(_label_in_path, dataset=DATASETS[dataset])
    refused: list[tuple[str, str]] = []
    if len(lists) > 1:
        raise FileRefused(f"the zip has {len(lists)} CSV files; one may give the labels")
    for info in lists:
        files.remove(info)
        folder, paths = PurePosixPath(_path(info)).parent, {_path(each) for each in files}
        table = tables.read(_table(archive, info, budget), folder, paths, DATASETS[dataset].classes)
        label_of = partial(_label_in_table, dataset=DATASETS[dataset], table=table.labels)
        refused += [
            (images.shown(name), "the CSV file names it, but the zip does not have it") for name in table.unused
        ]
    kept: list[tuple[Tensor, int, str]] = []
    seen: set[str] = set()
    for done, info in enumerate(files, start=1):
        path = _path(info)
        name = images.shown(path)
        try:
            if path in seen:
                raise FileRefused("the zip holds this path twice")
            seen.add(path)
            if len(kept) >= max_images:
                raise FileRefused(f"{max_images} images have been read, and no more are")
            _check(info)
            label = label_of(path)
            kept.append((_image(archive, info, DATASETS[dataset], budget), label, name))
        except ValueError as error:
            refused.append((name, str(error)))
        if on_step and on_step(done, len(files)):
            break
    if not kept:
        why = f"; the first of {len(refused)} reasons: {refused[0][0]}: {refused[0][1]}" if refused else ""
        raise FileRefused(f"no labelled image was found in the zip{why}")
    tensors, labels, names = zip(*kept, strict=True)
    return Uploaded(torch.cat(tensors), torch.tensor(labels), names, tuple(refused))


@dataclass
class _Budget:
    """What may still be unpacked and decoded."""

    size: int = MAX_TOTAL
    pixels: int = MAX_PIXELS


def _archive(source: bytes | str | Path | BinaryIO) -> zipfile.ZipFile:
    """Open a zip, unless it or its directory are too large."""
    try:
        if isinstance(source, str | Path):
            with open(source, "rb") as file:
                data = file.read(MAX_ZIP + 1)
        else:
            data = bytes(source) if isinstance(source, bytes | bytearray) else source.read(MAX_ZIP + 1)
    except OSError as error:
        raise FileRefused(f"cannot read the zip: {error.strerror or type(error).__name__}") from error
    if len(data) > MAX_ZIP:
        raise FileRefused(f"the zip has more than {MAX_ZIP // MEGA} MB")
    if data.count(DIRECTORY_ENTRY) > MAX_ENTRIES:  # what it declares elsewhere, zipfile ignores
        raise FileRefused(f"the zip has more than {MAX_ENTRIES} entries")
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except Exception as error:  # a damaged one can raise almost anything
        raise FileRefused("the file is no zip, or a damaged one") from error


def _path(info: zipfile.ZipInfo) -> str:
    """The path of a file in the zip, with slashes: Windows' older tools write backslashes."""
    return info.filename.replace("\\", "/")


def _ignored(info: zipfile.ZipInfo) -> bool:
    *folders, name = _path(info).split("/")
    return not name or "__MACOSX" in folders or name.startswith("._") or name.lower() in LITTER


def _check(info: zipfile.ZipInfo) -> None:
    """Refuse what no file of a friendly zip is."""
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the zip was not made on Unix
    if OUTSIDE.search(_path(info)):
        raise FileRefused("its path is absolute, or has '..'")
    if len(info.filename) > MAX_PATH:
        raise FileRefused(f"its path has more than {MAX_PATH} characters")
    if kind not in (0, stat.S_IFREG):
        raise FileRefused("it is a link, or no ordinary file")
    if info.flag_bits & 1:
        raise FileRefused("it is encrypted")


def _bytes(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int, budget: _Budget) -> bytes:
    """Unpack one file into memory, unless it is too large for that."""
    _check(info)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FileRefused("it is packed in a way that is not read here; deflate is")
    if info.file_size > most:
        raise FileRefused(f"it declares {info.file_size / MEGA:.1f} MB, and may have {most // MEGA}")
    if info.file_size > max(SMALL, MAX_RATIO * info.compress_size):
        raise FileRefused(f"it declares to unpack to more than {MAX_RATIO} times its size, which no picture does")
    if info.file_size > budget.size:
        raise FileRefused(f"the files before it unpack to nearly {MAX_TOTAL // MEGA} MB, which is all that is read")
    budget.size -= info.file_size
    try:
        with archive.open(info) as file:
            return file.read(most)  # and never more than it declares
    except Exception as error:
        raise FileRefused("it is damaged and cannot be unpacked") from error


def _image(archive: zipfile.ZipFile, info: zipfile.ZipInfo, dataset: Dataset, budget: _Budget) -> Tensor:
    """One image, (1, C, H, W); raises ValueError with the reason if there is none."""
    data = _bytes(archive, info, MAX_FILE, budget)
    if data.startswith(b"PK"):
        raise FileRefused("a zip inside the zip is not opened")
    width, height = images.declared(data, "the file")
    if width * height > budget.pixels:
        raise FileRefused(f"the pictures before it have nearly {MAX_PIXELS // MEGA} million pixels, all that is read")
    budget.pixels -= width * height
    picture = images.read(data, "the file")
    _, height, width = dataset.shape
    ready = picture.size == (width, height)
    return images.to_model_input(picture, style="whole" if ready else dataset.style, shape=dataset.shape)


def _label_in_path(path: str, dataset: Dataset) -> int:
    found = (tables.class_number(folder, dataset.classes) for folder in reversed(path.split("/")[:-1]))
    label = next((each for each in found if each is not None), None)
    if label is None:
        raise FileRefused(f"no folder in its path names a class of {dataset.name}")
    return label


def _label_in_table(path: str, dataset: Dataset, table: Mapping[str, set[str]]) -> int:
    labels = table.get(path, set())
    numbers = {tables.cell_class(label, dataset.classes) for label in labels}
    if len(numbers) != 1:
        raise FileRefused(f"the CSV file has {'more than one label' if labels else 'no label'} for it")
    [label] = numbers
    if label is None:
        raise FileRefused(f"its label, {min(labels)[: images.SHOWN]!r}, is no class of {dataset.name}")
    return label


def _table(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: _Budget) -> bytes:
    try:
        return _bytes(archive, info, MAX_CSV, budget)
    except FileRefused as error:
        raise FileRefused(f"the CSV file, which has the labels, cannot be used: {error}") from error
