"""AutoAttack beside torchattacks' on the same model and images: the errors that each leaves, and on which images.

    python -m benchmarks.autoattack --csv results/peers/autoattack.csv

All are in linf, from seed 0, on the first test samples. torchattacks 3.3.0 gives its gradient attacks 10 steps where
the authors' standard version, and ours, has 100: so its parts are run with 100 steps too. What is returned is judged
here, in float32 and within the budget, and an image that the model misreads from the start counts as an error of all.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn
from torchattacks import APGD, APGDT, FAB, AutoAttack, MultiAttack, Square

from kerckhoffs import data, zoo
from kerckhoffs.attacks import ATTACKS

CASES = (
    ("mnist-table1-classical", 0.1),
    ("mnist-table1-adversarial", 0.2),
    ("mnist-table1-keyed", 0.05),
    ("mnist-table1-keyed-adversarial", 0.2),
    ("mnist-table1-keyed", 0.1),
    ("mnist-table1-adversarial", 0.3),
)


def ours(model: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Our examples."""
    return ATTACKS["autoattack"].run(model, images, labels, epsilon=epsilon)


def theirs(model: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """torchattacks' as it comes."""
    made: Tensor = AutoAttack(model, norm="Linf", eps=epsilon, version="standard", n_classes=10, seed=0)(images, labels)
    return made


def longer(model: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Its parts, in its order, with the authors' 100 steps."""
    common = {"eps": epsilon, "norm": "Linf", "seed": 0}
    parts = [
        APGD(model, steps=100, loss="ce", **common),
        APGDT(model, steps=100, n_classes=10, **common),
        FAB(model, steps=100, multi_targeted=True, n_classes=10, **common),
        Square(model, n_queries=5000, **common),
    ]
    made: Tensor = MultiAttack(parts)(images, labels)
    return made


RIVALS = {"torchattacks": theirs, "torchattacks_100": longer}


def wrong(model: nn.Module, images: Tensor, labels: Tensor, made: Tensor, epsilon: float) -> Tensor:
    """Which images are read wrong after the attack, bool (N,); an example beyond the budget counts as none."""
    within = (made - images).abs().amax((1, 2, 3)) <= epsilon + 1e-6
    with torch.no_grad():
        before, after = (model(each).argmax(1) != labels for each in (images, made))
    return before | (after & within)


def timed(
    run: Callable[..., Tensor], model: nn.Module, images: Tensor, labels: Tensor, epsilon: float
) -> tuple[Tensor, float]:
    """What is wrong after an attack, and the seconds it took."""
    begun = time.perf_counter()
    with torch.random.fork_rng(devices=[]):
        made = run(model, images.clone(), labels.clone(), epsilon)
    taken = time.perf_counter() - begun
    return wrong(model, images, labels, made.detach(), epsilon), taken


def main() -> None:
    """Run, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, epsilon in CASES:
        model = zoo.load(name)
        images, labels = data.load("mnist", indices=range(options.images))
        mine, seconds = timed(ours, model, images, labels, epsilon)
        row = {"model": name, "epsilon": epsilon, "images": len(images), "errors": int(mine.sum()), "seconds": seconds}
        for peer, run in RIVALS.items():
            found, seconds = timed(run, model, images, labels, epsilon)
            alone = {"ours_alone": int((mine & ~found).sum()), "alone": int((found & ~mine).sum())}
            row |= {f"{peer}_{each}": value for each, value in {"errors": int(found.sum()), **alone}.items()}
            row[f"{peer}_seconds"] = seconds
        rows.append(row)
        print(*rows[-1].values(), flush=True)
        if options.csv:
            pd.DataFrame(rows).to_csv(options.csv, index=False, float_format="%.1f")


if __name__ == "__main__":
    main()
