"""Those who have everything but the key, taken literally: the trained weights are public.

A learned bypass puts a linear map A before the network, fitted so that network(A x) is right on the data, and crafts
through it. Whoever recovers the order itself has the key (recovery.py).
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from kerckhoffs import data, zoo
from kerckhoffs.attackers import recovery
from kerckhoffs.attackers.base import Attacker, Options, Part, Target, Workshop
from kerckhoffs.attackers.leaked import behind
from kerckhoffs.attacks import Option
from kerckhoffs.data import DATASETS
from kerckhoffs.zoo import train

EPOCHS = 3
BATCH = 128
RATE = 1e-3


class Bypass(nn.Module):
    """network(A x): a linear map of all numbers of an image before the network.

    Args:
        matrix: A, (d, d).
        network: images (N, C, H, W) to logits (N, K).
    """

    thread_safe = True

    def __init__(self, matrix: Tensor, network: nn.Module) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix)
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K)."""
        mapped = functional.linear(images.flatten(1), self.matrix).view_as(images)
        logits: Tensor = self.network(mapped)
        return logits


@dataclass(frozen=True)
class LearnedBypass(Part):
    """A linear map for the weights of one classifier."""

    target: Target
    seed: int = train.ATTACKERS_FROM

    @property
    def label(self) -> str:
        """Whose weights."""
        return f"bypass-{self.target.dataset}-{self.target.network}"

    def make(self, workshop: Workshop) -> dict[str, Tensor]:
        """A."""
        network = workshop.network(self.target)
        generator = torch.Generator().manual_seed(self.seed)
        images, labels = data.load(self.target.dataset, "train")
        count = images[0].numel()
        bypass = Bypass(torch.randn(count, count, generator=generator) / count**0.5, network)
        optimizer = torch.optim.Adam([bypass.matrix], lr=RATE)
        steps = EPOCHS * (len(images) // BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=RATE, total_steps=steps)
        done = 0
        for _ in range(EPOCHS):
            order = torch.randperm(len(images), generator=generator)
            for rows in order.split(BATCH)[: len(images) // BATCH]:
                loss = functional.cross_entropy(bypass(images[rows]), labels[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                done += 1
                workshop.tell(done, steps, f"loss {float(loss.detach()):.2f}")
        return {"matrix": bypass.matrix.detach()}

    def build(self, tensors: dict[str, Tensor], folder: Path | None = None) -> nn.Module:
        """The network behind the map."""
        return zoo.frozen(Bypass(tensors["matrix"], zoo.load_network(self.target.id, folder=folder)))


@dataclass(frozen=True)
class RecoveredOrder(Part):
    """The order of the pixels, as far as the weights of one classifier tell it.

    Args:
        iterations: of the search.
    """

    target: Target
    iterations: int
    seed: int = train.ATTACKERS_FROM

    @property
    def label(self) -> str:
        """Whose weights."""
        return f"recovery-{self.target.dataset}-{self.target.network}"

    def make(self, workshop: Workshop) -> dict[str, Tensor]:
        """The order, int64 (d,)."""
        network = workshop.network(self.target)
        images, labels = data.load(self.target.dataset, "train")

        def on_step(share: float) -> None:
            done = round(share * self.iterations)
            workshop.tell(done, self.iterations, f"step {done}")

        order = recovery.recover(network, images, labels, seed=self.seed, iterations=self.iterations, on_step=on_step)
        return {"order": order}

    def build(self, tensors: dict[str, Tensor], folder: Path | None = None) -> nn.Module:
        """The network behind a permutation in this order."""
        network, shape = zoo.load_network(self.target.id, folder=folder), DATASETS[self.target.dataset].shape
        return zoo.frozen(behind(tensors["order"].numpy(), network, shape))


def _bypass(target: Target, options: Options) -> tuple[Part, ...]:
    return (LearnedBypass(target),)


def _recovery(target: Target, options: Options) -> tuple[Part, ...]:
    return (RecoveredOrder(target, options["iterations"]),)


NO_KEY = "It has no key that could be missing."

BYPASS = Attacker(
    id="bypass",
    name="Weights, not the key: a bypass",
    summary="The attacker has the trained weights and the data, not the key: fits a linear map before the network, so "
    "that it is right again, and attacks through that.",
    without_key=("Weights: a bypass", NO_KEY),
    hidden=("key",),
    model=lambda target, options: None,
    parts=_bypass,
    against=lambda defence: defence.keyed and defence.networks == 1,
    alone=True,
    takes="some minutes",
)

RECOVERY = Attacker(
    id="recovery",
    name="Weights, not the key: the order recovered",
    summary="The attacker has the trained weights and the data, not the key: searches for the order of the pixels "
    "under which the network is right, and attacks the network behind that.",
    without_key=("Weights: the order recovered", NO_KEY),
    hidden=("key",),
    model=lambda target, options: None,
    parts=_recovery,
    options=(Option("iterations", int, 2500, "Steps of the search, of 64 images each.", low=10, high=100_000),),
    against=lambda defence: defence.structure in ("keyed", "surrogate"),
    alone=True,
    takes="five to twenty minutes",
)
