"""A zip of 1000 images as people, and worse ones, make them: read, and what is good evaluated.

    python -m benchmarks.zip_upload

The images are MNIST's test samples in other sizes, modes and formats; among them lie files without a label, files that
are no images, paths that lead out of the folder, links and bombs. Prints how many of each kind are used and refused,
with a reason each, the seconds and the memory that reading takes, and what FGSM does to the good ones.
"""

import argparse
import io
import resource
import stat
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from kerckhoffs import data
from kerckhoffs.data.uploads import Uploaded, read_zip
from kerckhoffs.evaluation import engines, experiments, runs, summaries
from kerckhoffs.evaluation.examples import Samples
from kerckhoffs.evaluation.experiments import UPLOADED

MODELS = ("mnist-table1-classical", "mnist-table1-keyed")
FILES = 1000
File = tuple[str | zipfile.ZipInfo, bytes]


def saved(picture: Image.Image, kind: str = "PNG") -> bytes:
    """A picture as a file."""
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def enlarged(picture: Image.Image, width: int, height: int) -> Image.Image:
    """In another size."""
    return picture.resize((width, height), Image.Resampling.BICUBIC)


GOOD: dict[str, Callable[[Image.Image], bytes]] = {
    "28x28, PNG": saved,
    "280x280, PNG": lambda picture: saved(enlarged(picture, 280, 280)),
    "13x57, PNG": lambda picture: saved(enlarged(picture, 13, 57)),
    "1200x900, JPEG": lambda picture: saved(enlarged(picture, 1200, 900), "JPEG"),
    "colour": lambda picture: saved(picture.convert("RGB")),
    "transparent": lambda picture: saved(picture.convert("RGBA")),
    "palette": lambda picture: saved(picture.convert("P")),
    "black or white": lambda picture: saved(picture.convert("1")),
    "16 bits": lambda picture: saved(Image.fromarray(np.asarray(picture).astype(np.uint16) * 257)),
    "dark on light": lambda picture: saved(picture.point(lambda level: 255 - level)),
    "CMYK, JPEG": lambda picture: saved(enlarged(picture, 100, 100).convert("CMYK"), "JPEG"),
}
"""What is to be used, by kind."""


def linked(path: str) -> zipfile.ZipInfo:
    """An entry that is a link."""
    info = zipfile.ZipInfo(path)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def declaring(picture: bytes, side: int) -> bytes:
    """A PNG that declares so many pixels a side."""
    header = picture[12:16] + side.to_bytes(4, "big") * 2 + picture[24:29]
    return picture[:12] + header + zlib.crc32(header).to_bytes(4, "big") + picture[33:]


def bad(number: int, label: int, picture: bytes) -> tuple[str, File]:
    """One of the files that are to be refused, and its kind."""
    kinds: tuple[tuple[str, File], ...] = (
        ("no label", (f"unknown/{number}.png", picture)),
        ("no folder", (f"{number}.png", picture)),
        ("text", (f"{label}/{number}.txt", b"seven\n" * 20)),
        ("web page called PNG", (f"{label}/{number}.png", b"<html><script>alert(1)</script></html>")),
        ("cut off", (f"{label}/{number}.png", picture[: len(picture) // 2])),
        ("empty file", (f"{label}/{number}.png", b"")),
        ("out of the folder", (f"../../{label}/{number}.png", picture)),
        ("absolute path", (f"/{label}/{number}.png", picture)),
        ("backslashes", (f"{label}\\..\\{number}.png", picture)),
        ("link", (linked(f"{label}/{number}.png"), b"/etc/passwd")),
        ("196 megapixels", (f"{label}/{number}.png", declaring(picture, 14_000))),
        ("zip in the zip", (f"{label}/{number}.png", b"PK\x03\x04" + bytes(60))),
        ("bomb", (f"{label}/{number}.png", bytes(9_000_000))),
    )
    return kinds[number % len(kinds)]


def files() -> Iterator[tuple[str, File]]:
    """All files with their kinds; one in four is bad."""
    images, labels = data.load("mnist")
    for number in range(FILES):
        picture = Image.fromarray((images[number, 0] * 255).round().byte().numpy())
        label = int(labels[number])
        if number % 4 == 3:
            yield bad(number // 4, label, saved(picture))
            continue
        kind = list(GOOD)[number % len(GOOD)]
        ending = "jpg" if kind.endswith("JPEG") else "png"
        yield kind, (f"digits/{label}/{number}.{ending}", GOOD[kind](picture))


def packed(path: Path) -> dict[str, str]:
    """Write the zip; returns the kind of each path in it."""
    kinds = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for kind, (name, content) in files():
            archive.writestr(name, content)
            kinds[name.filename if isinstance(name, zipfile.ZipInfo) else name] = kind
    return kinds


def report(read: Uploaded, kinds: dict[str, str]) -> None:
    """Print what was used and refused, by kind."""
    used = Counter(kinds[name] for name in read.names)
    why = {kinds[name]: reason for name, reason in read.refused}
    refused = Counter(kinds[name] for name, _ in read.refused)
    for kind in dict.fromkeys(kinds.values()):
        print(f"{kind:22} used {used[kind]:4}  refused {refused[kind]:4}  {why.get(kind, '')}")
    print(f"{'together':22} used {used.total():4}  refused {refused.total():4}")


def evaluated(read: Uploaded, folder: Path) -> None:
    """FGSM on the good ones, by a run on disk; print its summary."""
    what = experiments.grid(
        [("fgsm", {"epsilon": 0.3, "perturb_all": True})], MODELS[:1], MODELS, split=UPLOADED, stop=len(read.names)
    )
    samples = Samples(read.images, read.labels, read.names)
    run = runs.create(what, command="python -m benchmarks.zip_upload", folder=folder, uploaded=samples)
    began = time.perf_counter()
    engines.execute(run)
    print(f"FGSM on {len(read.names)} images: {time.perf_counter() - began:.1f} s")
    print(summaries.markdown(summaries.report(summaries.summarise(run.rows()))))


def main() -> None:
    """Build, read, evaluate and print."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.zip"
        kinds = packed(path)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        read = read_zip(path, "mnist")
        seconds = time.perf_counter() - began
        more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        size = path.stat().st_size / 1e6
        print(f"{len(kinds)} files in {size:.1f} MB: read in {seconds:.1f} s, with {more // 1024} MiB more at the peak")
        report(read, kinds)
        evaluated(read, Path(folder) / "run")


if __name__ == "__main__":
    main()
