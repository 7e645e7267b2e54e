"""What a way of training gives the network to learn from: clean images, attacked ones, a teacher's answers.

A method turns a clean batch into inputs and targets, and names the validation samples, attacked, by which the best
epoch is chosen. To add one, write its class, describe it in defences/retraining.py, and make it in loop.py.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.averaged import Averaged
from kerckhoffs.zoo.train.crafting import perturb
from kerckhoffs.zoo.train.judging import AT_ONCE
from kerckhoffs.zoo.train.recipes import Recipe

Labelled = tuple[Tensor, Tensor]

VALIDATION = 1000  # validation samples that are attacked after every epoch
VALIDATION_STEPS = 10  # of PGD on them
RAMP = 0.3  # of all steps, in which epsilon grows from 0: at once, a large one teaches a network nothing


class Method(Protocol):
    """How to train, once what it needs is there.

    Args:
        temperature: what the logits are divided by before the loss.
    """

    temperature: float

    def batch(self, model: nn.Module, images: Tensor, labels: Tensor, progress: float) -> Labelled:
        """From clean images (N, C, H, W) and labels (N,) to what the network learns from.

        Args:
            progress: share of all steps that are done.

        Returns:
            Images, and int64 labels (N,) or the probabilities of the classes (N, K).
        """

    def attacked(self, model: nn.Module, validation: Labelled) -> Labelled | None:
        """Attacked validation samples for the model as it is now; None if this training withstands nothing."""


class Clean:
    """The images and labels themselves."""

    def __init__(self, temperature: float = 1.0) -> None:
        self.temperature = temperature

    def batch(self, model: nn.Module, images: Tensor, labels: Tensor, progress: float) -> Labelled:
        """The same."""
        return images, labels

    def attacked(self, model: nn.Module, validation: Labelled) -> Labelled | None:
        """None."""
        return None


class Distilled(Clean):
    """A teacher's soft answers softmax(Z / T) as targets, learned at the same T (Papernot et al. 2016)."""

    def __init__(self, teacher: nn.Module, temperature: float) -> None:
        super().__init__(temperature)
        self.teacher = teacher

    def batch(self, model: nn.Module, images: Tensor, labels: Tensor, progress: float) -> Labelled:
        """Images with the teacher's answers."""
        with torch.no_grad():
            return images, (self.teacher(images) / self.temperature).softmax(1)


class Adversarial(Clean):
    """Images as PGD on the network itself leaves them (Madry et al. 2018); of one step, FGSM from a random start."""

    def __init__(self, recipe: Recipe, fast: bool) -> None:
        super().__init__()
        self.recipe, self.fast = recipe, fast

    def batch(self, model: nn.Module, images: Tensor, labels: Tensor, progress: float) -> Labelled:
        """Attacked images, within an epsilon that grows at first."""
        epsilon = self.recipe.epsilon * min(1.0, progress / RAMP)
        steps = self.recipe.attack_steps
        return perturb(model, images, labels, epsilon=epsilon, steps=steps, fast=self.fast), labels

    def attacked(self, model: nn.Module, validation: Labelled) -> Labelled | None:
        """PGD from a random start, always the same one, in the full epsilon: where one-step training collapses, this
        shows it within an epoch."""
        images, labels = (each[:VALIDATION] for each in validation)
        generator = torch.Generator().manual_seed(0)
        how: dict[str, Any] = {"epsilon": self.recipe.epsilon, "steps": VALIDATION_STEPS, "fast": self.fast}
        parts = zip(images.split(AT_ONCE), labels.split(AT_ONCE), strict=True)
        return torch.cat([perturb(model, *part, **how, generator=generator) for part in parts]), labels


class EnsembleAdversarial(Clean):
    """A quarter of each batch crafted on other networks, which stand still, and a quarter on the network itself.

    Tramèr et al. 2018 take the other networks and the one that learns in turn. For every batch some members of the pool
    and a way to attack them are drawn: one member or the mean of three, one step from the image or from a random start,
    or five steps. Against the network itself it is PGD as in adversarial training.
    """

    TOGETHER = (1, 1, 3)
    STEPS = ((1, False), (1, True), (5, True))

    def __init__(self, pool: Sequence[nn.Module], recipe: Recipe, fast: bool) -> None:
        super().__init__()
        self.pool, self.recipe, self.fast = list(pool), recipe, fast
        self.itself = Adversarial(recipe, fast)
        self._validation: Tensor | None = None

    def batch(self, model: nn.Module, images: Tensor, labels: Tensor, progress: float) -> Labelled:
        """The first half as it is, the next quarter attacked through the pool, the rest through the model."""
        half, rest = len(images) // 2, 3 * len(images) // 4
        together = self.TOGETHER[int(torch.randint(len(self.TOGETHER), ()))]
        chosen = torch.randperm(len(self.pool))[:together].tolist()
        steps, random_start = self.STEPS[int(torch.randint(len(self.STEPS), ()))]
        crafted = perturb(
            Averaged([self.pool[number] for number in chosen]),
            images[half:rest],
            labels[half:rest],
            epsilon=self.recipe.epsilon,
            steps=steps,
            random_start=random_start,
            fast=self.fast,
        )
        own, _ = self.itself.batch(model, images[rest:], labels[rest:], progress)
        return torch.cat([images[:half], crafted, own]), labels

    def attacked(self, model: nn.Module, validation: Labelled) -> Labelled | None:
        """FGSM on each of the pool in turn, the same samples after every epoch."""
        images, labels = (each[:VALIDATION] for each in validation)
        if self._validation is None:
            parts = zip(images.chunk(len(self.pool)), labels.chunk(len(self.pool)), self.pool, strict=False)
            how: dict[str, Any] = {"epsilon": self.recipe.epsilon, "steps": 1, "random_start": False, "fast": self.fast}
            self._validation = torch.cat([perturb(member, part, truth, **how) for part, truth, member in parts])
        return self._validation, labels
