"""What the Play page compares: one example on classifiers side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor

from kerckhoffs import attackers
from kerckhoffs.attackers import check_access
from kerckhoffs.attacks import ATTACKS, OnStep
from kerckhoffs.checks import check_choice
from kerckhoffs.data import DATASETS, images
from kerckhoffs.evaluation.judge import Counted, Verdict, predict, succeeded
from kerckhoffs.ui import models
from kerckhoffs.ui.models import card, model, samples
from kerckhoffs.ui.parts import pixels, strokes

TRAINING_SAMPLES = 100  # that a universal perturbation is fitted on: minutes at most


@dataclass(frozen=True)
class Experiment:
    """Everything that decides an example and what it is shown to; two equal experiments give the same, but for what a
    randomised defence draws.

    Args:
        left, right: ids of the two classifiers; the right one is the defended one, about which the attacker knows
            this or that.
        knowledge: who attacks, a key of ATTACKERS; given: the options of this attacker.
        source: where the image comes from: "sample", "drawing" or "upload".
        value: the sample's number, or the encoded drawing, or the encoded pixels of the upload.
        label: the true class, or what the drawing or the upload is meant to be.
        seed: of an attack that draws random numbers.
        control: whether a classifier without a key, which the attacker never saw, stands beside.
    """

    dataset: str
    left: str
    right: str
    source: str
    value: str
    label: int
    attack: str
    options: tuple[tuple[str, Any], ...]
    target: int | None
    knowledge: str
    seed: int = 0
    control: bool = False
    given: tuple[tuple[str, Any], ...] = ()

    @cached_property
    def crafted_on(self) -> str:
        """The id of the model that the example is crafted on, which may have to be made first."""
        return attackers.crafted_on(self.knowledge, card(self.right), dict(self.given))

    @cached_property  # one run of the page shows one or the other, whatever ends meanwhile
    def ready(self) -> bool:
        """Whether that model is there."""
        return models.there(self.crafted_on)

    @property
    def of_nothing(self) -> bool:
        """Whether the example is noise, which is crafted on no model."""
        return ATTACKS[self.attack].access == "nothing"

    @property
    def crafted_words(self) -> str:
        """What the example is crafted on, in words that follow "crafted on"."""
        if not self.of_nothing:
            return f"the {self.names[self.crafted_on]}"
        tries = dict(self.options).get("tries", 1)
        chosen = f" and drawn until it misled the {self.names[self.crafted_on]}, at most {tries} times"
        return "nothing" + (chosen if tries > 1 else "")

    @property
    def control_id(self) -> str | None:
        """The id of the control, if one is to stand beside and is none of the others."""
        name = models.control(card(self.right)) if self.control else None
        return None if name in (self.left, self.right, self.crafted_on) else name

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The ids of the classifiers that stand side by side; what is attacked is one of them, once it is there."""
        shown = (self.left, self.right, self.crafted_on if self.ready else None, self.control_id)
        return tuple(dict.fromkeys(name for name in shown if name is not None))

    @cached_property
    def names(self) -> dict[str, str]:
        """What each of the columns is called."""
        return models.names(self.columns, self.control_id)

    @cached_property  # like `before` the same at every step of an attack
    def image(self) -> Tensor:
        """The clean image, (1, C, H, W)."""
        return picture(self.dataset, self.source, self.value)

    @cached_property
    def before(self) -> dict[str, Tensor]:
        """What each column says of the clean image, the probabilities of the classes (K,)."""
        of_image = self.dataset, self.source, self.value
        return {name: _clean(name, card(name).sha256, *of_image) for name in self.columns}


# What the page opens on: an attack that flips the classical classifier (a test holds that).
OPENING_SAMPLE, OPENING_EPSILON, OPENING_KNOWLEDGE = 36, 0.15, "twin"  # an example that fools by a clear margin


def opening() -> Experiment:
    """What the page shows at first, where the shipped models are there."""
    dataset, options = "mnist", (("epsilon", OPENING_EPSILON), ("perturb_all", True))
    left, right = models.pair(dataset, "table1")
    label = int(samples(dataset)[1][OPENING_SAMPLE])
    source = "sample", str(OPENING_SAMPLE)
    return Experiment(dataset, left, right, *source, label, "fgsm", options, None, OPENING_KNOWLEDGE)


def picture(dataset: str, source: str, value: str) -> Tensor:
    """The image (1, C, H, W) that the models see, in 256 levels, so that an address and a program can hold it.

    Raises:
        ValueError: if the drawing or the pixels cannot be read, or nothing is drawn.
    """
    shape = DATASETS[dataset].shape
    if source == "drawing":
        drawn = images.to_model_input(strokes.picture(strokes.decode(value)), shape=shape)
        return pixels.decode(pixels.encode(drawn), shape)
    if source == "upload":
        return pixels.decode(value, shape)
    return samples(dataset)[0][int(value)][None]


@lru_cache(maxsize=256)
def _clean(model_id: str, sha256: str, dataset: str, source: str, value: str) -> Tensor:
    """What a model says of a clean image, (K,): the same for all attacks and options."""
    return predict(model(model_id), picture(dataset, source, value))[0]


class Crafting:
    """An attack that is ready to run, in a worker too, and what it has asked of the model so far.

    Raises:
        ValueError: if the attack reads more of the model than the attacker has, or than may be shown of a private key.
    """

    def __init__(self, experiment: Experiment) -> None:
        attack = ATTACKS[experiment.attack]
        check_access(experiment.knowledge, attack)
        defended = card(experiment.right)
        check_choice(experiment.knowledge, models.attackers(defended), "attacker on this classifier")
        if not models.may_run(attack, experiment.knowledge, defended):
            raise ValueError(f"{attack.name} puts gradients together, and those of a private key are not shown")
        self._experiment, self._attack = experiment, attack
        self._attacked, self._image = Counted(model(experiment.crafted_on)), experiment.image
        self._training = _training(experiment) if attack.training else None

    def __call__(self, on_step: OnStep | None) -> Tensor:
        """The example, (1, C, H, W)."""
        made = self._experiment
        aim = made.label if made.target is None else made.target
        return self._attack.run(
            self._attacked,
            self._image,
            torch.tensor([aim]),
            targeted=made.target is not None,
            generator=torch.Generator().manual_seed(made.seed),
            training=self._training,
            on_step=on_step,
            **dict(made.options),
        )

    @property
    def spent(self) -> str:
        """What it has asked so far, in words: queries where it reads answers, else gradients; "" if it needs none."""
        calls = self._attacked.calls
        if self._experiment.crafted_words == "nothing":
            return ""
        if self._attack.access == "gradients":
            return f"{calls.gradients} {'gradient' if calls.gradients == 1 else 'gradients'}"
        return f"{calls.forwards} {'query' if calls.forwards == 1 else 'queries'}"


def craft(experiment: Experiment) -> Crafting:
    """Prepare the attack of an experiment.

    Raises:
        ValueError: if the attack reads more of the model than the attacker has.
    """
    return Crafting(experiment)


def _training(experiment: Experiment) -> tuple[Tensor, Tensor]:
    """Samples without the one that is shown, with their labels."""
    shown = experiment.value if experiment.source == "sample" else ""
    others = [i for i in range(TRAINING_SAMPLES + 1) if str(i) != shown][:TRAINING_SAMPLES]
    every, labels = samples(experiment.dataset)
    return every[others], labels[others]


@dataclass(frozen=True)
class Reading:
    """What one classifier sees and says.

    Args:
        clean_view, adversarial_view: (1, C, H, W); of several networks a grid of what they see; the images as they
            are where a private key hides the view.
        before, after: the probabilities of the classes, of the clean image and of the example.
        tiles: rows and columns of that grid.
    """

    clean_view: Tensor
    adversarial_view: Tensor
    before: list[float]
    after: list[float]
    verdict: Verdict
    tiles: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class NoiseVerdict(Verdict):
    """What became of noise on one model. Nothing was attacked, so that it is still right is no evidence."""

    def sentence(self, classes: tuple[str, ...]) -> str:
        """The verdict in words."""
        beginning = f"Crafted on the {self.crafted_on}, "
        plain = Verdict(**vars(self) | {"crafted_success": True, "nothing_to_attack": False}).sentence(classes)
        read = plain.removeprefix(beginning).replace("before the attack too", "before the noise too", 1)
        said = f"Noise, crafted on {self.crafted_on}, {read}"
        nothing = self.outcome() == "no evidence"
        return f"{said} Noise is no attack, so this says nothing about the defence." if nothing else said


def compare(experiment: Experiment, adversarial: Tensor) -> dict[str, Reading]:
    """Show the example to every column, judged in float32; by id.

    While the model to craft on has to be made, there is no example, and nothing is said of one.
    """
    after = {name: predict(model(name), adversarial)[0] for name in experiment.columns}
    wanted = experiment.label, experiment.target
    both = torch.cat([experiment.image, adversarial])
    views = {name: seen(name, both).split(1) for name in experiment.columns}  # under the same draw of a random defence
    kind: type[Verdict] = Verdict
    crafted_on, success, nothing = "model that has to be made first", False, False
    if experiment.of_nothing:
        kind, crafted_on = NoiseVerdict, experiment.crafted_words
    elif experiment.ready:
        crafted_on = experiment.names[experiment.crafted_on]
        success = succeeded(int(after[experiment.crafted_on].argmax()), *wanted)
        nothing = succeeded(int(experiment.before[experiment.crafted_on].argmax()), *wanted)
    return {
        name: Reading(
            clean_view=views[name][0],
            adversarial_view=views[name][1],
            before=experiment.before[name].tolist(),
            after=after[name].tolist(),
            verdict=kind(
                crafted_on=crafted_on,
                evaluated_on=experiment.names[name],
                label=experiment.label,
                target=experiment.target,
                before=int(experiment.before[name].argmax()),
                after=int(after[name].argmax()),
                confidence=float(after[name].max()),
                crafted_success=success,
                nothing_to_attack=nothing,
            ),
            tiles=(views[name][0].shape[2] // both.shape[2], views[name][0].shape[3] // both.shape[3]),
        )
        for name in experiment.columns
    }


def seen(model_id: str, images: Tensor) -> Tensor:
    """What a network sees of images, as far as it may be shown."""
    return model(model_id).view(images) if models.shows_view(card(model_id)) else images


Readings = Mapping[str, Reading]
