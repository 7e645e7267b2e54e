"""A thousand hostile uploads, and what becomes of them.

    python -m benchmarks.hostile_uploads --count 1000 --seed 0

Makes files that are cut short, changed, mislabelled, animated, of odd modes or bombs of several kinds, and zips with
tricks, and gives each to images.read and images.prepare, or to uploads.read_zip. Prints for each kind how many were
accepted, refused with a sentence, or ended in another exception (there must be none: then the exit status is 1), the
longest of each, and the process's peak memory in MiB (the bar is 1024).
"""

import argparse
import io
import re
import resource
import stat
import struct
import sys
import time
import traceback
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image

from kerckhoffs.checks import FileRefused
from kerckhoffs.data import images, uploads

BAR_MIB = 1024
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
Maker = Callable[[np.random.Generator], bytes]


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    """A picture as a file."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def good(generator: np.random.Generator, side: int = 100) -> bytes:
    """A file of colours in a format at random."""
    pixels = generator.integers(0, 256, (side, side, 3), np.uint8)
    return encoded(Image.fromarray(pixels), str(generator.choice(FORMATS)))


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, depth: int, colour: int, *chunks: bytes, interlaced: bool = False) -> bytes:
    """A PNG with any header."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + b"".join([chunk(b"IHDR", header), *chunks, chunk(b"IEND", b"")])


def zeros(count: int) -> bytes:
    """A chunk of black pixels, made without holding them."""
    compressor = zlib.compressobj(1)
    parts = [compressor.compress(bytes(1000)) for _ in range(-(-count // 1000))]
    return chunk(b"IDAT", b"".join(parts) + compressor.flush())


def nothing(generator: np.random.Generator) -> bytes:
    """0 to 3 bytes."""
    return generator.bytes(generator.integers(0, 4))


def truncated(generator: np.random.Generator) -> bytes:
    """A good file that ends anywhere."""
    file = good(generator)
    return file[: generator.integers(1, len(file))]


def changed(generator: np.random.Generator) -> bytes:
    """A good file with a few other bytes, most of them in the header."""
    file = bytearray(good(generator))
    for _ in range(generator.integers(1, 20)):
        place = generator.integers(0, len(file) if generator.random() < 0.3 else 200)
        file[place] = generator.integers(0, 256)
    return bytes(file)


def spliced(generator: np.random.Generator) -> bytes:
    """The beginning of one good file and the end of another."""
    first, second = good(generator), good(generator)
    return first[: generator.integers(10, 300)] + second[generator.integers(0, len(second)) :]


def odd(generator: np.random.Generator) -> bytes:
    """A mode that is seldom seen, or a format that is not read."""
    picture = Image.fromarray(generator.integers(0, 256, (60, 40, 4), np.uint8))
    grey = picture.convert("L")
    deep = Image.fromarray(generator.integers(0, 65536, (60, 40)).astype(np.uint16))
    floats = Image.fromarray(generator.normal(size=(60, 40)).astype(np.float32))
    choices: list[Callable[[], bytes]] = [
        lambda: encoded(deep, "PNG"),
        lambda: encoded(picture.convert("RGB").convert("P"), "PNG", transparency=generator.bytes(200)),
        lambda: encoded(picture.convert("LA"), "PNG"),
        lambda: encoded(grey.convert("1"), "PNG", transparency=0),
        lambda: encoded(picture.convert("CMYK"), "JPEG"),
        lambda: encoded(floats, "TIFF"),
        lambda: encoded(picture, "ICO"),
        lambda: encoded(grey, "PPM"),
        lambda: encoded(picture.convert("RGB"), "PDF"),
        lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    ]
    return choices[generator.integers(len(choices))]()


def animated(generator: np.random.Generator) -> bytes:
    """Many frames."""
    frames = [Image.fromarray(generator.integers(0, 256, (40, 40, 3), np.uint8)) for _ in range(8)]
    form = str(generator.choice(["GIF", "PNG", "WEBP"]))
    return encoded(frames[0], form, save_all=True, append_images=frames[1:])


def resized(jpeg: bytes, width: int, height: int) -> bytes:
    """A JPEG that declares another size, of which hardly anything is there."""
    size = re.search(rb"\xff[\xc0\xc2]\0.\x08", jpeg).end()
    return jpeg[:size] + struct.pack(">HH", height, width) + jpeg[size + 4 : -2] + bytes(20_000) + jpeg[-2:]


@cache
def bombs() -> tuple[bytes, ...]:
    """Small files that cost much: pixels, texts, segments, scans, blocks."""
    jpeg = encoded(Image.new("L", (64, 64)), "JPEG")
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    webp = encoded(Image.new("RGBA", (64, 64), (9, 9, 9, 9)), "WEBP")
    gif = encoded(Image.new("P", (8, 8)), "GIF")
    black = [zeros(rows * 4100) for rows in (4001, 8001, 16_001, 32_001)]
    eight = chunk(b"IDAT", zlib.compress(bytes(72)))
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000)))
    wide = chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress("😀".encode() * 250_000))
    bmp = struct.Struct("<2sIIIIiiHHIIIIII")
    skips = bmp.pack(b"BM", 0, 0, 58, 40, 4000, 4000, 1, 8, 1, 0, 0, 0, 1, 0) + bytes(4) + b"\0\2\0\xff" * 16
    photo = resized(jpeg, 14_000, 14_000)
    in_scans = resized(encoded(Image.new("RGB", (64, 64)), "JPEG", progressive=True), 8160, 6144)
    return (
        # more pixels than are read
        png(14_000, 14_000, 8, 0, black[1]),
        png(2**31 - 1, 2**31 - 1, 8, 6, black[0]),
        webp[:24] + b"\xff\x3f\0\xff\x3f\0" + webp[30:],
        gif[:6] + b"\xff\xff\xff\xff" + gif[10:],
        bmp.pack(b"BM", 0, 0, 54, 40, 2**30, 2**30, 1, 32, 0, 0, 0, 0, 0, 0),
        skips + b"\0\1",
        # as many as are
        skips + b"\0\1" + bytes(1600),
        photo,
        in_scans,
        png(4000, 4000, 8, 6, black[2]),
        png(4000, 4000, 16, 6, black[3], interlaced=True),
        png(4000, 4000, 16, 0, black[1]),
        png(1, 16_000_000, 8, 0, black[1]),
        png(4000, 4000, 8, 3, chunk(b"PLTE", bytes(768)), chunk(b"tRNS", bytes(256)), black[0]),
        encoded(Image.new("CMYK", (4000, 4000), 3), "JPEG", progressive=True, subsampling=0),
        encoded(Image.new("RGBA", (2000, 2000), (1, 2, 3, 4)), "WEBP", method=0),
        encoded(Image.new("P", (4000, 4000)), "GIF", transparency=0),
        encoded(Image.new("1", (4000, 4000)), "BMP"),
        # what costs beside the pixels
        png(8, 8, 8, 0, *[text] * 100, eight),
        png(8, 8, 8, 0, *[wide] * 60, eight),
        png(8, 8, 8, 0, *[chunk(b"IDAT", b"")] * 500_000),
        jpeg[:2] + b"\xff\xfe\0\2" * 2_000_000 + jpeg[2:],
        jpeg[:2] + b"\xff\xe1\0\x09Exif\0\0!" * 800_000 + jpeg[2:],
        jpeg[:-2] + scan * 10_000 + jpeg[-2:],
        gif[:13] + b"!\xfe" + b"\2ab" * 600_000 + b"\0" + gif[13:],
        bmp.pack(b"BM", 0, 0, 54, 40, 4000, 4000, 1, 8, 1, 0, 0, 0, 0, 0) + bytes(9_000_000),
        gif + bytes(11_000_000),
    )


def bomb(generator: np.random.Generator) -> bytes:
    """One of the bombs."""
    return bombs()[generator.integers(len(bombs()))]


def packed(*files: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return file.getvalue()


@cache
def zips() -> tuple[bytes, ...]:
    """Zips with a trick in each, without and with good images beside it."""
    image = encoded(Image.new("L", (28, 28), 7), "PNG")
    fine = [(f"{i}/a.png", image) for i in range(3)]
    link = zipfile.ZipInfo("3/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    paths = [
        "../3/a.png",
        "/3/a.png",
        "C:\\3\\a.png",
        "3\\a.png",
        "3/" + "x/" * 9000 + "a.png",
        "3/\0.png",
        "3/\u202egnp",
    ]
    matryoshka = packed(*fine)
    for _ in range(5):
        matryoshka = packed(("3/again.zip", matryoshka))
    black = png(4000, 4000, 8, 0, zeros(4001 * 4000))
    tricks: tuple[list[tuple[str | zipfile.ZipInfo, bytes]], ...] = (
        [(path, image) for path in paths],
        [(link, b"/etc/passwd")],
        [("3/inner.zip", matryoshka)],
        [("3/bomb.bmp", bytes(20_000_000))],
        [(f"3/{i}.bmp", bytes(99_000)) for i in range(1500)],
        [(f"3/{i}.png", black) for i in range(60)],
        [(f"3/{i}", b"") for i in range(12_000)],
        [(f"3/{i}.png", each) for i, each in enumerate(bombs())],
        [("labels.csv", b"name,label\n" + b"x.png,3\n" * 20_000)],
        [("labels.csv", b"\xff\0\xfe")],
        [("labels.csv", b'"' * 900_000)],
        [("__MACOSX/3/._a.png", b""), (".DS_Store", b"")],
    )
    compressed = [packed(*trick, *beside) for trick in tricks for beside in ([], fine)]
    return (*compressed, packed(*fine, method=zipfile.ZIP_LZMA), packed(*fine, method=zipfile.ZIP_BZIP2))


def zip_trick(generator: np.random.Generator) -> bytes:
    """One of the zips with a trick."""
    return zips()[generator.integers(len(zips()))]


def zip_damage(generator: np.random.Generator) -> bytes:
    """A zip that is cut short or changed, most often in its headers: sizes, flags, offsets, counts."""
    pixels = [good(generator, 28) for _ in range(4)]
    file = bytearray(packed(*[(f"{i}/a.png", content) for i, content in enumerate(pixels)]))
    if generator.random() < 0.3:
        return bytes(file[: generator.integers(0, len(file))])
    directory = file.index(b"PK\x01\x02")
    for _ in range(generator.integers(1, 10)):
        place = generator.integers(directory if generator.random() < 0.7 else 0, len(file))
        file[place] = generator.integers(0, 256)
    return bytes(file)


PICTURES: tuple[Maker, ...] = (nothing, truncated, changed, spliced, odd, animated, bomb)
ZIPS: tuple[Maker, ...] = (zip_trick, zip_damage)


def outcome(maker: Maker, generator: np.random.Generator) -> tuple[str, float]:
    """What becomes of one upload, and in how many seconds."""
    data = maker(generator)
    name = str(generator.choice(["a.png", "b.jpg", "c.txt", "\n\x1b[2J" * 50, ""]))
    began = time.perf_counter()
    try:
        if maker in ZIPS:
            uploads.read_zip(data, "mnist")
        else:
            picture = images.read(data, name)
            images.prepare(picture, style="whole")
        what = "accepted"
    except FileRefused as error:
        what = "refused" if str(error).isprintable() else "not a sentence"
    except Exception:
        traceback.print_exc()
        what = "other exception"
    return what, time.perf_counter() - began


def peak() -> float:
    """The process's peak memory in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = np.random.default_rng(options.seed)
    makers = (*PICTURES, *ZIPS)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    longest: Counter[str] = Counter()
    zips()  # made before the memory is looked at
    before = peak()
    for number in range(options.count):
        maker = makers[number % len(makers)]
        what, seconds = outcome(maker, generator)
        counts[maker.__name__][what] += 1
        longest[maker.__name__] = max(longest[maker.__name__], seconds)
    columns = ("accepted", "refused", "not a sentence", "other exception")
    print(f"{'kind':12}" + "".join(f"{column:>17}" for column in columns) + f"{'longest':>12}")
    for kind, count in counts.items():
        print(f"{kind:12}" + "".join(f"{count[column]:17}" for column in columns) + f"{longest[kind]:10.2f} s")
    total = sum(counts.values(), Counter())
    print(f"{'all':12}" + "".join(f"{total[column]:17}" for column in columns))
    print(f"peak memory: {peak():.0f} MiB, of which {before:.0f} before the first upload; the bar is {BAR_MIB}")
    sys.exit(bool(total["not a sentence"] or total["other exception"] or peak() > BAR_MIB))


if __name__ == "__main__":
    main()
