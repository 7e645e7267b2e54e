"""A replay as a file: an animated GIF of an attack's steps, each frame with its step and what is read there."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kerckhoffs import plots
from kerckhoffs.attacks import ATTACKS, Step
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluation.judge import percent
from kerckhoffs.ui.play.experiment import Experiment, Reading, compare
from kerckhoffs.ui.play.views import shown

SIDE, GAP, MARGIN, LINE = 140, 16, 12, 20
FRAME_MS, LAST_MS = 160, 2500


def animation(experiment: Experiment, steps: Sequence[Step], result: Mapping[str, Reading]) -> bytes:
    """A GIF: the steps that were kept, evenly spread, then the result, which stays.

    Args:
        steps: of the attack, in their order. Their perturbations are shown with one gain, that of the largest.
        result: what the classifiers say of the example.
    """
    factor = min(plots.gain(step.current - experiment.image) for step in steps)
    total = steps[-1].total
    frames = [
        _frame(experiment, compare(experiment, step.current), factor, f"step {step.done} of {total}") for step in steps
    ]
    frames.append(_frame(experiment, result, factor, f"the result; {len(steps)} of its steps were shown"))
    file = io.BytesIO()
    durations = [FRAME_MS] * len(steps) + [LAST_MS]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=True)
    return file.getvalue()


def _frame(experiment: Experiment, readings: Mapping[str, Reading], factor: float, words: str) -> Image.Image:
    classes = DATASETS[experiment.dataset].classes
    height = MARGIN + LINE + len(experiment.columns) * (2 * LINE + SIDE) + MARGIN
    page = Image.new("RGB", (3 * SIDE + 2 * GAP + 2 * MARGIN, height), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    y = MARGIN
    name = ATTACKS[experiment.attack].name
    pen.text((MARGIN, y), f"{name}, crafted on {experiment.crafted_words}: {words}", "black", font)
    y += LINE
    for column in experiment.columns:
        reading = readings[column]
        read = max(range(len(classes)), key=reading.after.__getitem__)
        said = f"{experiment.names[column]} reads {classes[read]} ({percent(reading.after[read])})"
        pen.text((MARGIN, y + 4), said, "black", font)
        y += LINE + 4
        pictures = shown(reading, factor)
        for place, picture in enumerate((pictures.clean, pictures.perturbation, pictures.adversarial)):
            drawn = Image.fromarray(np.asarray(picture)).convert("RGB").resize((SIDE, SIDE), Image.Resampling.NEAREST)
            page.paste(drawn, (MARGIN + place * (SIDE + GAP), y))
        y += SIDE + LINE - 4
    return page
