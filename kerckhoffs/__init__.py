"""Kerckhoffs: classifiers defended by a secret key, the attacks on them, and their honest evaluation.

The idea is from Taran, Rezaeifar and Voloshynovskiy, "Bridging machine learning and
cryptography in defence against adversarial attacks" (2018), called "the paper" everywhere here.
"""

from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"


def __getattr__(name: str) -> ModuleType:
    """`from kerckhoffs import images`: its public name, as data/ holds the file."""
    if name == "images":
        return import_module("kerckhoffs.data.images")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
