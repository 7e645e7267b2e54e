"""The trained classifiers: networks, cards, files and training."""

from kerckhoffs.zoo.cards import OWN, ModelCard, model_id, parse
from kerckhoffs.zoo.networks import NETWORKS
from kerckhoffs.zoo.store import (
    MANIFEST,
    card,
    check_folder,
    find_keys,
    frozen,
    load,
    load_network,
    models,
    own_folder,
    own_models,
    save,
    shipped_folder,
    user_key_path,
    versions,
)

__all__ = [
    "MANIFEST",
    "NETWORKS",
    "OWN",
    "ModelCard",
    "card",
    "check_folder",
    "find_keys",
    "frozen",
    "load",
    "load_network",
    "model_id",
    "models",
    "own_folder",
    "own_models",
    "parse",
    "save",
    "shipped_folder",
    "user_key_path",
    "versions",
]
