"""Fit a classifier, with or without a defence, in each way of training; an interrupted training goes on.

The same seed gives the same weights, in one go or in several.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

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
from kerckhoffs.zoo.train import judging, pool, recipes
from kerckhoffs.zoo.train.augmentation import augment
from kerckhoffs.zoo.train.checkpoints import Checkpoint, adam_state, part, restore_adam, under
from kerckhoffs.zoo.train.judging import Score
from kerckhoffs.zoo.train.methods import Adversarial, Clean, Distilled, EnsembleAdversarial, Labelled, Method
from kerckhoffs.zoo.train.quick import quicken
from kerckhoffs.zoo.train.recipes import Recipe, companion

LEAST_STEPS = 100  # of an epoch on a few samples
KEEP_SECONDS = 5.0  # of work that is lost at most, where a checkpoint is kept


@dataclass(frozen=True)
class Progress:
    """Where training is: told after every step, with the newest validation errors once there are any.

    Args:
        stage: what is trained: the network itself, or one that it needs, "teacher", "pool 3 of 17".
        validation_error, attacked_error: shares of the validation samples, clean and attacked; None before the first
            epoch is over, and where nothing is attacked.
        best_error: the validation error of the best epoch.
    """

    step: int
    steps: int
    epoch: int
    loss: float
    validation_error: float | None
    best_error: float | None
    attacked_error: float | None = None
    stage: str = "network"


@dataclass(frozen=True)
class Fitted:
    """A trained model and how it came to be.

    Args:
        attacked_error: share wrong of the validation samples that the training attacks; None if it attacks none.
        seconds: of all sessions of the training, and of the networks that it needed.
        stopped: it was interrupted.
    """

    model: DefendedClassifier
    validation_error: float
    epoch: int
    seconds: float
    stopped: bool
    attacked_error: float | None = None


OnStep = Callable[[Progress], None]


@in_float32()
def fit(
    dataset: str,
    network: str,
    defence: str = "classical",
    *,
    keys: tuple[Key, ...] = (),
    recipe: Recipe | None = None,
    samples: int | None = None,
    start: Mapping[str, Tensor] | None = None,
    on_step: OnStep | None = None,
    checkpoint: Path | None = None,
) -> Fitted:
    """Train a network of zoo.NETWORKS with a defence of defences.DEFENCES.

    After every epoch the averaged weights are judged on the validation samples, and the best are returned: those that
    read the attacked ones best where the training attacks, else the clean ones.
    A KeyboardInterrupt ends training early and keeps the best so far.

    Args:
        dataset, network, defence: keys of data.DATASETS, zoo.NETWORKS and defences.DEFENCES.
        keys: as many as the defence needs.
        recipe: how; Recipe() by default.
        samples: train on so many of the training samples, drawn by the recipe's seed, all by default. A few are gone
            through several times in an epoch, which has at least LEAST_STEPS steps.
        start: the weights that the network starts from, those of one that was trained behind another key, for example;
            drawn by the recipe's seed by default.
        on_step: called after every step.
        checkpoint: a folder where the state is kept after every epoch and every few seconds, and taken up again; of
            this training alone.

    Raises:
        ValueError: on an unknown name, keys that are not as many and as long as the defence needs, a recipe that is not
            one for its training (recipes.check), or weights to start from that are not this network's.
        FileRefused: if the checkpoint cannot be written.
        KeyboardInterrupt: if stopped before the first epoch was judged, so that there is nothing to keep.
    """
    recipe = recipe or Recipe()
    check_choice(dataset, data.DATASETS, "dataset")
    check_choice(defence, DEFENCES, "defence")
    shape = data.DATASETS[dataset].shape
    training = DEFENCES[defence].training
    recipes.check(recipe, training)
    lengths = DEFENCES[defence].key_lengths(shape)
    if tuple(map(len, keys)) != lengths:
        needed = ", ".join(map(str, lengths)) or "none"
        raise ValueError(f"{defence} needs keys of the lengths {needed}, but was given {[len(key) for key in keys]}")
    model = _build(dataset, defence, lambda: networks.build(network, dataset), keys, recipe.seed)
    if start is not None:
        try:
            model.network.load_state_dict(start)
        except RuntimeError as error:
            raise ValueError(f"the weights to start from are not those of a {network} network for {dataset}") from error
    sets = _some(data.load(dataset, "train"), samples, recipe), data.load(dataset, "validation")
    if len(sets[0][1]) < recipe.batch_size:
        raise ValueError(
            f"batch_size must be at most {len(sets[0][1])}, the training samples, but is {recipe.batch_size}"
        )
    kept = Checkpoint(checkpoint)
    others: list[Fitted] = []

    def other(stage: str, each: DefendedClassifier, how: Recipe, method: Method) -> DefendedClassifier:
        """A network that this one is trained with."""
        others.append(_Run(each, sets, how, method, on_step, kept, stage).go())
        return others[-1].model

    def member(which: pool.Member, how: Recipe) -> DefendedClassifier:
        own = tuple(_made_up(how.seed, length) for length in DEFENCES[which.defence].key_lengths(shape))
        each = _build(dataset, which.defence, lambda: which.build(dataset), own, how.seed)
        stage = f"pool {how.seed - companion(recipe.seed, 0) + 1} of {len(pool.POOL)}"
        return other(stage, each, how, Clean())

    method: Method
    if training == "distilled":
        how = replace(recipe, seed=companion(recipe.seed, 0))
        taught = _build(dataset, defence, lambda: networks.build(network, dataset), keys, how.seed)
        method = Distilled(other("teacher", taught, how, Clean(recipe.temperature)), recipe.temperature)
    elif training == "adversarial":
        method = Adversarial(recipe, judging.bfloat16_is_fast())
    elif training == "ensemble-adversarial":
        method = EnsembleAdversarial(pool.make(recipe, member), recipe, judging.bfloat16_is_fast())
    else:
        method = Clean()
    fitted = _Run(model, sets, recipe, method, on_step, kept, "network").go()
    quicken(fitted.model.network, on=False)
    return replace(fitted, seconds=fitted.seconds + sum(each.seconds for each in others))


def _some(training: Labelled, samples: int | None, recipe: Recipe) -> Labelled:
    """So many of the training samples, as often as an epoch of LEAST_STEPS steps takes; all if None.

    Raises:
        ValueError: if there are not so many.
    """
    images, labels = training
    if samples is None:
        return training
    if not 1 <= samples <= len(labels):
        raise ValueError(f"samples must be between 1 and {len(labels)}, the training samples, but is {samples}")
    chosen = torch.randperm(len(labels), generator=torch.Generator().manual_seed(recipe.seed))[:samples]
    chosen = chosen.repeat(max(1, -(-LEAST_STEPS * recipe.batch_size // samples)))
    return images[chosen], labels[chosen]


def _build(
    dataset: str, defence: str, network: Callable[[], nn.Module], keys: tuple[Key, ...], seed: int
) -> DefendedClassifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DEFENCES[defence].build(network, data.DATASETS[dataset].shape, keys)


def _made_up(seed: int, length: int) -> Key:
    """The key of a pool's network: nobody relies on it, so a seed may name it."""
    return Key.derive(hashlib.sha256(f"kerckhoffs pool {seed}".encode()).digest(), length, "a pool's network")


class _Run:
    """One network's training, epoch by epoch."""

    def __init__(
        self,
        model: DefendedClassifier,
        sets: tuple[Labelled, Labelled],
        recipe: Recipe,
        method: Method,
        on_step: OnStep | None,
        kept: Checkpoint,
        stage: str,
    ) -> None:
        self.model, self.recipe, self.method = model, recipe, method
        (self.images, self.labels), self.validation = sets
        self.on_step, self.kept, self.stage = on_step, kept, stage
        self.network = quicken(model.network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(recipe.average))
        self.a_epoch = len(self.labels) // recipe.batch_size
        self.steps = recipe.epochs * self.a_epoch
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, max_lr=recipe.learning_rate, total_steps=self.steps, pct_start=0.15, final_div_factor=100
        )
        self.fast = judging.bfloat16_is_fast()
        self.epoch = 0  # of those that are done
        self.begun: tuple[Tensor, int] | None = None  # of the one after them: its batches, and how many are done
        self.seconds = 0.0
        self.best: dict[str, Tensor] | None = None
        self.best_score, self.best_epoch = Score(1.0, 1.0, float("inf")), -1
        self.newest: Score | None = None
        self.attacks = False

    def go(self) -> Fitted:
        """Train to the end, or to the KeyboardInterrupt."""
        stopped = False
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed + 1)
            self._take_up()
            self.started = time.monotonic() - self.seconds
            self.kept_at = time.monotonic()
            try:
                while self.epoch < self.recipe.epochs:
                    self._learn()
                    self._judge()
                    self.epoch += 1
                    self.begun = None
                    self._keep()
            except KeyboardInterrupt:
                if self.best is None or self.stage != "network":
                    raise
                stopped = True
            self.seconds = time.monotonic() - self.started
        assert self.best is not None
        self.network.load_state_dict(self.best)
        self.network.to(memory_format=torch.contiguous_format)
        self.model.eval().requires_grad_(False)
        attacked = self.best_score.attacked_error if self.attacks else None
        return Fitted(self.model, self.best_score.error, self.best_epoch, self.seconds, stopped, attacked)

    def _learn(self) -> None:
        """One epoch."""
        recipe, method = self.recipe, self.method
        if self.begun is None:
            self.begun = torch.randperm(len(self.labels), device="cpu")[: self.a_epoch * recipe.batch_size], 0
        order, first = self.begun
        self.model.train()
        for index, batch in list(enumerate(order.split(recipe.batch_size)))[first:]:
            done = self.epoch * self.a_epoch + index
            clean = augment(self.images[batch], recipe)
            inputs, targets = method.batch(self.model, clean, self.labels[batch], done / self.steps)
            # Uncached: inside a caller's autocast, weights that have moved on would stay in the cache.
            with torch.autocast("cpu", torch.bfloat16, enabled=self.fast, cache_enabled=False):
                logits = self.model.members(inputs)
            losses = [F.cross_entropy(each.float() / method.temperature, targets) for each in logits]
            loss = torch.stack(losses).sum()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            self.averaged.update_parameters(self.network)
            if time.monotonic() - self.kept_at >= KEEP_SECONDS:
                self.begun = order, index + 1
                self._keep()
            if self.on_step:
                self.on_step(self._progress(done + 1, float(loss.detach()) / len(losses)))

    def _progress(self, done: int, loss: float) -> Progress:
        newest = self.newest
        return Progress(
            done,
            self.steps,
            self.epoch,
            loss,
            newest.error if newest else None,
            self.best_score.error if self.best else None,
            newest.attacked_error if newest and self.attacks else None,
            self.stage,
        )

    def _judge(self) -> None:
        """The averaged weights in the network's place, on the validation samples, clean and attacked."""
        self.model.network = self.averaged.module
        self.model.generator = torch.Generator().manual_seed(self.recipe.seed)  # the same draws after every epoch
        try:
            self.model.eval()
            attacked = self.method.attacked(self.model, self.validation)
            self.attacks = attacked is not None
            self.newest = judging.score(self.model, self.validation, attacked)
        finally:
            self.model.network, self.model.generator = self.network, None
        if self.best is None or self.newest < self.best_score:
            best = {name: value.clone() for name, value in self.averaged.module.state_dict().items()}
            self.best, self.best_score, self.best_epoch = best, self.newest, self.epoch

    def _keep(self) -> None:
        """Write the state down, if it is to be kept: what was trained so far, in this epoch too, and the best."""
        self.seconds = time.monotonic() - self.started
        tensors = under("best.", self.best or {})
        if self.epoch < self.recipe.epochs:
            tensors |= under("network.", self.network.state_dict()) | under("adam.", adam_state(self.optimizer))
            tensors |= under("average.", self.averaged.state_dict()) | {"random": torch.get_rng_state()}
        words = {name: getattr(self, name) for name in ("epoch", "seconds", "best_epoch", "attacks")}
        words |= {"best_score": vars(self.best_score)} if self.best else {}
        words |= {"newest": vars(self.newest)} if self.newest else {}
        if self.begun is not None:
            tensors["order"], words["batches"] = self.begun
        words["rates"] = [{name: group[name] for name in ("lr", "betas")} for group in self.optimizer.param_groups]
        self.kept.write(self.stage, tensors, words)
        self.kept_at = time.monotonic()

    def _take_up(self) -> None:
        """Go on from where an earlier session was; nothing if there was none."""
        found = self.kept.read(self.stage)
        if found is None:
            return
        tensors, words = found
        if "best_score" in words:
            self.best, self.best_score = part(tensors, "best."), Score(**words["best_score"])
        self.newest = Score(**words["newest"]) if "newest" in words else None
        for name in ("epoch", "seconds", "best_epoch", "attacks"):
            setattr(self, name, words[name])
        if self.epoch == self.recipe.epochs:
            return
        self.network.load_state_dict(part(tensors, "network."))
        self.averaged.load_state_dict(part(tensors, "average."))
        restore_adam(self.optimizer, part(tensors, "adam."))
        for group, rates in zip(self.optimizer.param_groups, words["rates"], strict=True):
            group |= rates
        if "order" in tensors:
            self.begun = tensors["order"], words["batches"]
        self.schedule.last_epoch = self.epoch * self.a_epoch + words.get("batches", 0)
        torch.set_rng_state(tensors["random"])
