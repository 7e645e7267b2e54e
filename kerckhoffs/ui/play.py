"""What the Play page compares: one example on the classical and on the keyed classifier."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st
import torch
from torch import Tensor, nn

from kerckhoffs import data, zoo
from kerckhoffs.attacks import ATTACKS, OnStep
from kerckhoffs.classifiers import CLASSIFIERS
from kerckhoffs.defences import ClassicalClassifier
from kerckhoffs.evaluate import Verdict, predict, succeeded
from kerckhoffs.knowledge import crafted_on

KINDS = ("classical", "keyed")
TRAINING_SAMPLES = 100  # that a universal perturbation is fitted on: minutes at most


@dataclass(frozen=True)
class Experiment:
    """Everything that decides an example; two equal experiments give the same one."""

    dataset: str
    classifier: str
    index: int
    attack: str
    options: tuple[tuple[str, Any], ...]
    target: int | None
    knowledge: str

    @property
    def crafted_on(self) -> str:
        """The id of the model that the example is crafted on."""
        return crafted_on(self.knowledge, self.card("keyed"))

    def model_id(self, kind: str) -> str:
        """The id of the "classical" or the "keyed" one of the two classifiers."""
        return zoo.model_id(self.dataset, self.classifier, keyed=kind == "keyed")

    def card(self, kind: str) -> zoo.ModelCard:
        """The card of the "classical" or the "keyed" one."""
        return zoo.card(self.model_id(kind))


def craft(experiment: Experiment, image: Tensor, label: int) -> Callable[[OnStep | None], Tensor]:
    """Prepare the attack on image (1, C, H, W); what is returned runs it and may be called in a worker."""
    attacked = model(experiment.crafted_on)
    targeted = experiment.target is not None
    aim = torch.tensor([experiment.target if targeted else label])
    images, labels = samples(experiment.dataset)
    others = [i for i in range(TRAINING_SAMPLES + 1) if i != experiment.index][:TRAINING_SAMPLES]
    training = images[others], labels[others]

    def run(on_step: OnStep | None) -> Tensor:
        return ATTACKS[experiment.attack].run(
            attacked, image, aim, targeted=targeted, training=training, on_step=on_step, **dict(experiment.options)
        )

    return run


@dataclass(frozen=True)
class Reading:
    """What one classifier sees and says: views (1, C, H, W), probabilities (K,), and the verdict."""

    clean_view: Tensor
    adversarial_view: Tensor
    before: list[float]
    after: list[float]
    verdict: Verdict


def compare(experiment: Experiment, image: Tensor, label: int, adversarial: Tensor) -> dict[str, Reading]:
    """Show the example to both classifiers, judged in float32; by kind, "classical" and "keyed"."""
    models = {kind: model(experiment.model_id(kind)) for kind in KINDS}
    probabilities = {kind: predict(each, torch.cat([image, adversarial])) for kind, each in models.items()}
    after = {kind: int(each[1].argmax()) for kind, each in probabilities.items()}
    crafted = zoo.card(experiment.crafted_on).kind
    return {
        kind: Reading(
            clean_view=models[kind].view(image),
            adversarial_view=models[kind].view(adversarial),
            before=probabilities[kind][0].tolist(),
            after=probabilities[kind][1].tolist(),
            verdict=Verdict(
                crafted_on=f"{crafted} classifier",
                evaluated_on=f"{kind} classifier",
                label=label,
                target=experiment.target,
                before=int(probabilities[kind][0].argmax()),
                after=after[kind],
                confidence=float(probabilities[kind][1].max()),
                crafted_success=succeeded(after[crafted], label, experiment.target),
            ),
        )
        for kind in KINDS
    }


@st.cache_resource(max_entries=2 * len(data.DATASETS) * len(CLASSIFIERS), show_spinner=False)
def model(model_id: str) -> ClassicalClassifier:
    """A shipped model, loaded once for all sessions; it is frozen, so they can share it."""
    loaded: nn.Module = zoo.load(model_id)
    assert isinstance(loaded, ClassicalClassifier)
    return loaded


@st.cache_resource(max_entries=len(data.DATASETS), show_spinner=False)
def samples(dataset: str) -> tuple[Tensor, Tensor]:
    """The bundled samples, read once for all sessions, who must not write into them."""
    return data.load(dataset)
