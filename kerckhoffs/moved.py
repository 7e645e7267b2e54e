"""Modules that moved into packages, under the paths that they had: programs that import them there go on working.

`kerckhoffs.images` is a public name; the others are old. Each is the module itself, imported when it is asked for.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "images": "data.images",
    "uploads": "data.uploads",
    "classifiers": "zoo.networks",
    "train": "zoo.train",
    "knowledge": "attackers",
    "evaluate": "evaluation",
    **{name: f"evaluation.{name}" for name in ("costs", "engines", "experiments", "metrics", "paper", "runs")},
    **{name: f"evaluation.{name}" for name in ("summaries", "table3")},
    "contestants": "bench.contestants",
    "plots_runs": "plots.runs",
}


class _Same(Loader):
    """Gives a module that is imported by another name, and leaves it as it is."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


class Finder(MetaPathFinder):
    """Finds the modules that moved."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module of an old path is now; None for any other."""
        package, _, name = fullname.partition(".")
        if package != __package__ or name not in MOVED:
            return None
        return ModuleSpec(fullname, _Same(f"{package}.{MOVED[name]}"))


def install() -> None:
    """Let imports look here last."""
    sys.meta_path.append(Finder())
