"""The Play page's pictures and verdicts."""

from collections.abc import Mapping
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


Stage = Literal["clean", "running", "done"]
"""Whether the example is still the clean image, an attack's present attempt, or its result."""


def comparison(
    experiment: Experiment, image: Tensor, adversarial: Tensor, readings: Mapping[str, Reading], stage: Stage
) -> None:
    """Two columns, classical and keyed: image + perturbation = adversarial image as seen, verdict, probabilities."""
    factor = plots.gain(readings["classical"].adversarial_view - readings["classical"].clean_view)
    for column, kind in zip(st.columns(2, gap="medium"), KINDS, strict=True):
        with column:
            _heading(experiment.card(kind), kind)
            _sum(readings[kind], kind, factor)
            _verdict(readings[kind], DATASETS[experiment.dataset].classes, stage)
    _size(image, adversarial, factor)
    for column, kind in zip(st.columns(2, gap="medium"), KINDS, strict=True):
        reading = readings[kind]
        bars = plots.Probabilities(reading.before, reading.after, reading.verdict.label, experiment.target)
        column.plotly_chart(
            plots.probabilities(bars, DATASETS[experiment.dataset].classes),
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


def _sum(reading: Reading, kind: str, factor: float) -> None:
    """Image + perturbation = adversarial image, as the classifier sees them."""
    delta = reading.adversarial_view - reading.clean_view
    terms = (
        ("image", plots.grey(reading.clean_view[0])),
        ("perturbation", plots.signed(delta[0], factor)),
        ("adversarial image", plots.grey(reading.adversarial_view[0])),
    )
    with st.container(key=f"sum_{kind}"):
        cells = st.columns([10, 1, 10, 1, 10], gap=None, vertical_alignment="center", wrap=False)
    for cell, sign in zip(cells[1::2], "+=", strict=True):
        cell.markdown(f"**{sign}**", text_alignment="center")
    for cell, (what, picture) in zip(cells[::2], terms, strict=True):
        alt = f"{what}, {SEEN[kind]}, for the {kind} classifier"
        cell.image(picture, caption=what, width="stretch", output_format="PNG", alt=alt)


def _size(image: Tensor, adversarial: Tensor, factor: float) -> None:
    size = distances(image, adversarial)
    st.caption(
        f"Perturbation: **orange** brighter, **blue** darker, gain ×{factor:.3g}: full colour is a change of "
        f"{1 / factor:.3f}. Size, the same behind P: l∞ {float(size.linf):.3f} · l2 {float(size.l2):.2f} · "
        f"l0 {int(size.l0)} of {image[0, 0].numel()} pixels"
    )


def _verdict(reading: Reading, classes: tuple[str, ...], stage: Stage) -> None:
    if stage != "done":
        read = f"{classes[reading.verdict.after]} ({percent(reading.verdict.confidence)})"
        st.info(
            f"Clean image, read as {read}." if stage == "clean" else f"The attack is running; so far read as {read}."
        )
        return
    outcome = reading.verdict.outcome()
    show, icon = {
        "fooled": (st.error, ":material/dangerous:"),
        "still right": (st.success, ":material/shield:"),
        "no evidence": (st.warning, ":material/help:"),
        "was wrong before": (st.warning, ":material/block:"),
    }[outcome]
    show(f"**{outcome.capitalize()}.** {reading.verdict.sentence(classes)}", icon=icon)
