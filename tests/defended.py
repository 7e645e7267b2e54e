"""Folders with an untrained model of each defence: what pages show of it does not need a good one."""

import re

import torch

from kerckhoffs import zoo
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import DEFENCES
from kerckhoffs.keys import Key
from kerckhoffs.zoo import networks

DATASET, NETWORK = "mnist", "half"
CLASSICAL = f"{DATASET}-{NETWORK}-classical"
STRUCTURES = [
    name for name, each in DEFENCES.items() if each.training == "clean" and not re.search("-[27]$|dct-[hvd]", name)
] + ["dct-high", "dct-diagonal"]
"""What stands before networks, one block size of each."""
RETRAINED = ["distilled", "adversarial", "keyed-adversarial"]
KEYED = [name for name in STRUCTURES if DEFENCES[name].keyed and not DEFENCES[name].by_attacker]
TRAINING = {"seconds": 90, "epsilon": 0.2, "attack_steps": 5, "temperature": 100.0}


def model_of(defence):
    return zoo.model_id(DATASET, NETWORK, defence)


def write(folder, defences, *, public=True):
    """Write them, with the keys beside them or, private, in the user's folder; the keys by defence."""
    shape, secrets = DATASETS[DATASET].shape, {}
    for defence in defences:
        entry, name = DEFENCES[defence], model_of(defence)
        torch.manual_seed(0)
        keys = tuple(Key.generate(length) for length in entry.key_lengths(shape))
        files = [f"{name}.key{number or ''}.json" for number in range(len(keys))] if public else []
        folder.mkdir(parents=True, exist_ok=True)
        for number, key in enumerate(keys):
            key.save(folder / files[number] if public else zoo.user_key_path(key.fingerprint), public=public)
        classifier = entry.build(lambda: networks.build(NETWORK, DATASET), shape, keys)
        card = zoo.ModelCard(
            id=name,
            dataset=DATASET,
            network=NETWORK,
            defence=defence,
            options={},
            keys=tuple(key.fingerprint for key in keys),
            key_files=tuple(files),
            file=f"{name}.safetensors",
            sha256="",
            validation_error=0.02,
            test_error=0.05 if defence == "classical" else 0.075,
            test_samples=1000,
            command=f"python -m kerckhoffs train {name}",
            training=TRAINING,
            versions=zoo.versions(),
        )
        zoo.save(card, classifier.network, folder, float16=True)
        secrets[defence] = keys
    return secrets
