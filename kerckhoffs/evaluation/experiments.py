"""What is to be evaluated: an attack, the model it is crafted on, the models that are shown its examples, the samples.

An experiment is plain data, so that it can be written into a run's manifest, sent to a worker, and compared with
what a resumed run was started with. `grid` makes many from lists. The work on one falls into blocks of a fixed
size, each of which gives the same rows whoever does it and in whatever order (evaluate.examine).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kerckhoffs import attackers, zoo
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.checks import check_choice, plain
from kerckhoffs.data import DATASETS, SPLITS, TEST_SAMPLES

BLOCK = 64
"""Examples that are made at once; part of what decides the rows of a random attack."""

UPLOADED = "uploaded"  # the split of samples that a person brought
FITTED_ON = 100  # samples that an attack takes as the attacker's own, the last of those that are not evaluated

TARGETS: dict[str, str] = {
    "untargeted": "any wrong class",
    "random": "one wrong class, drawn for each sample",
    "least-likely": "the class that the crafted-on model finds least likely",
    "all": "every wrong class in turn: nine examples a sample, as Carlini and Wagner's rows of the paper count",
}
"""The target rules."""


@dataclass(frozen=True)
class Experiment:
    """Examples of one attack, crafted on one model and shown to others.

    Args:
        attack: a key of attacks.ATTACKS.
        options: those of the attack that are not its defaults.
        crafted_on: id of the model whose outputs and gradients the attack uses.
        evaluated_on: ids of the models that are then shown each example.
        targets: a key of TARGETS.
        seed: of random targets and random attacks.
        split: a key of data.SPLITS, or UPLOADED.
        start, stop: which samples of the split, from start to just before stop.

    Raises:
        ValueError: naming what is wrong.
    """

    attack: str
    crafted_on: str
    evaluated_on: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    targets: str = "untargeted"
    seed: int = 0
    split: str = "test"
    start: int = 0
    stop: int = TEST_SAMPLES

    def __post_init__(self) -> None:
        check_choice(self.attack, ATTACKS, "attack")
        entry = ATTACKS[self.attack]
        object.__setattr__(self, "options", entry.check_options(**self.options))
        check_choice(self.targets, TARGETS, "targets")
        if self.targeted and not entry.targeted:
            raise ValueError(f"{self.attack} cannot be targeted: its targets must be untargeted")
        check_choice(self.split, (*SPLITS, UPLOADED), "split")
        if not self.evaluated_on or len(set(self.evaluated_on)) < len(self.evaluated_on):
            raise ValueError(f"evaluated_on must name models, each once, but is {', '.join(self.evaluated_on) or '-'}")
        for name, low in (("seed", 0), ("start", 0), ("stop", self.start + 1)):
            value = plain(getattr(self, name))
            object.__setattr__(self, name, value)
            if type(value) is not int or not low <= value < 2**31:
                raise ValueError(f"{name} must be a whole number from {low}, but is {value!r}")

    @property
    def targeted(self) -> bool:
        """Whether it aims at classes."""
        return self.targets != "untargeted"

    @property
    def models(self) -> tuple[str, ...]:
        """The ids of all models that take part, the crafted-on one first."""
        return tuple(dict.fromkeys((self.crafted_on, *self.evaluated_on)))

    @property
    def samples(self) -> int:
        """How many samples."""
        return self.stop - self.start

    def named_options(self) -> str:
        """The options as JSON, always in the same order."""
        return json.dumps(dict(sorted(self.options.items())))


@dataclass(frozen=True)
class Block:
    """A part of one experiment: the samples from start to just before stop. `number` counts through a whole run."""

    number: int
    experiment: int
    start: int
    stop: int
    examples: int


def grid(
    attacks: Iterable[tuple[str, Mapping[str, Any]]],
    crafted_on: Iterable[str],
    evaluated_on: Sequence[str],
    *,
    targets: Iterable[str] = ("untargeted",),
    seeds: Iterable[int] = (0,),
    split: str = "test",
    start: int = 0,
    stop: int = TEST_SAMPLES,
) -> tuple[Experiment, ...]:
    """Every attack, with its options, on every crafted-on model, with every target rule and every seed, once each.

    An attack that cannot aim is left out of the rules that have targets (`left_out`).

    Raises:
        ValueError: naming what is wrong, or if there is nothing to do.
    """
    models, rules, numbers = dict.fromkeys(crafted_on), dict.fromkeys(targets), dict.fromkeys(seeds)
    listed = [(attack, {name: plain(value) for name, value in options.items()}) for attack, options in attacks]
    named = {(attack, json.dumps(options, sort_keys=True, default=str)): options for attack, options in listed}
    impossible = left_out([attack for attack, _ in named], rules)
    experiments = tuple(
        Experiment(attack, model, tuple(evaluated_on), options, rule, seed, split, start, stop)
        for (attack, _), options in named.items()
        for model in models
        for rule in rules
        for seed in numbers
        if (attack, rule) not in impossible
    )
    if impossible and not experiments:
        aimless = ", ".join(dict.fromkeys(attack for attack, _ in impossible))
        raise ValueError(f"{aimless} cannot be targeted: its targets must be untargeted")
    if not experiments:
        raise ValueError("there is nothing to evaluate: name attacks, crafted-on models, targets and seeds")
    return experiments


def left_out(attacks: Iterable[str], targets: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs of an attack and a target rule that a grid leaves out: the attack cannot aim."""
    aimless = [name for name in dict.fromkeys(attacks) if name in ATTACKS and not ATTACKS[name].targeted]
    return [(name, rule) for name in aimless for rule in targets if rule != "untargeted"]


def cards(experiments: Iterable[Experiment], folder: str | Path | None = None) -> dict[str, zoo.ModelCard]:
    """The cards of all models that take part, by id.

    Raises:
        ValueError: on an id that is none.
        FileRefused: if a manifest is missing or malformed.
    """
    names = dict.fromkeys(name for experiment in experiments for name in experiment.models)
    return {name: attackers.card(name, folder) for name in names}


def check_models(experiments: Iterable[Experiment], cards: Mapping[str, zoo.ModelCard]) -> None:
    """Refuse models that are not there, and experiments whose models are of different sets.

    Raises:
        ValueError: naming the model.
    """
    for experiment in experiments:
        for model in experiment.models:
            check_choice(model, cards, "model")
            if cards[model].dataset != cards[experiment.crafted_on].dataset:
                raise ValueError(f"{model} and {experiment.crafted_on} are of different datasets")


def check_samples(experiment: Experiment, dataset: str, uploaded: int | None = None) -> None:
    """Refuse an experiment on more samples than there are, or a universal one that leaves too few to be fitted on.

    Args:
        dataset: the set of its models.
        uploaded: how many samples a person brought.

    Raises:
        ValueError: naming how many there are.
    """
    if experiment.split == UPLOADED and uploaded is None:
        raise ValueError("there are no uploaded samples")
    there = DATASETS[dataset].sizes.get(experiment.split, uploaded)
    assert there is not None
    if experiment.stop > there:
        raise ValueError(f"there are {there} samples in {experiment.split}, so stop cannot be {experiment.stop}")
    if ATTACKS[experiment.attack].kind == "universal" and (left := len(free(experiment, dataset))) < FITTED_ON:
        raise ValueError(
            f"{experiment.attack} is fitted on {FITTED_ON} bundled samples that are not evaluated, "
            f"but only {left} are left; evaluate fewer"
        )


def free(experiment: Experiment, dataset: str) -> list[int]:
    """The bundled test samples of the experiment's set that are not evaluated."""
    taken = range(0) if experiment.split == UPLOADED else range(experiment.start, experiment.stop)
    return [index for index in range(DATASETS[dataset].sizes["test"]) if index not in taken]


def examples_of_a_sample(targets: str, dataset: str) -> int:
    """How many examples a sample gets by a rule of TARGETS."""
    return len(DATASETS[dataset].classes) - 1 if targets == "all" else 1


def blocks(experiments: Sequence[Experiment], cards: Mapping[str, zoo.ModelCard]) -> list[Block]:
    """The whole work in parts. A universal attack is one block: its perturbation is fitted once."""
    return parts(experiments, [cards[each.crafted_on].dataset for each in experiments])


def parts(experiments: Sequence[Experiment], datasets: Sequence[str]) -> list[Block]:
    """The same, where the set of each experiment is known and its models need not be there."""
    found: list[Block] = []
    for number, (experiment, dataset) in enumerate(zip(experiments, datasets, strict=True)):
        each = examples_of_a_sample(experiment.targets, dataset)
        universal = ATTACKS[experiment.attack].kind == "universal"
        size = experiment.samples if universal else max(BLOCK // each, 1)
        for start in range(experiment.start, experiment.stop, size):
            stop = min(start + size, experiment.stop)
            found.append(Block(len(found), number, start, stop, (stop - start) * each))
    return found


def aims(experiment: Experiment, block: Block, labels: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Which sample each example is made of, and the class that it aims at, or gets away from.

    Args:
        labels: (N,) of the block's samples.
        logits: (N, K) of the crafted-on model for them, clean.

    Returns:
        rows (M,), numbers below N, and classes (M,): the target, or the true label if untargeted.
    """
    count, classes = logits.shape
    rows = torch.arange(count, device=labels.device)
    if experiment.targets == "untargeted":
        return rows, labels
    if experiment.targets == "least-likely":
        return rows, logits.scatter(1, labels[:, None], torch.inf).argmin(1)
    if experiment.targets == "random":  # apart for each sample: the same one whatever else is evaluated
        seeds = ((experiment.seed, block.start + row) for row in range(count))
        drawn = [int(np.random.default_rng(seed).integers(1, classes)) for seed in seeds]
        shift = labels.new_tensor(drawn)
        return rows, (labels + shift) % classes
    shift = torch.arange(1, classes, device=labels.device).repeat(count)
    rows = rows.repeat_interleave(classes - 1)
    return rows, (labels[rows] + shift) % classes


def generator(experiment: Experiment, block: Block) -> torch.Generator:
    """Where a random attack draws from in a block."""
    state = np.random.SeedSequence((experiment.seed, block.start)).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))


def to_json(experiments: Iterable[Experiment]) -> list[dict[str, Any]]:
    """Experiments as JSON has them."""
    return [asdict(experiment) | {"evaluated_on": list(experiment.evaluated_on)} for experiment in experiments]


def from_json(entries: Iterable[Mapping[str, Any]]) -> tuple[Experiment, ...]:
    """What `to_json` wrote.

    Raises:
        ValueError: if it is not that.
    """
    names = {each.name for each in fields(Experiment)}
    experiments = []
    for entry in entries:
        if set(entry) != names:
            raise ValueError(f"an experiment has the fields {', '.join(sorted(names))}")
        experiments.append(Experiment(**{**entry, "evaluated_on": tuple(entry["evaluated_on"])}))
    return tuple(experiments)
