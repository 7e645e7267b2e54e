"""A sample that tells something: one on which the attack works where it is crafted, and whose outcome on the defended
classifier is drawn first, so that neither the defence nor the attack is flattered."""

import random

import streamlit as st
import torch

from kerckhoffs.attacks import ATTACKS
from kerckhoffs.evaluation.judge import predict
from kerckhoffs.ui import controls, models
from kerckhoffs.ui.models import card, model, samples
from kerckhoffs.ui.play.experiment import OPENING_EPSILON, Experiment

LOOKED_AT = 48  # samples that are drawn and attacked by FGSM, which takes some hundredths of a second


def button(dataset: str) -> None:
    """The button; it looks at what the page showed last."""
    st.button(
        "Surprise me",
        icon=":material/casino:",
        key="surprise",
        on_click=_surprise,
        args=(dataset,),
        help="Another sample, on which FGSM works where it is crafted. Whether it carries over to the defended "
        "classifier is drawn first, half and half, as far as there are both.",
    )


def _surprise(dataset: str) -> None:
    played: Experiment | None = st.session_state.get("played")
    if played is None or played.dataset != dataset:
        return
    found = told(played, random.SystemRandom())
    if found is not None:
        controls.show_sample(dataset, samples(dataset)[1], found)


def told(played: Experiment, draw: random.Random) -> int | None:
    """The index of such a sample; None if none of those that were looked at is."""
    every, labels = samples(played.dataset)
    looked = draw.sample(range(len(labels)), min(LOOKED_AT, len(labels)))
    images, wanted = every[looked], labels[looked]
    epsilon = float(dict(played.options).get("epsilon", OPENING_EPSILON)) if _linf(played) else OPENING_EPSILON
    base = played.crafted_on if played.ready and models.shows_view(card(played.crafted_on)) else played.left
    base = played.left if played.of_nothing else base
    made = ATTACKS["fgsm"].run(model(base), images, wanted, epsilon=epsilon, perturb_all=True)
    right = torch.stack([predict(model(name), images).argmax(1) == wanted for name in {base, played.right}]).all(0)
    works = right & (predict(model(base), made).argmax(1) != wanted)
    carries = predict(model(played.right), made).argmax(1) != wanted
    kinds = [(works & carries).nonzero().flatten().tolist(), (works & ~carries).nonzero().flatten().tolist()]
    kinds = [kind for kind in kinds if kind]
    return looked[draw.choice(draw.choice(kinds))] if kinds else None


def _linf(played: Experiment) -> bool:
    return ATTACKS[played.attack].norm == "linf"
