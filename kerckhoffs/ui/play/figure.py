"""The comparison as a figure for a slide: one SVG, self-contained, pixels crisp in every program."""

import textwrap
from collections.abc import Mapping
from html import escape

from torch import Tensor

from kerckhoffs import plots
from kerckhoffs.attackers import ATTACKERS, is_made
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.data import DATASETS
from kerckhoffs.ui.models import card, title
from kerckhoffs.ui.play.experiment import Experiment, Reading
from kerckhoffs.ui.play.views import Shown, shown
from kerckhoffs.zoo import NETWORKS

SIDE, GAP, MARGIN = 168, 40, 10
WIDTH = 3 * SIDE + 2 * GAP
LINE = 20
CHARACTERS = 70  # in a line, so that it fits in a wide font too


def figure(experiment: Experiment, adversarial: Tensor, readings: Mapping[str, Reading]) -> str:
    """The setting, and a row a classifier: the verdict, and image + perturbation = adversarial image."""
    factor = plots.gain(adversarial - experiment.image)
    parts: list[str] = []
    drawn: list[Shown] = []
    y = 0

    def write(words: str, weight: str = "normal") -> None:
        nonlocal y
        for line in textwrap.wrap(words, CHARACTERS):
            y += LINE
            parts.append(_text(0, y, line, weight))

    write(f"{ATTACKS[experiment.attack].name}, crafted on {experiment.crafted_words}", "bold")
    write(_setting(experiment))
    for name in experiment.columns:
        y += LINE // 2
        called = experiment.names[name]
        write(f"{called[0].upper()}{called[1:]}: {readings[name].verdict.outcome()}", "bold")
        write(readings[name].verdict.sentence(DATASETS[experiment.dataset].classes))
        drawn.append(shown(readings[name], factor, plots.UPSCALE))
        parts += _pictures(drawn[-1], y + MARGIN)
        y += MARGIN + SIDE
        write(drawn[-1].note)
    colours = "Perturbation: orange brighter, blue darker, full colour is a change of"
    write(f"{colours} {1 / factor:.3f}{' where nothing else is said' * any(each.note for each in drawn)}.")
    width, height = WIDTH + 2 * MARGIN, y + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-{MARGIN} 0 {width} {height}" width="{width}" '
        f'font-family="sans-serif" font-size="15"><rect x="-{MARGIN}" width="100%" height="100%" fill="#fff"/>'
        + "".join(parts)
        + "</svg>"
    )


def _setting(experiment: Experiment) -> str:
    """What else decides the example, in words."""
    classes = DATASETS[experiment.dataset].classes
    image = f"sample {experiment.value}" if experiment.source == "sample" else experiment.source
    words = [
        f"{_attacker(experiment)}. {DATASETS[experiment.dataset].name}",
        *_networks(experiment),
        f"{image} of class {classes[experiment.label]}",
        "no target" if experiment.target is None else f"target {classes[experiment.target]}",
        *(f"{name.replace('_', ' ')} {value}" for name, value in experiment.options if name != "perturb_all"),
    ]
    words += [f"seed {experiment.seed}"] if ATTACKS[experiment.attack].random else []
    return f"{', '.join(words)}."


def _attacker(experiment: Experiment) -> str:
    """Who attacks, with the options of this attacker."""
    said = [f"{name.replace('_', ' ')} {value}" for name, value in experiment.given]
    return ", ".join([ATTACKERS[experiment.knowledge].words(card(experiment.right))[0], *said])


def _networks(experiment: Experiment) -> list[str]:
    """The network of all columns but the attacker's own, or that of each."""
    trained = [name for name in experiment.columns if not is_made(name)]
    networks = {card(name).network for name in trained}
    if len(networks) == 1:
        return [f"network of {NETWORKS[networks.pop()].name}"]
    return [f"{experiment.names[name]}: {title(card(name))}" for name in trained]


def _pictures(pictures: Shown, y: float) -> list[str]:
    """Image + perturbation = adversarial image, as the classifier sees them."""
    parts = [_text(column * (SIDE + GAP) - GAP / 2 - 6, y + SIDE / 2, "+="[column - 1], "bold") for column in (1, 2)]
    for column, picture in enumerate((pictures.clean, pictures.perturbation, pictures.adversarial)):
        x = column * (SIDE + GAP)
        parts.append(f'<image x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" href="{plots.data_uri(picture)}"/>')
    return parts


def _text(x: float, y: float, words: str, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}">{escape(words)}</text>'
