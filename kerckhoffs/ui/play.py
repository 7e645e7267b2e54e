"""What the Play page compares: one example on the classical and on the keyed classifier."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import streamlit as st
import torch
from torch import Tensor, nn

from kerckhoffs import data, images, zoo
from kerckhoffs.attacks import ATTACKS, OnStep
from kerckhoffs.checks import check_choice
from kerckhoffs.classifiers import CLASSIFIERS
from kerckhoffs.defences import ClassicalClassifier
from kerckhoffs.evaluate import Verdict, predict, succeeded
from kerckhoffs.knowledge import check_access, crafted_on
from kerckhoffs.ui import pixels, strokes

KINDS = ("classical", "keyed")
TRAINING_SAMPLES = 100  # that a universal perturbation is fitted on: minutes at most


@dataclass(frozen=True)
class Experiment:
    """Everything that decides an example; two equal experiments give the same one.

    Args:
        source: where the image comes from: "sample", "drawing" or "upload".
        value: the sample's number, or the encoded drawing, or the encoded pixels of the upload.
        label: the true class, or what the drawing or the upload is meant to be.
        seed: of an attack that draws random numbers.
    """

    dataset: str
    classifier: str
    source: str
    value: str
    label: int
    attack: str
    options: tuple[tuple[str, Any], ...]
    target: int | None
    knowledge: str
    seed: int = 0

    @property
    def crafted_on(self) -> str:
        """The id of the model that the example is crafted on."""
        return crafted_on(self.knowledge, self.card("keyed"))

    @property
    def crafted_kind(self) -> str:
        """Its kind: "classical", "keyed" or "surrogate"."""
        return card(self.crafted_on).kind

    @cached_property  # like `before` the same at every step of an attack
    def image(self) -> Tensor:
        """The clean image, (1, 1, 28, 28)."""
        return picture(self.dataset, self.source, self.value)

    @property
    def models(self) -> dict[str, str]:
        """The ids of both classifiers and of the model that the example is crafted on, by kind."""
        return {kind: self.model_id(kind) for kind in KINDS} | {self.crafted_kind: self.crafted_on}

    @cached_property
    def before(self) -> dict[str, Tensor]:
        """What each of these models says of the clean image, the ten probabilities (10,), by kind."""
        return {kind: predict(model(model_id), self.image)[0] for kind, model_id in self.models.items()}

    def model_id(self, kind: str) -> str:
        """The id of the "classical" or the "keyed" one of the two classifiers."""
        return zoo.model_id(self.dataset, self.classifier, keyed=kind == "keyed")

    def card(self, kind: str) -> zoo.ModelCard:
        """The card of the "classical" or the "keyed" one."""
        return card(self.model_id(kind))


def picture(dataset: str, source: str, value: str) -> Tensor:
    """The image (1, 1, 28, 28) that the models see, in 256 greys, so that an address and a program can hold it.

    Raises:
        ValueError: if the drawing or the pixels cannot be read, or nothing is drawn.
    """
    if source == "drawing":
        return pixels.decode(pixels.encode(images.to_model_input(strokes.picture(strokes.decode(value)))))
    if source == "upload":
        return pixels.decode(value)
    return samples(dataset)[0][int(value)][None]


def craft(experiment: Experiment) -> Callable[[OnStep | None], Tensor]:
    """Prepare the attack; what is returned runs it and may be called in a worker.

    Raises:
        ValueError: if the attack reads more of the model than the attacker has.
    """
    attack = ATTACKS[experiment.attack]
    check_access(experiment.knowledge, attack)
    attacked, image = model(experiment.crafted_on), experiment.image
    targeted = experiment.target is not None
    aim = torch.tensor([experiment.target if targeted else experiment.label])
    training = _training(experiment) if attack.kind == "universal" else None

    def run(on_step: OnStep | None) -> Tensor:
        return attack.run(
            attacked,
            image,
            aim,
            targeted=targeted,
            generator=torch.Generator().manual_seed(experiment.seed),
            training=training,
            on_step=on_step,
            **dict(experiment.options),
        )

    return run


def _training(experiment: Experiment) -> tuple[Tensor, Tensor]:
    """Samples without the one that is shown, with their labels."""
    shown = experiment.value if experiment.source == "sample" else ""
    others = [i for i in range(TRAINING_SAMPLES + 1) if str(i) != shown][:TRAINING_SAMPLES]
    images, labels = samples(experiment.dataset)
    return images[others], labels[others]


@dataclass(frozen=True)
class Reading:
    """What one classifier sees and says.

    Args:
        clean_view, adversarial_view: (1, C, H, W).
        before, after: the ten probabilities, of the clean image and of the example.
    """

    clean_view: Tensor
    adversarial_view: Tensor
    before: list[float]
    after: list[float]
    verdict: Verdict


def compare(experiment: Experiment, adversarial: Tensor) -> dict[str, Reading]:
    """Show the example to both classifiers, and to the one it was crafted on, judged in float32; by kind."""
    loaded = {kind: model(model_id) for kind, model_id in experiment.models.items()}
    after = {kind: predict(loaded[kind], adversarial)[0] for kind in loaded}
    success = succeeded(int(after[experiment.crafted_kind].argmax()), experiment.label, experiment.target)
    return {
        kind: Reading(
            clean_view=classifier.view(experiment.image),
            adversarial_view=classifier.view(adversarial),
            before=experiment.before[kind].tolist(),
            after=after[kind].tolist(),
            verdict=Verdict(
                crafted_on=f"{experiment.crafted_kind} classifier",
                evaluated_on=f"{kind} classifier",
                label=experiment.label,
                target=experiment.target,
                before=int(experiment.before[kind].argmax()),
                after=int(after[kind].argmax()),
                confidence=float(after[kind].max()),
                crafted_success=success,
            ),
        )
        for kind, classifier in loaded.items()
    }


def card(model_id: str) -> zoo.ModelCard:
    """The card of a shipped model.

    Raises:
        ValueError: on an unknown id.
    """
    check_choice(model_id, _cards(), "model")
    return _cards()[model_id]


@st.cache_resource(show_spinner=False)
def _cards() -> dict[str, zoo.ModelCard]:
    """The manifest, read once for all sessions."""
    return zoo.models()


@st.cache_resource(max_entries=3 * len(data.DATASETS) * len(CLASSIFIERS), show_spinner=False)
def model(model_id: str) -> ClassicalClassifier:
    """A shipped model, loaded once for all sessions; it is frozen, so they can share it."""
    loaded: nn.Module = zoo.load(model_id)
    assert isinstance(loaded, ClassicalClassifier)
    return loaded


@st.cache_resource(max_entries=len(data.DATASETS), show_spinner=False)
def samples(dataset: str) -> tuple[Tensor, Tensor]:
    """The bundled samples, read once for all sessions, who must not write into them."""
    return data.load(dataset)
