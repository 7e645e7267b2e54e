"""Fit a classifier, with or without a defence.

Every choice was made on the 5 000 validation samples; the test samples are looked at once, after training
(benchmarks/README.md has the trials). The paper's code trains with Adam at a constant rate; here the learning rate
follows one cycle, and the weights are averaged on the way.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from kerckhoffs import data
from kerckhoffs.checks import check_choice
from kerckhoffs.checks.arithmetic import in_float32
from kerckhoffs.defences import DEFENCES, DefendedClassifier
from kerckhoffs.keys import Key
from kerckhoffs.zoo import networks


@dataclass(frozen=True)
class Recipe:
    """How to fit a network.

    Args:
        epochs: passes over the 55 000 training samples.
        batch_size: images a step (paper's code: 128).
        learning_rate: the peak of the cycle, for AdamW.
        weight_decay: AdamW's.
        average: share of the running average of the weights that is kept at every step, in [0, 1).
        rotate: largest random rotation, degrees; shift: largest random shift, pixels;
        scale: largest random change of size, as a share. All are drawn for each image, before P.
        flip: mirror half of the images left to right.
        seed: of initial weights, order and augmentation.
    """

    epochs: int = 30
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    average: float = 0.999
    rotate: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    flip: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("epochs", 1), ("batch_size", 1), ("seed", 0)):
            if type(getattr(self, name)) is not int or not low <= getattr(self, name) < 2**63 - 1:
                raise ValueError(f"{name} must be a whole number from {low}, but is {getattr(self, name)}")
        for name, high in (("weight_decay", 100), ("rotate", 180), ("shift", 28)):
            if not 0 <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be between 0 and {high}, but is {getattr(self, name)}")
        for name in ("average", "scale"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be in [0, 1), but is {getattr(self, name)}")
        if not 0 < self.learning_rate < 1:
            raise ValueError(f"learning_rate must be between 0 and 1, but is {self.learning_rate}")


RECIPES: dict[str, Recipe] = {
    "mnist-table1-classical": Recipe(epochs=30, rotate=8, shift=1, scale=0.05),
    "mnist-table1-keyed": Recipe(epochs=30, rotate=8, shift=1, scale=0.05),
    "mnist-table2-classical": Recipe(epochs=30, rotate=8, shift=1, scale=0.05),
    "mnist-table2-keyed": Recipe(epochs=30, rotate=8, shift=1, scale=0.05, weight_decay=0.1, average=0.9995),
    "fashion-mnist-table1-classical": Recipe(epochs=20, shift=1, flip=True),
    "fashion-mnist-table1-keyed": Recipe(epochs=15),
    "fashion-mnist-table2-classical": Recipe(epochs=20, shift=1, flip=True),
    "fashion-mnist-table2-keyed": Recipe(epochs=15),
    "mnist-table1-surrogate": Recipe(epochs=8, rotate=8, shift=1, scale=0.05, seed=1),
    "mnist-table2-surrogate": Recipe(epochs=8, rotate=8, shift=1, scale=0.05, seed=1),
    "fashion-mnist-table1-surrogate": Recipe(epochs=8, seed=1),
    "fashion-mnist-table2-surrogate": Recipe(epochs=4, seed=1),
}
"""The recipe of each shipped model, by its id (zoo.model_id)."""


@dataclass(frozen=True)
class Progress:
    """Where training is: told after every step, with the newest validation error once there is one."""

    step: int
    steps: int
    epoch: int
    loss: float
    validation_error: float | None
    best_error: float | None


@dataclass(frozen=True)
class Fitted:
    """A trained model and how it came to be. `stopped` says that it was interrupted."""

    model: DefendedClassifier
    validation_error: float
    epoch: int
    seconds: float
    stopped: bool


@in_float32()
def fit(
    dataset: str,
    network: str,
    defence: str = "classical",
    *,
    keys: tuple[Key, ...] = (),
    recipe: Recipe | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> Fitted:
    """Train a network of zoo.NETWORKS with a defence of defences.DEFENCES.

    After every epoch the averaged weights are judged on the validation samples, and the best are returned.
    A KeyboardInterrupt ends training early and keeps the best so far.

    Args:
        dataset, network, defence: keys of data.DATASETS, zoo.NETWORKS and defences.DEFENCES.
        keys: as many as the defence needs.
        recipe: how; Recipe() by default.
        on_step: called after every step.

    Raises:
        ValueError: on an unknown name, or keys that are not as many and as long as the defence needs.
        KeyboardInterrupt: if stopped before the first epoch was judged, so that there is nothing to keep.
    """
    recipe = recipe or Recipe()
    check_choice(dataset, data.DATASETS, "dataset")
    check_choice(defence, DEFENCES, "defence")
    shape = data.DATASETS[dataset].shape
    lengths = DEFENCES[defence].key_lengths(shape)
    if tuple(map(len, keys)) != lengths:
        needed = ", ".join(map(str, lengths)) or "none"
        raise ValueError(f"{defence} needs keys of the lengths {needed}, but was given {[len(key) for key in keys]}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = DEFENCES[defence].build(lambda: networks.build(network, dataset), shape, keys)
    training = data.load(dataset, "train")
    validation = data.load(dataset, "validation")
    return _run(model, training, validation, recipe, on_step)


def _run(
    model: DefendedClassifier,
    training: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    recipe: Recipe,
    on_step: Callable[[Progress], None] | None,
) -> Fitted:
    network = model.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.average))
    images, labels = training
    steps_an_epoch = len(labels) // recipe.batch_size
    if steps_an_epoch == 0:
        raise ValueError(f"batch_size must be at most {len(labels)}, the training samples, but is {recipe.batch_size}")
    steps = recipe.epochs * steps_an_epoch
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=recipe.learning_rate, total_steps=steps, pct_start=0.15, final_div_factor=100
    )
    fast = bfloat16_is_fast()
    started = time.monotonic()
    best: dict[str, Tensor] | None = None
    best_score = (1.0, float("inf"))
    best_epoch = error = None
    stopped = False
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed + 1)
        try:
            for epoch in range(recipe.epochs):
                order = torch.randperm(len(labels), device="cpu")[: steps_an_epoch * recipe.batch_size]
                model.train()
                for index, batch in enumerate(order.split(recipe.batch_size)):
                    # Uncached: inside a caller's autocast, weights that have moved on would stay in the cache.
                    with torch.autocast("cpu", torch.bfloat16, enabled=fast, cache_enabled=False):
                        logits = model(augment(images[batch], recipe))
                    loss = F.cross_entropy(logits.float(), labels[batch])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    schedule.step()
                    averaged.update_parameters(network)
                    if on_step:
                        done = epoch * steps_an_epoch + index + 1
                        on_step(
                            Progress(done, steps, epoch, float(loss.detach()), error, best_score[0] if best else None)
                        )
                score = _judge(model, averaged.module, validation)
                error = score[0]
                if best is None or score < best_score:
                    best_score, best_epoch = score, epoch
                    best = {name: value.clone() for name, value in averaged.module.state_dict().items()}
        except KeyboardInterrupt:
            if best is None:
                raise
            stopped = True
    assert best is not None
    assert best_epoch is not None
    network.load_state_dict(best)
    network.to(memory_format=torch.contiguous_format)
    model.eval().requires_grad_(False)
    return Fitted(model, best_score[0], best_epoch, time.monotonic() - started, stopped)


def augment(images: Tensor, recipe: Recipe) -> Tensor:
    """Randomly rotate, scale, shift and mirror each image (N, C, H, W), as the recipe says.

    Drawn from torch's global generator, which `fit` forks and seeds.
    """
    count, _, height, width = images.shape
    if recipe.flip:
        mirrored = torch.rand(count, **networks.FLOAT32) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    if not (recipe.rotate or recipe.scale or recipe.shift):
        return images

    def between(limit: float) -> Tensor:
        return (torch.rand(count, **networks.FLOAT32) * 2 - 1) * limit

    angle = between(recipe.rotate) * (pi / 180)
    size = 1 + between(recipe.scale)
    matrix = torch.empty(count, 2, 3, **networks.FLOAT32)
    matrix[:, 0, 0] = matrix[:, 1, 1] = torch.cos(angle) * size
    matrix[:, 0, 1] = -torch.sin(angle) * size
    matrix[:, 1, 0] = torch.sin(angle) * size
    matrix[:, 0, 2] = between(2 * recipe.shift / width)  # affine_grid's unit is half a side
    matrix[:, 1, 2] = between(2 * recipe.shift / height)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


@in_float32()
def error_rate(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of images whose prediction is not their label, in [0, 1]."""
    wrong = 0
    with torch.inference_mode():
        for batch, truth in zip(images.split(500), labels.split(500), strict=True):
            wrong += int((model(batch).argmax(1) != truth).sum())
    return wrong / len(labels)


def bfloat16_is_fast() -> bool:
    """Whether this processor multiplies bfloat16 matrices in hardware."""
    with suppress(AttributeError, RuntimeError):
        abilities = torch.cpu.get_capabilities()
        return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))
    return False


def _judge(model: DefendedClassifier, network: nn.Module, validation: tuple[Tensor, Tensor]) -> tuple[float, float]:
    """Error and mean loss of the averaged network behind the model's transform."""
    network.eval()
    images, labels = validation
    with torch.inference_mode():
        logits = torch.cat([network(model.view(batch)) for batch in images.split(500)])
    wrong = (logits.argmax(1) != labels).float().mean()
    return float(wrong), float(F.cross_entropy(logits, labels))
