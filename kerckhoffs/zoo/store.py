"""Folders of trained classifiers: list, verify, load, add.

A folder of models holds a manifest (manifest.json) with one ModelCard per classifier and the weights as safetensors.
Weights are read only if their SHA-256 is the manifest's, and nothing is ever unpickled. The keys of the shipped
demonstration models lie beside them and are public; everyone else's keys lie in the user's folder (places.home()/keys)
and are found by their fingerprint.

Where no folder is named, there are two: that of the shipped models, and the user's own, whose ids begin with "own/".
"""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_weights
from safetensors.torch import save as save_weights
from torch import nn

from kerckhoffs import keys, places
from kerckhoffs.checks import FileRefused, check_choice
from kerckhoffs.checks.arithmetic import in_float32
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import DefendedClassifier
from kerckhoffs.zoo import cards, networks
from kerckhoffs.zoo.cards import OWN, ModelCard

MANIFEST = "manifest.json"
M = TypeVar("M", bound=nn.Module)


def shipped_folder() -> Path:
    """The folder of the shipped models: KERCKHOFFS_MODELS, else the one that comes with the program."""
    return Path(os.environ.get("KERCKHOFFS_MODELS") or places.shipped("models"))


def own_folder() -> Path:
    """The folder of the user's own models: KERCKHOFFS_OWN_MODELS, else models/ in the user's folder."""
    return Path(os.environ.get("KERCKHOFFS_OWN_MODELS") or places.home() / "models")


def models(folder: str | Path | None = None) -> dict[str, ModelCard]:
    """The cards of all models in a folder, by id; of the shipped ones and the user's own by default.

    Raises:
        FileRefused: if a manifest is missing or malformed. A user need not have own models.
    """
    return _read(Path(folder)) if folder else _read(shipped_folder()) | own_models()


def own_models() -> dict[str, ModelCard]:
    """The cards of the user's own models, by their ids with OWN before them; none if there are none.

    Raises:
        FileRefused: if their manifest is malformed.
    """
    folder = own_folder()
    there = (folder / MANIFEST).exists() and folder.resolve() != shipped_folder().resolve()
    found = _read(folder) if there else {}
    return {OWN + name: replace(card, id=OWN + name) for name, card in found.items()}


def _read(folder: Path) -> dict[str, ModelCard]:
    path = folder / MANIFEST
    try:
        record = json.loads(path.read_bytes())
        return {entry["id"]: cards.read(entry) for entry in record["models"]}
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
        FileRefused: if a manifest is missing or malformed.
    """
    if folder is None and model_id in (shipped := _read(shipped_folder())):
        return shipped[model_id]  # whatever becomes of the user's own
    known = models(folder)
    check_choice(model_id, known, "model")
    return known[model_id]


@in_float32()
def load(
    model_id: str, *, folder: str | Path | None = None, key: keys.Key | tuple[keys.Key, ...] | None = None
) -> DefendedClassifier:
    """Load a classifier: images (N, C, H, W) in [0, 1] to logits (N, K), in eval mode, frozen.

    Args:
        model_id: an id of `models(folder)`.
        folder: where; the shipped models and the user's own by default.
        key: the key of a keyed model, or its keys; found by their fingerprints by default.

    Raises:
        ValueError: on an unknown id, or a key that is not the one the model was trained with.
        FileRefused: if weights or key are missing, malformed or not what the manifest says.
    """
    entry = card(model_id, folder)
    where = _where(entry, folder)
    given = find_keys(entry, folder) if key is None else key if isinstance(key, tuple) else (key,)
    if given and not entry.keyed:
        raise ValueError(f"{model_id} is a {entry.entry.name} classifier and takes no key")
    _check_keys(entry, given)
    shape = DATASETS[entry.dataset].shape
    model = entry.entry.build(lambda: networks.build(entry.network, entry.dataset), shape, given)
    _fill(model.network, where / entry.file, entry.sha256)
    return frozen(model)


@in_float32()
def load_network(model_id: str, *, folder: str | Path | None = None) -> nn.Module:
    """The trained network of a classifier without what stands around it, in eval mode, frozen: no key is read.

    Raises:
        ValueError: on an unknown id, or a classifier of several networks.
        FileRefused: if the weights are missing, malformed or not what the manifest says.
    """
    entry = card(model_id, folder)
    if entry.entry.networks > 1:
        raise ValueError(f"{model_id} has {entry.entry.networks} networks; name a classifier that has one")
    network = networks.build(entry.network, entry.dataset)
    _fill(network, _where(entry, folder) / entry.file, entry.sha256)
    return frozen(network)


def frozen(model: M) -> M:
    """A trained model as everybody gets it: in eval mode, without gradients of its weights; the model itself.

    Channels last: on a CPU convolutions reorder nothing, a tenth less time for a gradient.
    """
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # which torch's types lack
    return model.eval().requires_grad_(False)


def _where(entry: ModelCard, folder: str | Path | None) -> Path:
    """The folder of a card's files."""
    return Path(folder) if folder else own_folder() if entry.own else shipped_folder()


def find_keys(entry: ModelCard, folder: str | Path | None = None) -> tuple[keys.Key, ...]:
    """The keys of a model: the public ones beside a demonstration model, else the user's own.

    Raises:
        keys.KeyLocked: if one is locked with a passphrase, is not held in memory (keys.unlock), and nobody is asked.
        FileRefused: if one is not there, not readable, or not the key that the manifest names.
    """
    if entry.private:
        paths = [user_key_path(name) for name in entry.keys]
        found = tuple(_own_key(path, entry) for path in paths)
    else:
        paths = [_where(entry, folder) / name for name in entry.key_files]
        found = tuple(keys.Key.load(path, public=True) for path in paths)
    try:
        _check_keys(entry, found)
    except ValueError as error:
        raise FileRefused(f"{error}: {', '.join(map(str, paths))}") from error
    return found


def _own_key(path: Path, entry: ModelCard) -> keys.Key:
    if not path.exists():
        raise FileRefused(
            f"cannot read the key {path}: No such file or directory. {entry.id} cannot be used without it, and nothing "
            "recovers a lost key: restore a backup with kerckhoffs key restore, derive it again if it came from a "
            "master secret, or train anew"
        )
    return keys.find(path)


def locked_keys(entry: ModelCard) -> tuple[keys.Key, ...]:
    """Those of a model's keys that lie locked on the disk: for a process that can ask nobody, over its pipe.

    Raises:
        FileRefused: as `find_keys` does.
    """
    paths = [user_key_path(name) for name in entry.keys] if entry.private else []
    return tuple(keys.find(path) for path in paths if path.exists() and keys.look(path).locked)


def keys_in_use() -> dict[str, tuple[str, ...]]:
    """The ids of the classifiers that rely on a key, by its fingerprint: of the shipped ones and the user's own.

    Raises:
        FileRefused: if a manifest is missing or malformed.
    """
    found: dict[str, tuple[str, ...]] = {}
    for entry in models().values():
        for fingerprint in dict.fromkeys(entry.keys):
            found[fingerprint] = (*found.get(fingerprint, ()), entry.id)
    return found


def used_by(fingerprint: str) -> tuple[str, ...]:
    """The ids of the classifiers that rely on a key, shipped or the user's own.

    Raises:
        FileRefused: if a manifest is missing or malformed.
    """
    return keys_in_use().get(fingerprint, ())


def commit(key: keys.Key, model_id: str | None = None, note: str = "") -> tuple[str, keys.Opening]:
    """A commitment to a key, and if wanted to a classifier that relies on it, with the SHA-256 of its weights.

    Raises:
        ValueError: on an unknown classifier, one that does not rely on the key, or a note that is too long.
    """
    if model_id is None:
        return keys.commit(key, note=note)
    entry = card(model_id)
    if key.fingerprint not in entry.keys:
        raise ValueError(f"{model_id} does not rely on the key {key.fingerprint}")
    return keys.commit(key, model=entry.id, weights=entry.sha256, note=note)


def used_twice(ids: tuple[str, ...]) -> str:
    """What is wrong with a key on which several classifiers rely; "" if no more than one does."""
    if len(ids) < 2:
        return ""
    return (
        f"{len(ids)} classifiers rely on this one key: what an attacker learns of it on one holds for all, and a leak "
        "opens all of them; give each a key of its own"
    )


def _check_keys(entry: ModelCard, given: tuple[keys.Key, ...]) -> None:
    """Refuse keys that are not those of the card.

    Raises:
        ValueError: naming one by its fingerprint.
    """
    if len(given) != len(entry.keys):
        raise ValueError(f"{entry.id} needs {len(entry.keys)} keys, but was given {len(given)}")
    for key, fingerprint in zip(given, entry.keys, strict=True):
        if key.fingerprint != fingerprint:
            raise ValueError(f"the key {key.fingerprint} is not the key of {entry.id}, which is {fingerprint}")


def user_key_path(fingerprint: str) -> Path:
    """Where the user's key with this fingerprint is kept."""
    return keys.in_users_folder(fingerprint)


def save(entry: ModelCard, network: nn.Module, folder: str | Path, *, float16: bool = False) -> ModelCard:
    """Write weights and card into a folder; a model with the same id is replaced.

    Args:
        float16: write the weights in half the bytes, for a network whose weights were rounded so (`half().float()`).

    Returns:
        The card with its sha256.

    Raises:
        ValueError: if the card is malformed or names a file that belongs to another model.
        FileRefused: if the folder cannot be written.
    """
    folder = Path(folder)
    kind = torch.float16 if float16 else torch.float32
    payload = save_weights({name: value.to(kind).contiguous() for name, value in network.state_dict().items()})
    entry = replace(entry, sha256=hashlib.sha256(payload).hexdigest())
    cards.write(entry)
    others = _read(folder) if (folder / MANIFEST).exists() else {}
    taken = {name for other in others.values() if other.id != entry.id for name in (other.file, *other.key_files)}
    if entry.file in taken | {MANIFEST, *entry.key_files}:
        raise ValueError(f"the weights of {entry.id} cannot be written to {entry.file}, which is another file's name")
    all_cards = sorted((others | {entry.id: entry}).values(), key=lambda each: each.id)
    manifest = json.dumps({"models": [cards.write(each) for each in all_cards]}, indent=2) + "\n"
    try:
        private = _is_users(folder)
        places.make_folder(folder, private=private)
        places.write(folder / entry.file, payload, private=private)
        places.write(folder / MANIFEST, manifest.encode(), private=private)
    except OSError as error:
        raise FileRefused(f"cannot write the model to {folder}: {error.strerror}") from error
    return entry


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
        _read(folder)


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


def _is_users(folder: Path) -> bool:
    """Whether what is in a folder of models is for its owner alone: the folder of their own ones is."""
    home = places.home().resolve()
    return folder.resolve() == own_folder().resolve() or home in (folder.resolve(), *folder.resolve().parents)


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    from kerckhoffs import __version__

    return {"kerckhoffs": __version__, "torch": str(torch.__version__)}
