"""Photos of digits as people take them, and how many are read right.

    python -m benchmarks.photos --digits 40

Draws MNIST's first test digits, 224 pixels wide, as ink on paper in each condition: light that falls off, shadows,
ruled lines, chalk, transparent margins, noise of 4 grey levels on all opaque ones. Prints for each how many
mnist-table1-classical reads right, how many are refused, and the milliseconds that one takes to be prepared.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kerckhoffs import data, zoo
from kerckhoffs.data import images
from kerckhoffs.evaluation.judge import predict

SIDE = 224
MODEL = "mnist-table1-classical"
Levels = NDArray[np.float64]  # (224, 224)
Y, X = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1)


def soft(distance: Levels, width: float = 0.02) -> Levels:
    """A step from 0 to 1 where the distance is 0, as soft as `width`."""
    return 1 / (1 + np.exp(-np.clip(distance / width, -50, 50)))


def page(ink: Levels, paper: float = 235, dark: float = 35) -> Levels:
    """Dark ink on white paper."""
    return paper - (paper - dark) * ink


def ruled(ink: Levels, shade: float, tilt: float = 0, squares: bool = False) -> Levels:
    """Ink on lines, or squares, of a shade, two pixels wide, turned by degrees."""
    slope = np.tan(np.radians(tilt))
    lines = (Y + X * slope) * SIDE % 20 < 2
    if squares:
        lines |= (X - Y * slope) * SIDE % 20 < 2
    return np.where(lines, np.minimum(page(ink), shade), page(ink))


def hand() -> Levels:
    """The shadow of a hand with four fingers from above."""
    fingers = [soft(0.05 - abs(X - 0.1 - 0.12 * k), 0.01) * soft(0.5 - 0.05 * k - Y) for k in range(4)]
    return np.maximum.reduce([*fingers, soft(0.2 - Y) * (X < 0.6)])


CONDITIONS: dict[str, Callable[[Levels], Levels]] = {
    **{
        f"light falls by {share} %": lambda ink, fall=share: page(ink) * (1 - fall / 100 * X)
        for share in (0, 10, 25, 40)
    },
    "corner in a shadow of 40 %": lambda ink: page(ink) * (1 - 0.4 * soft(0.7 - X - Y)),
    "half in a shadow of 40 %": lambda ink: page(ink) * (1 - 0.4 * soft(1 - X - Y)),
    "soft shadow of 40 %": lambda ink: page(ink) * (1 - 0.4 * soft(0.7 - X - Y, 0.1)),
    "hand's shadow of 40 %": lambda ink: page(ink) * (1 - 0.4 * hand()),
    "lined paper": lambda ink: ruled(ink, 180),
    "lined paper, dark lines": lambda ink: ruled(ink, 100),
    "lined paper, turned by 3 degrees": lambda ink: ruled(ink, 150, 3),
    "squared paper, turned by 3 degrees": lambda ink: ruled(ink, 170, 3, squares=True),
    "lined paper, light falls by 40 %": lambda ink: ruled(ink, 170, 2) * (1 - 0.4 * X),
    "pencil, light falls by 30 %": lambda ink: page(ink, 200, 130) * (1 - 0.3 * X),
    "dim, light falls by 30 %": lambda ink: page(ink, 120, 30) * (1 - 0.3 * X),
    "chalk, light falls by 40 %": lambda ink: page(ink, 40, 190) * (1 - 0.4 * X) + 20 * Y,
}
MARGINS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "transparent margin": lambda sheet: framed(sheet),
    "turned by 3 degrees, transparent corners": lambda sheet: turned(sheet, 3),
    "turned by 15 degrees, transparent corners": lambda sheet: turned(sheet, 15),
}


def framed(sheet: Image.Image) -> Image.Image:
    """A page inside a transparent margin."""
    around = Image.new("RGBA", (SIDE + 40, SIDE + 40))
    around.paste(sheet.convert("RGBA"), (20, 20))
    return around


def turned(sheet: Image.Image, degrees: float) -> Image.Image:
    """A page turned, with transparent corners."""
    return sheet.convert("RGBA").rotate(degrees, expand=True, resample=Image.Resampling.BICUBIC)


def enlarged(digit: NDArray[np.float32]) -> Levels:
    """A digit as ink from 0 to 1 on a page of 224 pixels."""
    small = Image.fromarray((digit * 255).astype(np.uint8))
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) / 255


def pictures(condition: str, inks: list[Levels], generator: np.random.Generator) -> list[Image.Image]:
    """A picture of each digit in a condition."""
    if condition in MARGINS:
        return [MARGINS[condition](Image.fromarray(page(ink).astype(np.uint8))) for ink in inks]
    photos = [CONDITIONS[condition](ink) + generator.normal(0, 4, ink.shape) for ink in inks]
    return [Image.fromarray(photo.clip(0, 255).astype(np.uint8)) for photo in photos]


def measured(condition: str, count: int, seed: int = 0) -> tuple[int, int, float]:
    """How many of the first digits are read right, how many are refused, and the seconds for one."""
    model = zoo.load(MODEL)
    digits, labels = data.load("mnist", indices=range(count))
    made = pictures(condition, [enlarged(digit[0].numpy()) for digit in digits], np.random.default_rng(seed))
    right = refused = 0
    began = time.perf_counter()
    prepared = []
    for picture in made:
        try:
            prepared.append(images.to_model_input(picture))
        except ValueError:
            prepared.append(None)
    seconds = time.perf_counter() - began
    for image, label in zip(prepared, labels, strict=True):
        refused += image is None
        right += image is not None and int(predict(model, image).argmax()) == int(label)
    return right, refused, seconds / count


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", type=int, default=40)
    count = parser.parse_args().digits
    print(f"{'of ' + str(count) + ' digits':44}  read right  refused    ms")
    for condition in (*CONDITIONS, *MARGINS):
        right, refused, seconds = measured(condition, count)
        print(f"{condition:44}{right:12}{refused:9}{1000 * seconds:6.0f}", flush=True)


if __name__ == "__main__":
    main()
