"""The pretrained classifiers: list, verify, load, add.

A folder of models holds a manifest (manifest.json) with one ModelCard per classifier and the weights as
safetensors. Weights are read only if their SHA-256 is the manifest's, and nothing is ever unpickled. The keys
of the shipped demonstration models lie beside them and are public; everyone else's keys lie in the user's
folder (keys.home()/keys) and are found by their fingerprint.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_weights
from safetensors.torch import save as save_weights
from torch import nn

from kerckhoffs import classifiers, keys, transforms
from kerckhoffs.checks import FileRefused, check_choice
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import ClassicalClassifier, KeyedClassifier

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class ModelCard:
    """What is known of a trained classifier.

    Errors are shares in [0, 1]. `command`, `training` and `versions` say how it was made; the command names no
    key, so it makes a keyed model anew only where its published key still lies in the folder.
    """

    id: str
    dataset: str
    classifier: str
    transform: str | None
    key_fingerprint: str | None
    key_file: str | None
    file: str
    sha256: str
    validation_error: float
    test_error: float
    test_samples: int
    command: str
    training: Mapping[str, Any]
    versions: Mapping[str, str]

    @property
    def keyed(self) -> bool:
        """Whether a keyed transform stands before the network."""
        return self.transform is not None

    @property
    def twin(self) -> str:
        """The id of the classifier that differs only in having, or not having, the transform."""
        return model_id(self.dataset, self.classifier, keyed=not self.keyed)

    @property
    def kind(self) -> str:
        """ "classical", "keyed", or "surrogate": a keyed one that an attacker trained with a key of their own."""
        if self.id == surrogate_id(self.dataset, self.classifier):
            return "surrogate"
        return "keyed" if self.keyed else "classical"

    @property
    def title(self) -> str:
        """A name for people, for example "MNIST, Table 2, keyed"."""
        return f"{DATASETS[self.dataset].name}, {classifiers.CLASSIFIERS[self.classifier].name}, {self.kind}"


def model_id(dataset: str, classifier: str, *, keyed: bool) -> str:
    """The id of a model: "<dataset>-<classifier>-<classical|keyed>"."""
    return f"{dataset}-{classifier}-{'keyed' if keyed else 'classical'}"


def surrogate_id(dataset: str, classifier: str) -> str:
    """The id of the keyed network that an attacker trained with a key of their own, not the defender's."""
    return f"{dataset}-{classifier}-surrogate"


def shipped_folder() -> Path:
    """The folder of the shipped models: KERCKHOFFS_MODELS, else models/ beside the package."""
    return Path(os.environ.get("KERCKHOFFS_MODELS") or Path(__file__).parent.parent / "models")


def models(folder: str | Path | None = None) -> dict[str, ModelCard]:
    """The cards of all models in a folder, by id; of the shipped ones by default.

    Raises:
        FileRefused: if the manifest is missing or malformed.
    """
    path = Path(folder or shipped_folder()) / MANIFEST
    try:
        record = json.loads(path.read_bytes())
        return {entry["id"]: _card(entry) for entry in record["models"]}
    except FileNotFoundError as error:
        raise FileRefused(
            f"no models in {path.parent}: {path.name} is missing; train one or restore the folder"
        ) from error
    except OSError as error:
        raise FileRefused(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FileRefused(f"{path} is malformed: {error}") from error


def card(model_id: str, folder: str | Path | None = None) -> ModelCard:
    """The card of one model.

    Raises:
        ValueError: on an unknown id.
        FileRefused: if the manifest is missing or malformed.
    """
    cards = models(folder)
    check_choice(model_id, cards, "model")
    return cards[model_id]


def load(model_id: str, *, folder: str | Path | None = None, key: keys.Key | None = None) -> nn.Module:
    """Load a classifier: images (N, C, H, W) in [0, 1] to logits (N, K), in eval mode, frozen.

    Args:
        model_id: an id of `models(folder)`.
        folder: where; the shipped models by default.
        key: the key of a keyed model; found by its fingerprint by default.

    Raises:
        ValueError: on an unknown id, or a key that is not the one the model was trained with.
        FileRefused: if weights or key are missing, malformed or not what the manifest says.
    """
    folder = Path(folder or shipped_folder())
    entry = card(model_id, folder)
    network = classifiers.build(entry.classifier, entry.dataset)
    _fill(network, folder / entry.file, entry.sha256)
    shape = DATASETS[entry.dataset].shape
    model: nn.Module
    if entry.transform is None:
        if key is not None:
            raise ValueError(f"{model_id} is a classical classifier and takes no key")
        model = ClassicalClassifier(network, shape)
    else:
        key = find_key(entry, folder) if key is None else key
        if key.fingerprint != entry.key_fingerprint:
            raise ValueError(
                f"the key {key.fingerprint} is not the key of {model_id}, which is {entry.key_fingerprint}"
            )
        model = KeyedClassifier(transforms.make(entry.transform, key, shape), network, shape)
    # Channels last: on a CPU convolutions reorder nothing, a tenth less time for a gradient. torch's types lack it.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.eval().requires_grad_(False)


def find_key(entry: ModelCard, folder: str | Path | None = None) -> keys.Key:
    """The key of a keyed model: the public one beside a demonstration model, else the user's own.

    Raises:
        FileRefused: if it is not there, not readable, or not the key that the manifest names.
    """
    public = entry.key_file is not None
    path = (
        Path(folder or shipped_folder()) / str(entry.key_file) if public else user_key_path(str(entry.key_fingerprint))
    )
    key = keys.Key.load(path, public=public)
    if key.fingerprint != entry.key_fingerprint:
        raise FileRefused(
            f"the key {key.fingerprint} is not the key of {entry.id}, which is {entry.key_fingerprint}: {path}"
        )
    return key


def user_key_path(fingerprint: str) -> Path:
    """Where the user's key with this fingerprint is kept."""
    return keys.home() / "keys" / f"{fingerprint}.json"


def save(entry: ModelCard, network: nn.Module, folder: str | Path) -> ModelCard:
    """Write weights and card into a folder; a model with the same id is replaced.

    Returns:
        The card with its sha256.

    Raises:
        ValueError: if the card is malformed or names a file that belongs to another model.
        FileRefused: if the folder cannot be written.
    """
    folder = Path(folder)
    payload = save_weights({name: value.contiguous() for name, value in network.state_dict().items()})
    entry = _card(asdict(entry) | {"sha256": hashlib.sha256(payload).hexdigest()})
    others = models(folder) if (folder / MANIFEST).exists() else {}
    taken = {name for other in others.values() if other.id != entry.id for name in (other.file, other.key_file)}
    if entry.file in taken | {MANIFEST, entry.key_file}:
        raise ValueError(f"the weights of {entry.id} cannot be written to {entry.file}, which is another file's name")
    cards = sorted((others | {entry.id: entry}).values(), key=lambda each: each.id)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / entry.file, payload)
        _write(folder / MANIFEST, (json.dumps({"models": [asdict(each) for each in cards]}, indent=2) + "\n").encode())
    except OSError as error:
        raise FileRefused(f"cannot write the model to {folder}: {error.strerror}") from error
    return entry


_FIELD_TYPES: dict[str, Any] = {
    **dict.fromkeys(("id", "dataset", "classifier", "file", "sha256", "command"), str),
    **dict.fromkeys(("transform", "key_fingerprint", "key_file"), str | None),
    **dict.fromkeys(("validation_error", "test_error"), int | float),
    "test_samples": int,
    **dict.fromkeys(("training", "versions"), dict),
}


def check_folder(folder: str | Path) -> None:
    """See that a model can be added to a folder, which need not exist; nothing is made.

    Raises:
        FileRefused: if it cannot be made or written, or holds a malformed manifest.
    """
    folder = Path(folder)
    nearest = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not nearest.is_dir():
        raise FileRefused(f"cannot write models to {folder}: {nearest} is not a folder")
    if not os.access(nearest, os.W_OK):
        raise FileRefused(f"cannot write models to {folder}: {nearest} is not writable")
    if (folder / MANIFEST).exists():
        models(folder)


def _card(record: Any) -> ModelCard:
    known = {field.name for field in fields(ModelCard)}
    if unknown := set(record) - known:
        raise ValueError(f"a model has the unknown field {min(unknown)!r}")
    entry = ModelCard(**record)
    for name, kind in _FIELD_TYPES.items():
        if not isinstance(getattr(entry, name), kind) or isinstance(getattr(entry, name), bool):
            raise ValueError(f"{name} of the model {entry.id!r} is {getattr(entry, name)!r}")
    check_choice(entry.dataset, DATASETS, "dataset")
    check_choice(entry.classifier, classifiers.CLASSIFIERS, "classifier")
    if entry.transform is not None:
        check_choice(entry.transform, transforms.TRANSFORMS, "transform")
    if entry.keyed and not re.fullmatch("[0-9a-f]{32}", entry.key_fingerprint or ""):
        raise ValueError(f"key_fingerprint of the model {entry.id!r} is {entry.key_fingerprint!r}")
    for name in filter(None, (entry.file, entry.key_file)):
        if Path(name).name != name or "\0" in name:
            raise ValueError(f"{name!r} is not the name of a file beside the manifest")
    return entry


def _fill(network: nn.Module, path: Path, sha256: str) -> None:
    """Put verified weights into the network. The bytes that are checked are the bytes that are used."""
    try:
        payload = path.read_bytes()
    except OSError as error:
        raise FileRefused(f"cannot read the weights {path}: {error.strerror}") from error
    found = hashlib.sha256(payload).hexdigest()
    if found != sha256:
        raise FileRefused(
            f"the weights {path} were changed: their sha256 is {found[:16]}…, the manifest says {sha256[:16]}…"
        )
    try:
        weights = load_weights(payload)
        network.load_state_dict(weights)
    except (SafetensorError, RuntimeError) as error:
        raise FileRefused(f"the weights {path} do not fit the network: {' '.join(str(error).split())[:200]}") from error


def _write(path: Path, payload: bytes) -> None:
    """Replace a file as a whole: a reader sees the old or the new one."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(payload)
    os.replace(temporary, path)


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    from kerckhoffs import __version__

    return {"kerckhoffs": __version__, "torch": str(torch.__version__)}
