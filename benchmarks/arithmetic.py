"""The attacks by the sign of the gradient in both arithmetics, beside torchattacks and foolbox with the same settings.

    python -m benchmarks.arithmetic --csv results/peers/arithmetic.csv

Untargeted, crafted on and evaluated on Table 1's classical networks, on the first test samples whether they are read
right or not: the error is over all of them, as in Table 3. Every example counts, also one that fails (perturb_all).
All get the images in one batch, and random starts from seed 0.
"""

import argparse
import importlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from kerckhoffs import bench, data, zoo
from kerckhoffs.bench import contestants
from kerckhoffs.data import TEST_SAMPLES
from kerckhoffs.evaluation.metrics import wilson

MODELS = ("mnist-table1-classical", "fashion-mnist-table1-classical")
EPSILONS = (0.3, 0.1)  # FGSM's; the others have the second
STEP, STEPS, MI_STEPS = 0.01, 40, 10
ARITHMETICS = ("exact", "float32")


def specs() -> Iterator[tuple[str, float, str, str, str]]:
    """What is compared: (attack, epsilon, ours without its arithmetic, torchattacks', foolbox's)."""
    for epsilon in EPSILONS:
        yield (
            "FGSM",
            epsilon,
            f"fgsm:epsilon={epsilon}",
            f"torchattacks.fgsm:eps={epsilon}",
            f"foolbox.fgsm:epsilon={epsilon}",
        )
    epsilon = EPSILONS[-1]
    small = f"epsilon={epsilon}:step_size={STEP}:iterations={STEPS}"
    theirs = f"eps={epsilon}:alpha={STEP}:steps={STEPS}"
    foolboxs = f"epsilon={epsilon}:rel_stepsize={STEP / epsilon:.6g}:steps={STEPS}"
    yield "BIM", epsilon, f"bim:{small}", f"torchattacks.bim:{theirs}", f"foolbox.bim:{foolboxs}"
    for start in ("false", "true"):
        yield (
            "PGD from a random start" if start == "true" else "PGD from the image",
            epsilon,
            f"pgd:{small}:random_start={start}",
            f"torchattacks.pgd:{theirs}:random_start={start}",
            f"foolbox.pgd:{foolboxs}:random_start={start}",
        )
    yield (
        "MI-FGSM",
        epsilon,
        f"mi_fgsm:epsilon={epsilon}:iterations={MI_STEPS}",
        f"torchattacks.mi_fgsm:eps={epsilon}:alpha={epsilon / MI_STEPS:.6g}:steps={MI_STEPS}",
        f"foolbox.mi_fgsm:epsilon={epsilon}:rel_stepsize={1 / MI_STEPS:.6g}:steps={MI_STEPS}",
    )


def of_gradients(epsilon: float) -> bench.Contestant:
    """foolbox's MI-FGSM as it would be if it summed the gradients, each divided by its l1 norm, and not their signs."""

    def run(model: nn.Module, images: Tensor, labels: Tensor, targeted: bool) -> Tensor:
        foolbox = importlib.import_module("foolbox")
        attack = foolbox.attacks.LinfMomentumIterativeFastGradientMethod(rel_stepsize=1 / MI_STEPS, steps=MI_STEPS)
        attack.normalize = lambda gradients, **_: normalize_l1(gradients)
        wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device=images.device)
        clipped: Tensor = attack(wrapped, images, foolbox.criteria.Misclassification(labels), epsilons=epsilon)[1]
        return clipped

    def normalize_l1(gradients: Any) -> Any:
        return gradients / gradients.abs().sum(axis=(1, 2, 3), keepdims=True)

    name = "foolbox.mi_fgsm, of gradients"
    return replace(contestants.peer("foolbox.mi_fgsm"), name=name, settings=name, run=run)


def measured(model: str, samples: int, chosen: str | None) -> Iterator[dict[str, object]]:
    """One row a contestant: who, with which settings, and the error with its interval."""
    network = zoo.load(model)
    images, labels = data.load(zoo.card(model).dataset, indices=range(samples))
    for attack, epsilon, ours, *peers in specs():
        if chosen not in (None, attack):
            continue
        field = [contestants.ours(f"{ours}:arithmetic={name}:perturb_all=true") for name in ARITHMETICS]
        field += map(contestants.peer, peers)
        if attack == "MI-FGSM":
            field.append(of_gradients(epsilon))
        for contestant in field:
            result = bench.measure(contestant, network, images, labels, targeted=False)
            row = {"model": model, "attack": attack, "epsilon": epsilon, "spec": contestant.name}
            row |= {"library": contestant.library, "samples": samples}
            if result.success is None or result.images is None:
                yield row | {"reason": result.error}
                continue
            wrong = int(result.success.sum())
            low, high = wilson(wrong, samples)
            changed = (result.images != images).flatten(1).float().mean(1)
            yield row | {
                "error": wrong / samples,
                "error_low": low,
                "error_high": high,
                "pixels_changed": float(changed.mean()),
                "unchanged_images": int((changed == 0).sum()),
                "reason": "",
            }


def main() -> None:
    """Run, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=TEST_SAMPLES, help="the first so many of the test set")
    parser.add_argument("--model", choices=MODELS, action="append", help="both by default")
    parser.add_argument("--attack", help="one of them, as it is called in the output; all by default")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    rows = []
    for model in options.model or MODELS:
        for row in measured(model, options.samples, options.attack):
            rows.append(row)
            said = f"{100 * float(str(row['error'])):.1f} %" if "error" in row else row["reason"]
            print(f"{model}, {row['attack']}, epsilon {row['epsilon']}, {row['spec']}: {said}", flush=True)
    if options.csv:
        pd.DataFrame(rows).to_csv(options.csv, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
