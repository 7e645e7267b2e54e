"""The Play page's pictures and verdicts."""

from collections.abc import Mapping
from html import escape
from typing import Literal

import streamlit as st
from torch import Tensor

from kerckhoffs import plots
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluate import percent
from kerckhoffs.metrics import distances, wilson
from kerckhoffs.ui.play import KINDS, Experiment, Reading
from kerckhoffs.zoo import ModelCard

SEEN = {"classical": "as they are", "keyed": "as P(·, k) permutes them"}


Stage = Literal["clean", "running", "replay", "done"]
"""Whether the example is still the clean image, an attack's present attempt, an earlier one, or its result."""


def comparison(experiment: Experiment, adversarial: Tensor, readings: Mapping[str, Reading], stage: Stage) -> None:
    """Two columns, classical and keyed: image + perturbation = adversarial image as seen, verdict, probabilities."""
    factor = plots.gain(readings["classical"].adversarial_view - readings["classical"].clean_view)
    classes = DATASETS[experiment.dataset].classes
    columns = dict(zip(KINDS, st.columns(2, gap="medium"), strict=True))
    sides = {kind: columns[kind].container(key=f"side_{kind}") for kind in KINDS}
    for kind in KINDS:
        with sides[kind]:
            _heading(experiment.card(kind), kind)
            st.html(equation(readings[kind], kind, factor))
            _verdict(readings[kind], classes, stage)
    _size(experiment.image, adversarial, factor)
    for kind in KINDS:  # last, as a browser takes longest for them
        reading = readings[kind]
        bars = plots.Probabilities(reading.before, reading.after, reading.verdict.label, experiment.target)
        sides[kind].plotly_chart(
            plots.probabilities(bars, classes),
            key=f"bars_{kind}",
            config={"displayModeBar": False},
            alt=f"Probabilities of the ten classes by the {kind} classifier, clean and adversarial",
        )


def _heading(card: ModelCard, kind: str) -> None:
    low, high = wilson(round(card.test_error * card.test_samples), card.test_samples)
    st.markdown(
        f"**{kind.capitalize()} classifier** sees the pixels {SEEN[kind]}",
        help=f"Clean error {percent(card.test_error)}, 95 % interval {100 * low:.1f} to {100 * high:.1f} %, "
        f"on {card.test_samples} test samples.",
    )


def equation(reading: Reading, kind: str, factor: float) -> str:
    """Image + perturbation = adversarial image, as the classifier sees them, in HTML."""
    delta = reading.adversarial_view - reading.clean_view
    terms = (
        ("image", plots.grey(reading.clean_view[0], upscale=1)),
        ("perturbation", plots.signed(delta[0], factor, upscale=1)),
        ("adversarial image", plots.grey(reading.adversarial_view[0], upscale=1)),
    )
    figures = (
        f'<figure><img alt="{what}, {SEEN[kind]}, for the {kind} classifier" src="{plots.data_uri(picture)}">'
        f"<figcaption>{escape(what)}</figcaption></figure>"
        for what, picture in terms
    )
    image, perturbation, adversarial = figures
    return f'<div class="k-sum">{image}<span>+</span>{perturbation}<span>=</span>{adversarial}</div>'


def _size(image: Tensor, adversarial: Tensor, factor: float) -> None:
    size = distances(image, adversarial)
    st.caption(
        f"Perturbation: **orange** brighter, **blue** darker, gain ×{factor:.3g}: full colour is a change of "
        f"{1 / factor:.3f}. Size, the same behind P: l∞ {float(size.linf):.3f} · l2 {float(size.l2):.2f} · "
        f"l0 {int(size.l0)} of {image[0, 0].numel()} pixels"
    )


def _verdict(reading: Reading, classes: tuple[str, ...], stage: Stage) -> None:
    verdict = reading.verdict
    read = f"{classes[verdict.after]} ({percent(verdict.confidence)})"
    if stage != "done":
        st.info(
            {
                "clean": f"Clean image, read as **{read}**.",
                "running": f"The attack is running; so far read as **{read}**.",
                "replay": f"At this step read as **{read}**; not the result.",
            }[stage]
        )
        return
    outcome = verdict.outcome()
    show, icon = {
        "fooled": (st.error, ":material/dangerous:"),
        "still right": (st.success, ":material/shield:"),
        "no evidence": (st.warning, ":material/help:"),
        "was wrong before": (st.warning, ":material/block:"),
    }[outcome]
    arrow = f": {classes[verdict.before]} → {classes[verdict.after]}" if outcome == "fooled" else ""
    show(f"**{outcome.capitalize()}{arrow}.** {verdict.sentence(classes)}", icon=icon)
