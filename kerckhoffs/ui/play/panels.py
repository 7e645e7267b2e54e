"""The Play page's pictures and verdicts."""

from collections.abc import Mapping
from html import escape
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from kerckhoffs import plots
from kerckhoffs.attackers import MadeCard
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import KeyedClassifier
from kerckhoffs.evaluation.judge import percent
from kerckhoffs.evaluation.metrics import distances, wilson
from kerckhoffs.plots import charts
from kerckhoffs.transforms.base import Distance
from kerckhoffs.ui import models
from kerckhoffs.ui.models import card, model, shows_view, title
from kerckhoffs.ui.play.experiment import Experiment, Reading
from kerckhoffs.ui.play.price import spent
from kerckhoffs.ui.play.views import shown
from kerckhoffs.zoo import NETWORKS

NORMS: tuple[Distance, ...] = ("linf", "l2", "l0")

Stage = Literal["clean", "running", "replay", "done"]
"""Whether the example is still the clean image, an attack's present attempt, an earlier one, or its result."""


class Comparison:
    """A column a classifier: image + perturbation = adversarial image as seen, verdict, probabilities.

    All but the charts can be drawn several times in one run of a script: each part takes the place of the one before.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self.spent = ""  # what the attack has asked of the model, in words
        self._parts: dict[str, DeltaGenerator] = {}
        ids = experiment.columns
        a_row = 2 if len(ids) == 4 else len(ids)
        places = [place for _ in range(0, len(ids), a_row) for place in st.columns(a_row, gap="medium")]
        self._sides = {
            name: place.container(key=f"side_{number}")
            for number, (name, place) in enumerate(zip(ids, places, strict=True))
        }
        self._said, self._below = st.container(), st.container()
        for name, side in self._sides.items():
            with side:
                _heading(experiment, name)

    def draw(self, adversarial: Tensor, readings: Mapping[str, Reading], stage: Stage) -> None:
        """All but the charts."""
        factor = plots.gain(adversarial - self._experiment.image)
        for number, (id_, side) in enumerate(self._sides.items()):
            said = "" if stage == "done" else self._note(readings[id_], stage)
            self._put(f"equation {number}", side, equation(readings[id_], seen(id_), factor) + said)
            name = f"verdict {number}"
            if stage == "done":
                self._parts[name] = self._verdict(self._parts.get(name, side), readings[id_])
            elif name not in self._parts:
                self._parts[name] = side.empty()  # an earlier verdict goes at once
        same = kept(self._experiment)
        below = _size(self._experiment.image, adversarial, factor, self.spent, same)
        below += stay(self._experiment, readings) if stage == "done" else ""
        self._put("size", self._below, below)

    def _put(self, name: str, container: DeltaGenerator, html: str) -> None:
        """A part in its container, or in the place where it was drawn before."""
        self._parts[name] = self._parts.get(name, container).html(html)

    def conclude(self, words: str) -> None:
        """What follows from the result, where it is seen without scrolling."""
        self._said.markdown(words)

    def chart(self, readings: Mapping[str, Reading]) -> None:
        """The charts of the probabilities; once in a run, and last, as a browser takes longest for them."""
        classes = DATASETS[self._experiment.dataset].classes
        for number, (name, side) in enumerate(self._sides.items()):
            reading = readings[name]
            bars = charts.Probabilities(reading.before, reading.after, reading.verdict.label, self._experiment.target)
            side.plotly_chart(
                charts.probabilities(bars, classes),
                key=f"bars_{number}",
                config={"displayModeBar": False},
                alt=f"Probabilities of the classes by the {reading.verdict.evaluated_on}, clean and adversarial",
            )

    def _note(self, reading: Reading, stage: Stage) -> str:
        """What is read while there is no result, in HTML: this changes several times a second."""
        verdict = reading.verdict
        read = f"{DATASETS[self._experiment.dataset].classes[verdict.after]} ({percent(verdict.confidence)})"
        said = {
            "clean": "Clean image, read as <b>{}</b>.",
            "running": "The attack is running; so far read as <b>{}</b>.",
            "replay": "At this step read as <b>{}</b>; not the result.",
        }[stage]
        role = "" if stage == "running" else ' role="alert"'  # read out, but not several times a second
        return f'<p class="k-note"{role}>{said.format(escape(read))}</p>'

    def _verdict(self, place: DeltaGenerator, reading: Reading) -> DeltaGenerator:
        classes, verdict = DATASETS[self._experiment.dataset].classes, reading.verdict
        outcome = verdict.outcome()
        show, icon = {
            "fooled": (place.error, ":material/dangerous:"),
            "still right": (place.success, ":material/shield:"),
            "no evidence": (place.warning, ":material/help:"),
            "was wrong before": (place.warning, ":material/block:"),
        }[outcome]
        arrow = f": {classes[verdict.before]} → {classes[verdict.after]}" if outcome == "fooled" else ""
        return show(f"**{outcome.capitalize()}{arrow}.** {verdict.sentence(classes)}", icon=icon)


def stay(experiment: Experiment, readings: Mapping[str, Reading]) -> str:
    """The verdicts in a line that stays in view on a phone, where they are far below the controls. Who does not see
    has the verdicts themselves."""
    classes = DATASETS[experiment.dataset].classes
    said = []
    for name in experiment.columns:
        verdict = readings[name].verdict
        mark = "✗" if verdict.outcome() == "fooled" else "✓" if verdict.outcome() == "still right" else "?"
        read = f"{classes[verdict.before]} → {classes[verdict.after]}" if verdict.fooled else classes[verdict.after]
        said.append(f"{escape(experiment.names[name].removesuffix(' classifier'))}: {escape(read)} {mark}")
    return f'<p class="k-stay" aria-hidden="true">{" · ".join(said)}</p>'


def _heading(experiment: Experiment, model_id: str) -> None:
    name = experiment.names[model_id]
    number = experiment.columns.index(model_id)
    with st.container(horizontal=True, wrap=False, key=f"heading_{number}"):
        st.markdown(f"**{name[0].upper()}{name[1:]}** sees the pixels {seen(model_id)}", width="content")
        with st.popover("About", type="tertiary", key=f"about_{number}"):
            about(model_id)


def about(model_id: str) -> None:
    """What a classifier is, what it costs and what is known against it, on a few lines."""
    entry = card(model_id)
    if isinstance(entry, MadeCard):
        st.markdown(f"**{title(entry).capitalize()}**")
        st.markdown(models.crafter(model_id).entry.summary)
        st.caption(spent(models.cost(model_id)))
        return
    low, high = wilson(round(entry.test_error * entry.test_samples), entry.test_samples)
    st.markdown(f"**{entry.title}**")
    st.markdown(entry.entry.summary)
    st.markdown(f"**Known against it.** {entry.entry.known}")
    st.caption(
        f"{NETWORKS[entry.network].summary} Trained {models.trained(entry)}. Clean error {percent(entry.test_error)}, "
        f"95 % interval {100 * low:.1f} to {100 * high:.1f} %, on {entry.test_samples} test samples."
    )


def seen(model_id: str) -> str:
    """How a classifier's network sees the pixels, in words."""
    entry = card(model_id)
    if isinstance(entry, MadeCard):
        return "through the attacker's P" if isinstance(model(model_id), KeyedClassifier) else "as they are"
    return entry.entry.sees if shows_view(entry) else "behind a private key; here they are as they came"


def kept(experiment: Experiment) -> tuple[Distance, ...]:
    """The distances that are the same behind the key of every keyed classifier here; none where none is keyed."""
    keyed = [card(name).entry.keeps for name in experiment.columns if card(name).keyed]
    return tuple(norm for norm in NORMS if keyed and all(norm in each for each in keyed))


def equation(reading: Reading, seen: str, factor: float) -> str:
    """Image + perturbation = adversarial image, as the classifier sees them, in HTML."""
    pictures = shown(reading, factor)
    terms = (
        ("image", pictures.clean),
        ("perturbation", pictures.perturbation),
        ("adversarial image", pictures.adversarial),
    )
    figures = (
        f'<figure><img alt="{what}, {seen}, for the {reading.verdict.evaluated_on}" src="{plots.data_uri(picture)}">'
        f"<figcaption>{escape(what)}</figcaption></figure>"
        for what, picture in terms
    )
    image, perturbation, adversarial = figures
    grid = " k-grid" * (reading.tiles != (1, 1))
    note = f'<p class="k-size">{pictures.note}</p>' if pictures.note else ""
    return f'<div class="k-sum{grid}">{image}<span>+</span>{perturbation}<span>=</span>{adversarial}</div>{note}'


def _size(image: Tensor, adversarial: Tensor, factor: float, spent: str, same: tuple[Distance, ...]) -> str:
    size = distances(image, adversarial)
    said = {
        "linf": f"l∞ {float(size.linf):.3f} ({255 * float(size.linf):.3g} of 255 grey levels)",
        "l2": f"l2 {float(size.l2):.2f}",
        "l0": f"l0 {int(size.l0)} of {image[0, 0].numel()} pixels",
    }
    claim = ", the same behind P" if same == NORMS else ""
    measured = " · ".join(words + ", the same behind P" * (norm in same and not claim) for norm, words in said.items())
    asked = f". Asked of the attacked model: {spent}" if spent else ""
    return (
        '<p class="k-size">Perturbation: <b>orange</b> brighter, <b>blue</b> darker, '
        f"gain ×{factor:.3g}: full colour is a change of {1 / factor:.3f}. Size{claim}: {measured}{asked}</p>"
    )
