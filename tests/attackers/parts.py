"""Parts for tests of the making, which their process imports from here."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from kerckhoffs import data, zoo
from kerckhoffs.attackers import substitute, weights
from kerckhoffs.attackers.base import Part, Target
from kerckhoffs.zoo.train import Checkpoint

TARGET = Target.of(zoo.card("mnist-half-keyed"))


class Simple(Part):
    """One whose model is a layer that was made."""

    @property
    def label(self):
        return "simple"

    def build(self, tensors, folder=None):
        model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        model[1].load_state_dict(tensors)
        return model.eval().requires_grad_(False)


@dataclass(frozen=True)
class Asking(Simple):
    """Asks for labels and for scores, and keeps what it was told."""

    labels: int
    scores: int

    def make(self, workshop):
        images = torch.rand(max(self.labels, self.scores), 1, 28, 28, generator=torch.Generator().manual_seed(0))
        told = workshop.ask(images[: self.labels], "labels"), workshop.ask(images[: self.scores], "scores")
        workshop.tell(1, 1, "asked")
        return {"labels": told[0], "scores": told[1]}


@dataclass(frozen=True)
class InSteps(Simple):
    """Goes on where it was: every session does one step, and then waits to be stopped, until all are done."""

    steps: int

    def make(self, workshop):
        kept = Checkpoint(workshop.folder)
        before = kept.read("step")
        done = before[1]["done"] + 1 if before else 1
        kept.write("step", {}, {"done": done})
        workshop.ask(torch.rand(10, 1, 28, 28), "labels")
        while done < self.steps:
            workshop.tell(done, self.steps, f"step {done}")
        return {"done": torch.tensor(done)}


@dataclass(frozen=True)
class Refusing(Simple):
    def make(self, workshop):
        raise ValueError("there is no training set")


@dataclass(frozen=True)
class Dying(Simple):
    def make(self, workshop):
        os._exit(9)


@dataclass(frozen=True)
class Thief(Simple):
    """Reads the key, which no attacker's process does: what looks for it has to find this."""

    def make(self, workshop):
        [key] = zoo.find_keys(zoo.card(TARGET.id))
        held = torch.from_numpy(key.permutation())
        workshop.tell(1, 1, "stolen")
        workshop.ask(torch.rand(1, 1, 28, 28), "labels")
        return {"order": held}


@dataclass(frozen=True)
class Shrunk(Part):
    """A part of the program, on few images and with few steps."""

    of: Part

    @property
    def label(self):
        return self.of.label

    def make(self, workshop):
        shrink()
        return self.of.make(workshop)

    def build(self, tensors: dict[str, Tensor], folder: Path | None = None):
        return self.of.build(tensors, folder)


def shrink():
    """Few images of digits, whatever the split, and few steps."""
    every, truth = data.load("mnist")
    images, labels = every[:256], truth[:256]
    data.load = lambda dataset, split="test", indices=None: (images.clone(), labels.clone())
    substitute.STEPS, weights.EPOCHS = 4, 1
