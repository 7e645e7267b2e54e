"""What is known of a trained classifier: its card, an entry of a folder's manifest."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from kerckhoffs.checks import check_choice
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import DEFENCES, Defence
from kerckhoffs.zoo.networks import NETWORKS

OWN = "own/"
"""What the ids of a user's own models begin with, so that none is taken for a shipped one."""

MAX_SAMPLES = 10**9  # that an error was measured on


@dataclass(frozen=True)
class ModelCard:
    """What is known of a trained classifier.

    Errors are shares in [0, 1]. `command`, `training` and `versions` say how it was made; the command names no
    key, so it makes a keyed model anew only where its published key still lies in the folder.

    Args:
        id: "<dataset>-<network>-<defence>"; of a user's own model with OWN before it.
        dataset, network, defence: keys of data.DATASETS, zoo.NETWORKS and defences.DEFENCES.
        options: those of the defence.
        keys: the fingerprints of its keys, none if it has no key.
        key_files: where these keys lie beside the weights, if they are public; else none.
        file, sha256: of the weights.
    """

    id: str
    dataset: str
    network: str
    defence: str
    options: Mapping[str, Any]
    keys: tuple[str, ...]
    key_files: tuple[str, ...]
    file: str
    sha256: str
    validation_error: float
    test_error: float
    test_samples: int
    command: str
    training: Mapping[str, Any]
    versions: Mapping[str, str]

    @property
    def entry(self) -> Defence:
        """Its defence."""
        return DEFENCES[self.defence]

    @property
    def keyed(self) -> bool:
        """Whether it has a key."""
        return bool(self.keys)

    @property
    def private(self) -> bool:
        """Whether it has a key that is not public."""
        return self.keyed and not self.key_files

    @property
    def own(self) -> bool:
        """Whether it is one of the user's."""
        return self.id.startswith(OWN)

    @property
    def label(self) -> str:
        """What its id says beyond set, network and defence, to tell it from others of its kind; "" if nothing."""
        return self.id.removeprefix(OWN).removeprefix(model_id(self.dataset, self.network, self.defence)).lstrip("-")

    @property
    def fingerprint(self) -> str:
        """The fingerprints of its keys as one word, "no key" without any."""
        return "+".join(self.keys) or "no key"

    @property
    def title(self) -> str:
        """A name for people, for example "MNIST, Table 2, keyed"."""
        return f"{DATASETS[self.dataset].name}, {NETWORKS[self.network].name}, {self.entry.name}" + ", yours" * self.own


def model_id(dataset: str, network: str, defence: str) -> str:
    """The id of a model: "<dataset>-<network>-<defence>"."""
    return f"{dataset}-{network}-{defence}"


def parse(id_: str) -> tuple[str, str, str]:
    """The dataset, network and defence that a model's id names.

    Raises:
        ValueError: on one that names none, with the choices.
    """
    begun = {f"{dataset}-{network}-": (dataset, network) for dataset in DATASETS for network in NETWORKS}
    beginning = max((each for each in begun if id_.startswith(each)), key=len, default=id_)
    defence = id_.removeprefix(beginning)
    if not defence:
        raise ValueError(
            f"unknown model {id_!r}: it is <{'|'.join(DATASETS)}>-<{'|'.join(NETWORKS)}>-<defence>, for example "
            f"{model_id(next(iter(DATASETS)), next(iter(NETWORKS)), 'keyed')}"
        )
    check_choice(defence, DEFENCES, "defence")
    return *begun[beginning], defence


_FIELD_TYPES: dict[str, Any] = {
    **dict.fromkeys(("id", "dataset", "network", "defence", "file", "sha256", "command"), str),
    **dict.fromkeys(("validation_error", "test_error"), int | float),
    "test_samples": int,
    **dict.fromkeys(("options", "training", "versions"), dict),
    **dict.fromkeys(("keys", "key_files"), list | tuple),
}


def read(record: Any) -> ModelCard:
    """The card of an entry of a manifest, also of one that was written before defences had a registry.

    Raises:
        ValueError, TypeError, KeyError: naming what is wrong with it.
    """
    if "transform" in record:
        record = _from_before(record)
    if unknown := set(record) - {field.name for field in fields(ModelCard)}:
        raise ValueError(f"a model has the unknown field {min(unknown)!r}")
    card = ModelCard(**record)
    for name, kind in _FIELD_TYPES.items():
        if not isinstance(getattr(card, name), kind) or isinstance(getattr(card, name), bool):
            raise ValueError(f"{name} of the model {card.id!r} is {getattr(card, name)!r}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", card.id.removeprefix(OWN)):
        raise ValueError(f"{card.id[:100]!r} is no id of a model: letters, digits and dashes, at most 100")
    for name in ("validation_error", "test_error"):
        if not 0 <= getattr(card, name) <= 1:  # nor NaN
            raise ValueError(f"{name} of the model {card.id!r} is {getattr(card, name)!r}, no share from 0 to 1")
    if not 1 <= card.test_samples <= MAX_SAMPLES:
        raise ValueError(f"test_samples of the model {card.id!r} is {card.test_samples!r}")
    check_choice(card.dataset, DATASETS, "dataset")
    check_choice(card.network, NETWORKS, "network")
    check_choice(card.defence, DEFENCES, "defence")
    if card.options:
        raise ValueError(f"the defence {card.defence} of the model {card.id!r} has no options, but it names some")
    needed = len(card.entry.key_lengths(DATASETS[card.dataset].shape))
    if len(card.keys) != needed or len(card.key_files) not in (0, needed):
        raise ValueError(f"the model {card.id!r} has {len(card.keys)} keys, {len(card.key_files)} files, not {needed}")
    for key in card.keys:
        if not isinstance(key, str) or not re.fullmatch("[0-9a-f]{32}", key):
            raise ValueError(f"a key of the model {card.id!r} is {key!r}")
    for name in (card.file, *card.key_files):
        if not isinstance(name, str) or Path(name).name != name or "\0" in name:
            raise ValueError(f"{name!r} is not the name of a file beside the manifest")
    return ModelCard(**{**record, "keys": tuple(card.keys), "key_files": tuple(card.key_files)})


def write(card: ModelCard) -> dict[str, Any]:
    """The entry of a manifest; what `read` refuses is not written.

    Raises:
        ValueError: as `read` does.
    """
    record = asdict(card)
    read(record)
    return record | {"keys": list(card.keys), "key_files": list(card.key_files)}


def _from_before(record: Mapping[str, Any]) -> dict[str, Any]:
    """An old entry's fields under their names of today. It had one transform, or none, in place of a defence."""
    new = dict(record)
    transform, key, file = new.pop("transform"), new.pop("key_fingerprint"), new.pop("key_file")
    if transform is not None:
        check_choice(transform, ("permutation",), "transform")  # there was no other
    new["network"] = new.pop("classifier")
    surrogate = str(new["id"]).endswith("-surrogate")
    new["defence"] = "classical" if transform is None else "surrogate" if surrogate else "keyed"
    return new | {"options": {}, "keys": [key] if transform else [], "key_files": [file] if file else []}
