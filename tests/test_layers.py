"""Imports go one way, and what is heavy or dangerous stays where it belongs."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests import ROOT

# From top to bottom: a part may import what stands below it, and nothing beside or above it. The face of the whole
# package holds the version alone.
LAYERS = [
    {"app", "pages", "benchmarks", "kerckhoffs.__main__"},
    {"kerckhoffs.cli", "kerckhoffs.ui"},
    {"kerckhoffs.bench", "kerckhoffs.challenge", "kerckhoffs.plots", "kerckhoffs.room"},
    {"kerckhoffs.evaluation"},
    {"kerckhoffs.attackers"},
    {"kerckhoffs.zoo"},
    {"kerckhoffs.defences"},
    {"kerckhoffs.attacks", "kerckhoffs.data", "kerckhoffs.transforms"},
    {"kerckhoffs.keys"},
    {"kerckhoffs"},
    {"kerckhoffs.checks", "kerckhoffs.child", "kerckhoffs.moved", "kerckhoffs.places", "kerckhoffs.whence"},
]
PICKLES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve"}
READ_PICKLES = {("torch", "load"), ("pandas", "read_pickle"), ("pd", "read_pickle")}

SOURCES = [
    ROOT / "app.py",
    *sorted(path for folder in ("pages", "benchmarks", "kerckhoffs") for path in (ROOT / folder).rglob("*.py")),
]
every_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))


def module(path: Path) -> str:
    """The dotted name of a source file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module(path) for path in SOURCES}


def imports(source: str) -> set[str]:
    """The modules that a source imports, wherever in it; a name taken from a package may be a module."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            inside = names & MODULES
            found |= inside | ({node.module} if names - inside else set())
    return found


def part(name: str) -> str:
    """The unit that has a layer: app, pages, kerckhoffs.ui, kerckhoffs.attacks, ..."""
    return ".".join(name.split(".")[: 2 if name.startswith("kerckhoffs.") else 1])


def layer(name: str) -> int:
    """How far below the top a module is."""
    [found] = [depth for depth, parts in enumerate(LAYERS) if part(name) in parts]
    return found


def top_packages(source: str) -> set[str]:
    return {name.split(".")[0] for name in imports(source)}


def ours(path: Path) -> set[str]:
    return {name for name in imports(path.read_text()) if name.split(".")[0] == "kerckhoffs"}


def test_imports_are_found_inside_functions_and_from_packages():
    source = "from kerckhoffs import zoo, __version__\ndef f():\n    import scipy.stats as s\n    from torch import nn"
    assert imports(source) == {"kerckhoffs.zoo", "kerckhoffs", "scipy.stats", "torch"}


def test_every_module_has_exactly_one_layer():
    parts = sorted({part(name) for name in MODULES})
    assert {name: sum(name in each for each in LAYERS) for name in parts} == dict.fromkeys(parts, 1)


@every_source
def test_imports_go_down_only(path):
    name = module(path)
    outside = {other for other in ours(path) if part(other) != part(name)}
    assert {other for other in outside if layer(other) <= layer(name)} == set()


def test_no_two_modules_import_each_other():
    graph = {module(path): ours(path) - {module(path)} for path in SOURCES}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("path", sorted((ROOT / "kerckhoffs" / "attacks").glob("*.py")), ids=lambda path: path.name)
def test_attacks_know_nothing_of_keys_defences_or_evaluation(path):
    assert {part(name) for name in ours(path)} <= {"kerckhoffs.attacks", "kerckhoffs.checks"}


# Benchmarks that speak to the app as a browser does.
BROWSERS = {"benchmarks.sessions", "benchmarks.uploads"}


@every_source
def test_only_the_pages_and_what_they_share_import_streamlit(path):
    if part(module(path)) not in ("app", "pages", "kerckhoffs.ui") and module(path) not in BROWSERS:
        assert "streamlit" not in top_packages(path.read_text())


def unpickling(source: str) -> list[str]:
    """What in a source can unpickle."""
    found = sorted(top_packages(source) & PICKLES)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found += [f"{node.value.id}.{node.attr}"] * ((node.value.id, node.attr) in READ_PICKLES)
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{each.name}" for each in node.names if (node.module, each.name) in READ_PICKLES]
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            found += ["allow_pickle"] * (not isinstance(node.value, ast.Constant) or node.value.value is not False)
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def f():\n    from pickle import loads",
        "import torch\ntorch.load('x')",
        "import torch\nread = torch.load",
        "from torch import load",
        "np.load('x', allow_pickle=True)",
        "pd.read_pickle('x')",
    ],
)
def test_unpickling_is_noticed(source):
    assert unpickling(source)


@every_source
def test_nothing_is_ever_unpickled(path):
    assert unpickling(path.read_text()) == []


def test_faces_and_what_every_page_imports_load_nothing_slow():
    faces = {module(path) for path in SOURCES if path.name == "__init__.py"}
    quick = sorted(face for face in faces if part(face) not in ("kerckhoffs.cli", "kerckhoffs.plots", "kerckhoffs.ui"))
    program = (
        "import sys\n"
        f"import {', '.join(quick)}\n"
        "slow = {'pandas', 'plotly', 'PIL', 'torchvision', 'torchattacks', 'scipy.stats', 'streamlit'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_first_attack_of_a_worker_loads_nothing_slow():
    """torch imports sympy when it is given gradients of the output to begin with: longer than the attack takes."""
    program = (
        "import sys\nfrom kerckhoffs import data, zoo\nfrom kerckhoffs.attacks import cw_l2\n"
        "images, labels = data.load('mnist', indices=[0])\n"
        "cw_l2(zoo.load('mnist-table2-classical'), images, labels, iterations=3)\n"
        "print(sorted({'sympy', 'scipy.stats', 'torchattacks', 'torchvision'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
