"""Classifiers that an attacker trains: with data of their own, seeds of their own, and keys of their own."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from kerckhoffs import zoo
from kerckhoffs.attackers.base import Part, Target, Workshop
from kerckhoffs.attacks import Option
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import DEFENCES, DefendedClassifier
from kerckhoffs.keys import Key
from kerckhoffs.zoo import networks, train
from kerckhoffs.zoo.train import Recipe

ALL = 55_000  # training samples of MNIST and Fashion-MNIST
SAMPLES = Option("samples", int, ALL, "Training samples that the attacker has.", low=100, high=ALL)


@dataclass(frozen=True)
class Classifier(Part):
    """A network with a defence, trained on the training samples.

    Args:
        dataset, network, defence: keys of the registries.
        recipe: how; its seed, one of the attackers', names the keys as well.
        samples: training samples that the attacker has.
    """

    dataset: str
    network: str
    defence: str
    recipe: Recipe
    samples: int = ALL

    @property
    def label(self) -> str:
        """Its set, network and defence."""
        return f"{self.dataset}-{self.network}-{self.defence}"

    def make(self, workshop: Workshop) -> dict[str, Tensor]:
        """The weights of its network."""

        def on_step(progress: train.Progress) -> None:
            stage = "" if progress.stage == "network" else f"{progress.stage}, "
            error = progress.validation_error
            known = "" if error is None else f", {100 * error:.1f} % wrong"
            workshop.tell(progress.step, progress.steps, f"{stage}epoch {progress.epoch + 1}{known}")

        fitted = train.fit(
            self.dataset,
            self.network,
            self.defence,
            keys=self.keys,
            recipe=self.recipe,
            samples=None if self.samples == ALL else self.samples,
            on_step=on_step,
            checkpoint=workshop.folder,
        )
        return {name: value.contiguous() for name, value in fitted.model.network.state_dict().items()}

    def build(self, tensors: dict[str, Tensor], folder: Path | None = None) -> DefendedClassifier:
        """The classifier with these weights, in eval mode, frozen."""
        model = DEFENCES[self.defence].build(
            lambda: networks.build(self.network, self.dataset), DATASETS[self.dataset].shape, self.keys
        )
        model.network.load_state_dict(tensors)
        return zoo.frozen(model)

    @property
    def keys(self) -> tuple[Key, ...]:
        """Its keys: nobody relies on them, so a seed may name them."""
        lengths = DEFENCES[self.defence].key_lengths(DATASETS[self.dataset].shape)
        secret = hashlib.sha256(f"kerckhoffs attacker {self.recipe.seed}".encode()).digest()
        whose = "an attacker's network"
        return tuple(
            Key.derive(secret, length, f"{whose}, key {number}" if number else whose)
            for number, length in enumerate(lengths)
        )


def classifier(
    target: Target, defence: str, number: int = 0, network: str | None = None, samples: int = ALL
) -> Classifier:
    """The attacker's number-th classifier with a defence, for the target's set and, unless another is named, network.

    Where nothing is attacked in training the quick recipe is enough; else it is trained as such a defended one is.
    """
    network = network or target.network
    recipe = replace(train.recipe_for(target.dataset, network, defence), seed=train.ATTACKERS_FROM + number)
    if DEFENCES[defence].training == "clean":
        recipe = train.quick(recipe)
    return Classifier(target.dataset, network, defence, recipe, samples)
