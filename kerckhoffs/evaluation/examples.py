"""Examples made and judged: one row an example and evaluated model.

`examine` makes the examples of a block once, shows them to all evaluated models, and returns the rows; `evaluate` does
so for a whole grid in this process, runs.py and engines.py on disk with many workers. summaries.py counts the rows.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from kerckhoffs import attackers, data, zoo
from kerckhoffs.attacks import ATTACKS, OnStep
from kerckhoffs.checks import check_images, check_labels
from kerckhoffs.checks.arithmetic import in_float32
from kerckhoffs.evaluation import experiments, probes
from kerckhoffs.evaluation.experiments import FITTED_ON, UPLOADED, Block, Experiment
from kerckhoffs.evaluation.judge import CALLS, JUDGED_AT_ONCE, Counted, predict
from kerckhoffs.evaluation.metrics import distances

if TYPE_CHECKING:
    import pandas as pd  # slow, and most pages do without

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
    "crafted_gradient": "float32",  # max |dJ/dx| of the crafted-on model at the clean sample; empty if there is none
    "call_difference": "float32",  # of the evaluated model's logits in two calls of the clean sample, relative
}
"""The columns of a row and their types in pandas: `pandas.read_csv(path, dtype=COLUMNS)` reads what was exported."""

ADDED = ("crafted_gradient", "call_difference")
"""The last columns: files that were written before there were warnings (flags.py) lack them."""


@dataclass(frozen=True)
class Samples:
    """Labelled images of a split, with a name for each.

    Args:
        images: float32 (N, C, H, W) in [0, 1]; labels: int64 (N,); names: N.
        training: images and labels that an attack takes as the attacker's own: none of those that are evaluated.
    """

    images: Tensor
    labels: Tensor
    names: tuple[str, ...]
    training: tuple[Tensor, Tensor] | None = None

    def __post_init__(self) -> None:
        check_images(self.images)
        check_labels(self.labels, len(self.images))
        if len(self.names) != len(self.images):
            raise ValueError(f"names must be {len(self.images)}, one an image, but are {len(self.names)}")


def samples(experiment: Experiment, dataset: str, uploaded: Samples | None = None) -> Samples:
    """All samples of an experiment.

    Args:
        uploaded: the whole upload, where the split is UPLOADED.

    Raises:
        ValueError: if the split is shorter than the experiment says, or a universal attack has nothing to be fitted on.
    """
    experiments.check_samples(experiment, dataset, len(uploaded.names) if uploaded else None)
    wanted = slice(experiment.start, experiment.stop)
    if uploaded and experiment.split == UPLOADED:
        images, labels, names = uploaded.images, uploaded.labels, uploaded.names
    else:
        images, labels = data.load(dataset, experiment.split)
        names = tuple(str(index) for index in range(len(images)))
    training = None
    if ATTACKS[experiment.attack].training and (others := experiments.free(experiment, dataset)):
        training = data.load(dataset, indices=others[-FITTED_ON:])
    # With the split before it a name can be no formula of a spreadsheet, and no word that pandas takes for nothing.
    names = tuple(f"{experiment.split} {name}" for name in names[wanted])
    return Samples(images[wanted], labels[wanted], names, training)


class Known:
    """What models said of clean images. The same samples are attacked again and again; who gives this to `examine` has
    each model asked about them once.

    A randomised defence is asked anew each time, because it says something else.
    """

    MOST = 20_000  # answers that are kept, of a block and a model each: some kB

    def __init__(self) -> None:
        self._kept: dict[tuple[Any, ...], Tensor] = {}

    def get(
        self, what: str, card: zoo.ModelCard, experiment: Experiment, block: Block, ask: Callable[[], Tensor]
    ) -> Tensor:
        """An answer, asked for if it is not known."""
        if card.entry.randomized:
            return ask()
        key = what, card.id, card.sha256, experiment.split, block.start, block.stop
        if key not in self._kept:
            if len(self._kept) >= self.MOST:
                self._kept.clear()
            self._kept[key] = ask()
        return self._kept[key]


@in_float32()
def examine(
    experiment: Experiment,
    block: Block,
    samples: Samples,
    models: Mapping[str, nn.Module],
    cards: Mapping[str, zoo.ModelCard],
    on_step: OnStep | None = None,
    known: Known | None = None,
) -> "pd.DataFrame":
    """Make the examples of one block and show them to the evaluated models.

    A randomised defence is judged by the mean of CALLS calls, each of which is its mean over draws. The attack saw
    other draws, so an example may have failed in its eyes and count, or the reverse. What came back unchanged is not
    asked about again: no luck of the draws turns it.

    Args:
        samples: all of the experiment's, as `samples` gives them.
        models: by id, images to logits, in eval mode.
        cards: of these models.
        known: what was said of clean images before, by these models of these samples.

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

    def asked(name: str, shown: Tensor) -> Tensor:
        calls = CALLS if cards[name].entry.randomized else 1
        return torch.cat([predict(models[name], some, calls=calls) for some in _few(shown)])

    known = known or Known()

    def of_clean(what: str, name: str, ask: Callable[[], Tensor]) -> Tensor:
        return known.get(what, cards[name], experiment, block, ask)

    def answers() -> Tensor:
        with torch.no_grad():
            return torch.cat([crafter(some) for some in _few(images)]).float()

    clean = {name: of_clean("probabilities", name, partial(asked, name, images)) for name in experiment.models}
    logits = of_clean("logits", experiment.crafted_on, answers)
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

    def judged(name: str, shown: Tensor) -> Tensor:
        unchanged = (shown == images[rows]).flatten(1).all(1, keepdim=True)  # (M, 1)
        return clean[name][rows].where(unchanged, asked(name, shown))

    after = {name: judged(name, adversarial) for name in experiment.models}
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
        "crafted_on_key": cards[experiment.crafted_on].fingerprint,
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
        "crafted_gradient": of_clean(
            "gradient", experiment.crafted_on, partial(probes.gradient_sizes, crafter, images, labels)
        )[rows].numpy(),
    }
    rounded = (adversarial * 255).round() / 255
    frames = []
    for name in experiment.evaluated_on:
        before, now = clean[name][rows].max(1), after[name].max(1)
        own = {
            "evaluated_on": name,
            "evaluated_on_key": cards[name].fingerprint,
            "before": before.indices.numpy(),
            "confidence_before": before.values.numpy(),
            "after": now.indices.numpy(),
            "confidence_after": now.values.numpy(),
            "after_8bit": judged(name, rounded).argmax(1).numpy(),
            "success": reached(now.indices).numpy(),
            "call_difference": of_clean("calls", name, partial(probes.call_differences, models[name], images))[
                rows
            ].numpy(),
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
    cards = experiments.cards(grid, folder)
    experiments.check_models(grid, cards)
    models = {name: attackers.load(name, folder) for name in {name for each in grid for name in each.models}}
    work = experiments.blocks(grid, cards)
    shown = [samples(each, cards[each.crafted_on].dataset, uploaded) for each in grid]
    frames, done, known = [], 0, Known()
    for block in work:
        frames.append(examine(grid[block.experiment], block, shown[block.experiment], models, cards, known=known))
        done += block.examples
        if on_block:
            on_block(done, sum(each.examples for each in work))
    return pd.concat(frames, ignore_index=True)
