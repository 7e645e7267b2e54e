"""Several of the defender's keys, and a control for each: classifiers to climb the ladder against, in a folder.

    python -m benchmarks.ladder mnist-table1 --keys 4 --models FOLDER
    python -m kerckhoffs ladder mnist-table1-keyed mnist-table1-keyed-1 ... --models FOLDER \\
        --control mnist-table1-control-0,mnist-table1-control-1,... --csv ROWS --lines LINES

The first key is that of the shipped model, which is put beside the others; their keys are derived from what is written
here, so they are no secret. Each control is a classical classifier with a seed of its own. All are trained by the quick
recipe, and what is there is not trained again. These are the defender's: no attacker has their seeds.
"""

import argparse
import dataclasses
import hashlib
import shutil
from pathlib import Path

import torch

from kerckhoffs import keys, zoo
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import DEFENCES
from kerckhoffs.zoo import train

KINDS = {"keyed": 100, "control": 200}
"""By what is made: the seed of the first of a kind."""


def make(kind: str, dataset: str, network: str, number: int, folder: Path) -> None:
    """Train one classifier and add it to the folder."""
    id_ = f"{dataset}-{network}-{kind}-{number}"
    if (folder / zoo.MANIFEST).exists() and id_ in zoo.models(folder):
        return
    defence = "classical" if kind == "control" else kind
    recipe = dataclasses.replace(train.quick(train.recipe_for(dataset, network, defence)), seed=KINDS[kind] + number)
    secret = hashlib.sha256(f"kerckhoffs ladder defender {recipe.seed}".encode()).digest()
    lengths = DEFENCES[defence].key_lengths(DATASETS[dataset].shape)
    secrets = tuple(keys.Key.derive(secret, length, "a benchmark's network") for length in lengths)
    fitted = train.fit(dataset, network, defence, keys=secrets, recipe=recipe, checkpoint=folder / f"{id_}.begun")
    paths = [folder / f"{id_}.key.json" for _ in secrets]
    for key, path in zip(secrets, paths, strict=True):
        if not path.exists():
            key.save(path, public=True)
    card = train.add(
        fitted,
        id_,
        (dataset, network, defence),
        folder,
        recipe=recipe,
        keys=secrets,
        key_files=[path.name for path in paths],
        command=f"python -m benchmarks.ladder {dataset}-{network} --models {folder.name}",
    )
    shutil.rmtree(folder / f"{id_}.begun", ignore_errors=True)
    print(f"{id_}: test error {100 * card.test_error:.1f} %, {fitted.seconds:.0f} s", flush=True)


def put(id_: str, folder: Path) -> None:
    """Put a shipped model beside the others."""
    card = zoo.card(id_, zoo.shipped_folder())
    for name in card.key_files:
        shutil.copy(zoo.shipped_folder() / name, folder / name)
    zoo.save(card, zoo.load_network(id_, folder=zoo.shipped_folder()), folder)


def main() -> None:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", help="<dataset>-<network>")
    parser.add_argument("--keys", type=int, default=4, help="beside the shipped model's")
    parser.add_argument("--models", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    dataset, network = asked.what.rsplit("-", 1)
    asked.models.mkdir(parents=True, exist_ok=True)
    put(f"{asked.what}-keyed", asked.models)
    for number in range(asked.keys + 1):
        make("control", dataset, network, number, asked.models)
        if number:
            make("keyed", dataset, network, number, asked.models)


if __name__ == "__main__":
    main()
