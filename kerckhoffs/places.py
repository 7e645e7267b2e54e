"""Where things lie: what ships with the program, what a user makes, and names whose module is imported late."""

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import platformdirs

PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """A file or folder that ships with the program: inside an installed package, beside the package in a checkout."""
    inside = PACKAGE / name
    return inside if inside.exists() else PACKAGE.parent / name


def home() -> Path:
    """The folder of what a user makes, keys, models and runs: KERCKHOFFS_HOME, else the user's data folder."""
    return Path(os.environ.get("KERCKHOFFS_HOME") or platformdirs.user_data_dir("kerckhoffs"))


def cache() -> Path:
    """The folder of what can be made or fetched again."""
    return Path(platformdirs.user_cache_dir("kerckhoffs"))


def lazily(package: str, **modules: str) -> Callable[[str], ModuleType]:
    """A package's `__getattr__` that imports a module when it is first asked for by its name."""

    def find(name: str) -> ModuleType:
        if name in modules:
            return import_module(modules[name])
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find
