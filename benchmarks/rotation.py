"""What a new key costs: the network trained anew behind it, from the weights behind the old key and from none.

    python -m benchmarks.rotation mnist-table1 --repeats 3 --csv results/rotation/mnist-table1.csv

Each repeat has two keys and a seed of its own. A network is trained behind the first key, then behind the second one
twice, both by the quick recipe. A row says the smallest validation error of the epochs so far; epoch 0 is before any
training.
"""

import argparse
import csv
import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from kerckhoffs import data
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import DEFENCES
from kerckhoffs.keys import Key
from kerckhoffs.zoo import networks, train

COLUMNS = ("network", "seed", "start", "epoch", "validation_error")
FIRST_SEED = 300


def key(seed: int, number: int) -> Key:
    """A key of the benchmark's, and so no secret."""
    secret = hashlib.sha256(f"kerckhoffs rotation {seed}".encode()).digest()
    return Key.derive(secret, 28 * 28, f"key {number}")


def trained(
    dataset: str, network: str, secret: Key, seed: int, start: Mapping[str, Tensor] | None
) -> tuple[dict[str, Tensor], list[float]]:
    """The weights, and the smallest validation error so far before any training and after each epoch."""
    recipe = dataclasses.replace(train.quick(train.recipe_for(dataset, network, "keyed")), seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = DEFENCES["keyed"].build(lambda: networks.build(network, dataset), DATASETS[dataset].shape, (secret,))
    if start is not None:
        model.network.load_state_dict(start)
    found = {0: train.error_rate(model.eval(), *data.load(dataset, "validation"))}

    def note(progress: train.Progress) -> None:
        if progress.best_error is not None:
            found[progress.epoch] = progress.best_error

    fitted = train.fit(dataset, network, "keyed", keys=(secret,), recipe=recipe, start=start, on_step=note)
    found[recipe.epochs] = fitted.validation_error
    return fitted.model.network.state_dict(), [found[epoch] for epoch in sorted(found)]


def main() -> None:
    """Measure, and add to the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", help="<dataset>-<network>")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--csv", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    dataset, network = asked.what.rsplit("-", 1)
    asked.csv.parent.mkdir(parents=True, exist_ok=True)
    with asked.csv.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for seed in range(FIRST_SEED, FIRST_SEED + asked.repeats):
            old, _ = trained(dataset, network, key(seed, 1), seed, None)
            for name, start in (("old weights", old), ("none", None)):
                _, errors = trained(dataset, network, key(seed, 2), seed + 1000, start)
                for epoch, error in enumerate(errors):
                    rows.writerow((asked.what, seed, name, epoch, f"{error:.4f}"))
                    print(asked.what, seed, name, epoch, f"{100 * error:.2f} %", flush=True)
            file.flush()


if __name__ == "__main__":
    main()
