"""The comparison as a figure for a slide: one SVG, self-contained, pixels crisp in every program."""

from collections.abc import Mapping
from html import escape

from kerckhoffs import plots
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluate import percent
from kerckhoffs.ui.play import KINDS, Experiment, Reading

SIDE, GAP, TOP, ROW = 168, 40, 52, 226


def figure(experiment: Experiment, readings: Mapping[str, Reading]) -> str:
    """Two rows, classical and keyed: image + perturbation = adversarial image, and the verdict in words."""
    classes = DATASETS[experiment.dataset].classes
    factor = plots.gain(readings["classical"].adversarial_view - readings["classical"].clean_view)
    crafted = readings["classical"].verdict.crafted_on
    parts = [_text(0, 18, f"{ATTACKS[experiment.attack].name}, crafted on the {crafted}", "bold")]
    for row, kind in enumerate(KINDS):
        reading, y = readings[kind], TOP + row * ROW
        delta = reading.adversarial_view - reading.clean_view
        pictures = (
            plots.grey(reading.clean_view[0]),
            plots.signed(delta[0], factor),
            plots.grey(reading.adversarial_view[0]),
        )
        read = f"{classes[reading.verdict.after]} ({percent(reading.verdict.confidence)})"
        words = f"{reading.verdict.outcome()}: {classes[reading.verdict.before]} before, {read} after"
        parts.append(_text(0, y - 10, f"Evaluated on the {kind} classifier: {words}"))
        for column, picture in enumerate(pictures):
            x = column * (SIDE + GAP)
            parts.append(f'<image x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" href="{plots.data_uri(picture)}"/>')
            parts += [_text(x - GAP / 2 - 6, y + SIDE / 2, "+="[column - 1], "bold")] if column else []
    note = f"Perturbation: orange brighter, blue darker, full colour is a change of {1 / factor:.3f}."
    width, height = 3 * SIDE + 2 * GAP, TOP + 2 * ROW
    parts.append(_text(0, height - 16, note))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 -10 {width + 20} {height + 10}" width="{width + 20}" '
        f'font-family="sans-serif" font-size="15"><rect x="-10" y="-10" width="100%" height="100%" fill="#fff"/>'
        + "".join(parts)
        + "</svg>"
    )


def _text(x: float, y: float, words: str, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}">{escape(words)}</text>'
