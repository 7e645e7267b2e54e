"""Attacks that only ask, at equal queries: how many images each fools, and from how near, beside other libraries'.

    python -m benchmarks.queries --csv results/peers/queries.csv

Untargeted, on the first test samples that the model reads right. Queries are counted for each image, the clean look
included. Ours tell after every step what they have and what it has cost (`Step`), which the contract tests hold against
the model's own count. The others get each image by itself and are counted outside, where nobody knows what they would
return at a budget: the nearest image so far that has fooled the model counts as theirs, which can only flatter them.
Attacks whose schedule depends on the budget (Square, GeoDA) run anew for each.
"""

import argparse
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import binom
from torch import Tensor, nn

from kerckhoffs import data, zoo
from kerckhoffs.attacks import ATTACKS, Step
from kerckhoffs.attacks.geometry import norms
from kerckhoffs.bench import contestants
from kerckhoffs.evaluation.metrics import wilson

MODELS = ("mnist-table1-classical", "mnist-table1-keyed")
BUDGETS = (100, 300, 1000, 3000)
EPSILON = 0.1  # Square's; the others look for the smallest
P = {"l2": 2.0, "linf": torch.inf}
CONTESTANTS = {  # and what each takes its budget by, where it has to know it
    f"square:epsilon={EPSILON}": "max_queries",
    f"torchattacks.square:eps={EPSILON}": "n_queries",
    f"art.square:eps={EPSILON}": "max_iter",
    "hop_skip_jump": "",
    "foolbox.hop_skip_jump:steps=1000": "",
    "art.hop_skip_jump:max_iter=1000": "",
    "surfree": "",
    "art.geoda": "max_iter",
    "rays": "",
    "hop_skip_jump_linf": "",
    "foolbox.hop_skip_jump_linf:steps=1000": "",
    "art.hop_skip_jump_linf:max_iter=1000": "",
}


class Spent(Exception):
    """The budget is spent: ends a peer's attack."""


class Recorder(nn.Module):
    """A model that is shown one image's queries, and remembers the nearest that fooled it after each of them."""

    def __init__(self, model: nn.Module, image: Tensor, label: Tensor, p: float, most: int) -> None:
        super().__init__()
        self.model, self.image, self.label, self.p, self.most = model, image, label, p, most
        self.parameter = nn.Parameter(torch.zeros(1))  # some libraries look for a device
        self.nearest: list[float] = []  # after 1, 2, ... queries

    def forward(self, images: Tensor) -> Tensor:
        """Logits, until the budget is spent."""
        if len(self.nearest) >= self.most:
            raise Spent
        with torch.no_grad():
            logits: Tensor = self.model(images)
        size = norms(images - self.image, self.p).where(logits.argmax(1) != self.label, torch.inf)
        for each in size.tolist():
            self.nearest.append(min(each, self.nearest[-1] if self.nearest else torch.inf))
        return logits

    def within(self, budget: int) -> float:
        """The nearest of the first so many queries."""
        return self.nearest[min(budget, len(self.nearest)) - 1] if self.nearest else torch.inf


def ours(spec: str, model: nn.Module, images: Tensor, labels: Tensor, budgets: tuple[int, ...]) -> list[Tensor]:
    """One of our attacks, all images at once; for each budget the distances (N,), infinite where it has failed."""
    id, options = contestants.read(spec)
    nearest = [torch.full((len(images),), torch.inf) for _ in budgets]

    def note(step: Step) -> None:
        size = norms(step.best - images, P[ATTACKS[id].norm])
        for number, budget in enumerate(budgets):
            if step.queries is not None:
                counts = (step.queries <= budget) & (size > 0)
                nearest[number] = torch.where(counts, size, nearest[number])

    ATTACKS[id].run(model, images, labels, on_step=note, **{**options, "max_queries": max(budgets)})
    return nearest


def theirs(spec: str, model: nn.Module, images: Tensor, labels: Tensor, budgets: tuple[int, ...]) -> list[Tensor]:
    """A peer, image by image, from seed 0; as `ours`."""
    contestant = contestants.peer(spec)
    found = []
    for image, label in zip(images.split(1), labels.split(1), strict=True):
        recorder = Recorder(model, image, label, P[contestant.norm], max(budgets)).eval()
        with torch.random.fork_rng(devices=[]), suppress(Spent):
            torch.manual_seed(0)
            np.random.seed(0)
            contestant.run(recorder, image.clone(), label.clone(), False)
        found.append([recorder.within(budget) for budget in budgets])
    return list(torch.tensor(found).T)


def measured(name: str, count: int, specs: list[str], budgets: tuple[int, ...]) -> Iterator[dict[str, object]]:
    """A row for each contestant and budget on one model."""
    model = zoo.load(name)
    images, labels = data.load("mnist", indices=range(min(2 * count, 1000)))
    with torch.no_grad():
        right = (model(images).argmax(1) == labels).nonzero().squeeze(1)[:count]
    images, labels = images[right], labels[right]
    low, high = (int(binom.ppf(share, count, 0.5)) for share in (0.025, 0.975))  # the ranks around the median
    for spec in specs:
        own = spec.split(":")[0] in ATTACKS
        by = CONTESTANTS[spec]
        for some in [(budget,) for budget in budgets] if by else [budgets]:
            told = f"{spec}:{by}={some[0]}" if by else spec
            try:
                found = (ours if own else theirs)(told, model, images, labels, some)
            except Exception as reason:  # a peer's: no figures, and never "robust"
                yield {"model": name, "attack": spec, "queries": max(some), "images": count, "reason": repr(reason)}
                continue
            for budget, size in zip(some, found, strict=True):
                fooled = int(size.isfinite().sum())
                ordered = size.sort().values.tolist()
                least, most = wilson(fooled, len(size))
                yield {
                    "model": name,
                    "attack": spec,
                    "queries": budget,
                    "images": len(size),
                    "success": fooled / len(size),
                    "success_low": least,
                    "success_high": most,
                    "median": ordered[len(size) // 2],
                    "median_low": ordered[low],
                    "median_high": ordered[min(high, len(size) - 1)],
                }


def main() -> None:
    """Run, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--model", choices=MODELS, action="append", help="both by default")
    parser.add_argument("--only", choices=CONTESTANTS, nargs="+", help="all by default")
    parser.add_argument("--queries", type=int, nargs="+", default=BUDGETS, help="the budgets")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for model in options.model or MODELS:
        for row in measured(model, options.images, options.only or list(CONTESTANTS), tuple(options.queries)):
            rows.append(row)
            print(*(f"{each:.4g}" if isinstance(each, float) else each for each in row.values()), flush=True)
            if options.csv:
                pd.DataFrame(rows).to_csv(options.csv, index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
