"""Ten digits as a person draws them: skeletons in the unit square, drawn with a round pen and some variation."""

import numpy as np
from PIL import Image, ImageDraw

Stroke = list[tuple[float, float]]  # x to the right, y down, both in [0, 1]


def arc(x: float, y: float, width: float, height: float, start: float, end: float) -> Stroke:
    """Part of an ellipse around (x, y), in degrees from the right, clockwise on the screen."""
    angles = np.radians(np.linspace(start, end, 40))
    return [(x + width / 2 * np.cos(angle), y + height / 2 * np.sin(angle)) for angle in angles]


SKELETONS: dict[int, list[Stroke]] = {
    0: [arc(0.5, 0.5, 0.6, 1, 0, 360)],
    1: [[(0.5, 0), (0.5, 1)]],
    2: [[*arc(0.5, 0.27, 0.6, 0.54, 190, 380), (0.2, 1), (0.82, 1)]],
    3: [[*arc(0.45, 0.25, 0.55, 0.5, 210, 450), *arc(0.45, 0.74, 0.65, 0.52, 270, 510)]],
    4: [[(0.3, 0), (0.2, 0.55), (0.8, 0.55)], [(0.7, 0.05), (0.66, 1)]],
    5: [[(0.75, 0), (0.3, 0), (0.27, 0.45), *arc(0.47, 0.7, 0.6, 0.6, 240, 510)]],
    6: [[*arc(0.75, 0.65, 1, 1.3, 260, 180), *arc(0.5, 0.72, 0.5, 0.56, 180, 540)]],
    7: [[(0.2, 0), (0.8, 0), (0.42, 1)]],
    8: [[*arc(0.5, 0.25, 0.46, 0.5, 90, 450), *arc(0.5, 0.75, 0.56, 0.5, 270, 630)]],
    9: [[*arc(0.5, 0.28, 0.5, 0.56, 0, 360), (0.73, 0.35), (0.66, 1)]],
}


def draw(digit: int, generator: np.random.Generator, side: int = 280) -> Image.Image:
    """A drawing on a square canvas, white on black, mode L: turned, slanted, sized, placed and thick at random."""
    turn, slant = np.radians(generator.uniform(-8, 8)), generator.uniform(-0.05, 0.25)
    size, pen = generator.uniform(0.45, 0.75), generator.uniform(0.055, 0.085)  # of the canvas
    place = generator.uniform(-0.08, 0.08, 2)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ [[1, -slant], [0, 1]]
    canvas = Image.new("L", (2 * side, 2 * side))  # at twice the size, for smooth edges
    pencil, radius = ImageDraw.Draw(canvas), pen * side
    for stroke in SKELETONS[digit]:
        points = ((np.array(stroke) - 0.5) @ matrix.T * size + 0.5 + place) * 2 * side
        pencil.line([tuple(point) for point in points], fill=255, width=round(2 * radius))
        for x, y in points:
            pencil.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return canvas.reduce(2)
