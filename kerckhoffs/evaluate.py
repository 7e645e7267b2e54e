"""The judge: what a classifier says of an image, in float32, whatever the attack claims.

An attack never judges itself. Every verdict and every row names the model that an example was crafted on and the one
that it was evaluated on; an attack that failed on the former says nothing about the latter. `evaluate` makes examples
once, shows them to all evaluated models, and returns one row an example and model; summaries.py counts the rows.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from kerckhoffs import data, experiments, zoo
from kerckhoffs.attacks import ATTACKS, OnStep
from kerckhoffs.checks import check_images, check_labels
from kerckhoffs.experiments import FITTED_ON, UPLOADED, Block, Experiment
from kerckhoffs.metrics import distances

if TYPE_CHECKING:
    import pandas as pd  # slow, and most pages do without

JUDGED_AT_ONCE = 16

COLUMNS: dict[str, str] = {
    "dataset": "str",
    "split": "str",
    "index": "int32",  # in the split
    "sample": "str",  # the file's name where samples were uploaded
    "label": "int16",
    "target": "Int16",  # empty if untargeted
    "targets": "str",  # the target rule
    "seed": "int32",
    "attack": "str",
    "options": "str",  # JSON
    "crafted_on": "str",
    "crafted_on_key": "str",  # fingerprint
    "crafted_before": "int16",  # the crafted-on model's class of the clean sample
    "crafted_after": "int16",  # and of the example
    "crafted_success": "bool",  # the example does on the crafted-on model what it was to do
    "evaluated_on": "str",
    "evaluated_on_key": "str",
    "before": "int16",  # the evaluated model's class of the clean sample
    "confidence_before": "float32",
    "after": "int16",  # and of the example
    "confidence_after": "float32",
    "after_8bit": "int16",  # and of the example rounded to 8 bits a pixel
    "success": "bool",  # the example does on the evaluated model what it was to do
    "l0": "int32",
    "l2": "float32",
    "linf": "float32",
    "gradients": "float32",  # these three: an example's share of its block
    "forwards": "float32",
    "seconds": "float32",
    "versions": "str",
}
"""The columns of a row and their types in pandas: `pandas.read_csv(path, dtype=COLUMNS)` reads what was exported."""

NO_KEY = "no key"


def predict(model: nn.Module, images: Tensor) -> Tensor:
    """Class probabilities (N, K), the softmax of the model's logits, in float32.

    Args:
        model: images to logits.
        images: float32 (N, C, H, W) in [0, 1].

    Raises:
        ValueError: if the images, or the logits, are not finite numbers of the right shape and range.
    """
    check_images(images)
    with torch.inference_mode():
        logits: Tensor = model(images).float()
        probabilities = logits.softmax(1)
    if not bool(torch.isfinite(logits).all()):
        raise ValueError("the model returned logits that are not finite, so nothing can be said of these images")
    return probabilities


@dataclass(frozen=True)
class Verdict:
    """What became of one example on one model.

    Args:
        crafted_on, evaluated_on: what people call the two models, for example "classical classifier".
        label: the true class; target: the class the attack aimed at, or None.
        before, after: the evaluated model's classes for the clean and the adversarial image.
        confidence: its probability of `after`.
        crafted_success: whether the attack did what it was to do on the model it was crafted on.
    """

    crafted_on: str
    evaluated_on: str
    label: int
    target: int | None
    before: int
    after: int
    confidence: float
    crafted_success: bool

    @property
    def fooled(self) -> bool:
        """Whether the model was right before the attack and is wrong after it."""
        return self.before == self.label != self.after

    @property
    def says_nothing(self) -> bool:
        """Whether this is no evidence on the defence: not fooled, but the attack failed where it was crafted."""
        return not self.crafted_success and not self.fooled

    def outcome(self) -> str:
        """One or two words: "fooled", "still right", "was wrong before", or "no evidence"."""
        if self.before != self.label:
            return "was wrong before"
        if self.fooled:
            return "fooled"
        return "no evidence" if self.says_nothing else "still right"

    def sentence(self, classes: tuple[str, ...]) -> str:
        """The verdict in words; it always names both models."""
        read = f"{classes[self.after]} ({percent(self.confidence)})"
        if self.before != self.label:
            said = f"wrong before the attack too ({classes[self.before]} for {classes[self.label]}), now read as {read}"
        elif self.fooled:
            said = f"{classes[self.label]} is now read as {read}"
            if self.target is not None and self.after != self.target:
                said += f", though not as the target {classes[self.target]}"
        else:
            said = f"still read as {read}"
        if self.says_nothing:
            said += f". The attack failed on the {self.crafted_on}, so this says nothing about the defence"
        return f"Crafted on the {self.crafted_on}, evaluated on the {self.evaluated_on}: {said}."


def succeeded(prediction: int, label: int, target: int | None) -> bool:
    """Whether an attack did what it was to do: reach the target, or any wrong class without one."""
    return prediction != label if target is None else prediction == target


def percent(share: float) -> str:
    """A share in [0, 1] for people; never rounded up to certainty or down to impossibility."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"


def predictions(model: nn.Module, images: Tensor) -> Tensor:
    """The model's classes (N,), in float32, a few images at once.

    Raises:
        ValueError: if the logits are not finite.
    """
    return torch.cat([predict(model, some).argmax(1) for some in images.split(JUDGED_AT_ONCE)])


class _Calls:
    """Images that went forwards and backwards. A copy of a counted model counts here too."""

    def __init__(self) -> None:
        self.forwards = 0
        self.gradients = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Calls":
        return self


class Counted(nn.Module):
    """A model that counts its calls, in images: each forward, and each backward that reaches its logits.

    An attack may wrap it, copy it or call it without gradients. One that takes the model apart and calls its layers
    itself escapes the count.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.calls = _Calls()
        self.training = model.training

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K)."""
        logits: Tensor = self.model(images)
        count = len(images)
        self.calls.forwards += count
        if logits.requires_grad:

            def backward(_: Tensor) -> None:
                self.calls.gradients += count

            logits.register_hook(backward)
        return logits


@dataclass(frozen=True)
class Samples:
    """Labelled images of a split, with a name for each.

    Args:
        images: float32 (N, C, H, W) in [0, 1]; labels: int64 (N,); names: N.
        training: images and labels that a universal attack is fitted on: none of those that are evaluated.
    """

    images: Tensor
    labels: Tensor
    names: tuple[str, ...]
    training: tuple[Tensor, Tensor] | None = None

    def __post_init__(self) -> None:
        check_images(self.images)
        check_labels(self.labels, len(self.images))


def samples(experiment: Experiment, dataset: str, uploaded: Samples | None = None) -> Samples:
    """All samples of an experiment.

    Args:
        uploaded: the whole upload, where the split is UPLOADED.

    Raises:
        ValueError: if the split is shorter than the experiment says, or a universal attack has nothing to be fitted on.
    """
    experiments.check_samples(experiment, len(uploaded.names) if uploaded else None)
    wanted = slice(experiment.start, experiment.stop)
    if uploaded and experiment.split == UPLOADED:
        images, labels, names = uploaded.images, uploaded.labels, uploaded.names
    else:
        images, labels = data.load(dataset, experiment.split)
        names = tuple(str(index) for index in range(len(images)))
    training = None
    if ATTACKS[experiment.attack].kind == "universal":
        training = data.load(dataset, indices=experiments.free(experiment)[-FITTED_ON:])
    # With the split before it a name can be no formula of a spreadsheet, and no word that pandas takes for nothing.
    names = tuple(f"{experiment.split} {name}" for name in names[wanted])
    return Samples(images[wanted], labels[wanted], names, training)


def examine(
    experiment: Experiment,
    block: Block,
    samples: Samples,
    models: Mapping[str, nn.Module],
    cards: Mapping[str, zoo.ModelCard],
    on_step: OnStep | None = None,
) -> "pd.DataFrame":
    """Make the examples of one block and show them to the evaluated models.

    Args:
        samples: all of the experiment's, as `samples` gives them.
        models: by id, images to logits, in eval mode.
        cards: of these models.

    Returns:
        COLUMNS: for each example, in order, a row an evaluated model.

    Raises:
        ValueError: on samples that are none, and if the attack returns what is no image. Whatever the attack raises
            comes through: an attack that broke is no evidence of robustness.
    """
    import pandas as pd

    from_ = block.start - experiment.start
    part = slice(from_, from_ + block.stop - block.start)
    images, labels = samples.images[part], samples.labels[part]
    attack, crafter = ATTACKS[experiment.attack], models[experiment.crafted_on]
    clean = {name: torch.cat([predict(models[name], some) for some in _few(images)]) for name in experiment.models}
    with torch.inference_mode():
        logits = torch.cat([crafter(some) for some in _few(images)]).float()
    rows, aims = experiments.aims(experiment, block, labels, logits)
    counted = Counted(crafter)
    began = time.perf_counter()
    adversarial = attack.run(
        counted,
        images[rows],
        aims,
        targeted=experiment.targeted,
        generator=experiments.generator(experiment, block),
        training=samples.training,
        on_step=on_step,
        **experiment.options,
    ).detach()
    seconds = time.perf_counter() - began
    check_images(adversarial, f"what {attack.id} returned")
    size = distances(images[rows], adversarial)
    after = {name: torch.cat([predict(models[name], some) for some in _few(adversarial)]) for name in experiment.models}
    crafted = after[experiment.crafted_on].argmax(1)
    true = labels[rows]

    def reached(predicted: Tensor) -> Tensor:
        return predicted == aims if experiment.targeted else predicted != true

    number = len(rows)
    shared = {
        "dataset": cards[experiment.crafted_on].dataset,
        "split": experiment.split,
        "index": block.start + rows.numpy(),
        "sample": np.array(samples.names[part], dtype=object)[rows.numpy()],
        "label": true.numpy(),
        "target": aims.numpy() if experiment.targeted else None,
        "targets": experiment.targets,
        "seed": experiment.seed,
        "attack": attack.id,
        "options": experiment.named_options(),
        "crafted_on": experiment.crafted_on,
        "crafted_on_key": cards[experiment.crafted_on].key_fingerprint or NO_KEY,
        "crafted_before": clean[experiment.crafted_on][rows].argmax(1).numpy(),
        "crafted_after": crafted.numpy(),
        "crafted_success": reached(crafted).numpy(),
        "l0": size.l0.numpy(),
        "l2": size.l2.numpy(),
        "linf": size.linf.numpy(),
        "gradients": counted.calls.gradients / number,
        "forwards": counted.calls.forwards / number,
        "seconds": seconds / number,
        "versions": "; ".join(f"{name} {version}" for name, version in zoo.versions().items()),
    }
    rounded = (adversarial * 255).round() / 255
    frames = []
    for name in experiment.evaluated_on:
        before, now = clean[name][rows].max(1), after[name].max(1)
        own = {
            "evaluated_on": name,
            "evaluated_on_key": cards[name].key_fingerprint or NO_KEY,
            "before": before.indices.numpy(),
            "confidence_before": before.values.numpy(),
            "after": now.indices.numpy(),
            "confidence_after": now.values.numpy(),
            "after_8bit": predictions(models[name], rounded).numpy(),
            "success": reached(now.indices).numpy(),
        }
        frames.append(pd.DataFrame(shared | own, index=np.arange(number)))
    table = pd.concat(frames).sort_index(kind="stable").reset_index(drop=True)
    return table[list(COLUMNS)].astype(COLUMNS)


def _few(images: Tensor) -> Iterable[Tensor]:
    few: Iterable[Tensor] = images.split(JUDGED_AT_ONCE)
    return few


def evaluate(
    attacks: str | Sequence[str] | Mapping[str, Mapping[str, Any]],
    crafted_on: str | Sequence[str],
    evaluated_on: str | Sequence[str],
    *,
    targets: str | Sequence[str] = "untargeted",
    seeds: Sequence[int] = (0,),
    split: str = "test",
    start: int = 0,
    stop: int = 100,
    uploaded: Samples | None = None,
    folder: str | Path | None = None,
    on_block: Callable[[int, int], None] | None = None,
) -> "pd.DataFrame":
    """Make examples and judge them, in this process; runs.py does the same on disk, with many workers.

    Args:
        attacks: ids of attacks.ATTACKS, or a mapping from ids to options.
        crafted_on: ids of the models that examples are crafted on, each in turn.
        evaluated_on: ids of the models that are shown every example.
        targets: target rules, keys of experiments.TARGETS, each in turn.
        seeds: of random targets and random attacks, each in turn.
        split, start, stop: which samples; "uploaded" for those of `uploaded`.
        folder: where the models are; the shipped ones by default.
        on_block: called with the examples that are done, and all.

    Returns:
        COLUMNS: a row an example and evaluated model.

    Raises:
        ValueError: naming what is wrong.
        FileRefused: if a model is missing or not what the manifest says.
    """
    import pandas as pd

    def listed(value: str | Sequence[str]) -> Sequence[str]:
        return (value,) if isinstance(value, str) else value

    chosen = attacks.items() if isinstance(attacks, Mapping) else [(each, {}) for each in listed(attacks)]
    grid = experiments.grid(
        chosen,
        listed(crafted_on),
        listed(evaluated_on),
        targets=listed(targets),
        seeds=seeds,
        split=split,
        start=start,
        stop=stop,
    )
    cards = zoo.models(folder)
    experiments.check_models(grid, cards)
    models = {name: zoo.load(name, folder=folder) for name in {name for each in grid for name in each.models}}
    work = experiments.blocks(grid, cards)
    shown = [samples(each, cards[each.crafted_on].dataset, uploaded) for each in grid]
    frames, done = [], 0
    for block in work:
        frames.append(examine(grid[block.experiment], block, shown[block.experiment], models, cards))
        done += block.examples
        if on_block:
            on_block(done, sum(each.examples for each in work))
    return pd.concat(frames, ignore_index=True)
