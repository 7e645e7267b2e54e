"""Carlini-Wagner l2: ours beside foolbox's, in one run, on the same images, model and targets.

    pip install -r benchmarks/requirements.txt
    python benchmarks/cw_l2.py --images 20 --threads 2

Both get 9 binary-search steps of 1000 iterations, step size 0.01, c from 0.001, confidence 0, early abort, random
targets. Success and distance are judged here, in float32; seconds and gradient calls are counted from outside. The
images are the first test samples that the model reads right. A success counts for the median with its distance, a
failure as infinite.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn

from kerckhoffs import data, zoo
from kerckhoffs.attacks import cw_l2
from kerckhoffs.metrics import distances

Run = Callable[[nn.Module, Tensor, Tensor], Tensor]


class Counted(nn.Module):
    """A model that counts the images it takes gradients for."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.gradients = 0

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K)."""
        logits: Tensor = self.model(images)
        if logits.requires_grad:
            self.gradients += len(images)
        return logits


def ours(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """kerckhoffs.attacks.cw_l2 with its defaults."""
    return cw_l2(model, images, targets, targeted=True)


def foolbox(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """foolbox 3.3.4's L2CarliniWagnerAttack with the same settings."""
    import foolbox as peer

    attack = peer.attacks.L2CarliniWagnerAttack(
        binary_search_steps=9, steps=1000, stepsize=1e-2, confidence=0, initial_const=1e-3, abort_early=True
    )
    criterion = peer.criteria.TargetedMisclassification(targets)
    raw, _, _ = attack(peer.PyTorchModel(model, bounds=(0, 1)), images, criterion, epsilons=None)
    result: Tensor = raw
    return result


def measure(name: str, attack: Run, model: nn.Module, images: Tensor, targets: Tensor) -> dict[str, float | str]:
    """One row of the table."""
    counted = Counted(model).eval()
    began = time.perf_counter()
    adversarial = attack(counted, images, targets)
    seconds = time.perf_counter() - began
    with torch.inference_mode():
        success = model(adversarial).argmax(1) == targets
    size = distances(images, adversarial).l2.where(success, torch.inf)
    return {
        "attack": name,
        "success %": 100 * float(success.float().mean()),
        "median l2": float(size.median()),
        "mean l2 of successes": float(size[success].mean()),
        "s an image": seconds / len(images),
        "gradients an image": counted.gradients / len(images),
    }


def main() -> None:
    """Run and print; write CSV if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mnist-table2-classical")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the random targets")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = zoo.load(options.model)
    images, labels = data.load(zoo.card(options.model).dataset)
    with torch.inference_mode():
        right = (model(images).argmax(1) == labels).nonzero().squeeze(1)[: options.images]
    images, labels = images[right], labels[right]
    generator = torch.Generator().manual_seed(options.seed)
    targets = (labels + torch.randint(1, 10, labels.shape, generator=generator)) % 10
    peers: dict[str, Run] = {"kerckhoffs cw_l2": ours, "foolbox 3.3.4": foolbox}
    rows = []
    for name, attack in peers.items():
        try:
            rows.append(measure(name, attack, model, images, targets))
        except ImportError:
            print(f"{name} is left out: pip install -r benchmarks/requirements.txt")
    table = pd.DataFrame(rows)
    print(f"{options.model}, {len(images)} images, random targets with seed {options.seed}, {options.threads} threads")
    print(table.round(3).to_string(index=False))
    if options.csv:
        table.to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
