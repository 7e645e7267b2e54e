"""Old import paths are the modules of today."""

import subprocess
import sys
from importlib import import_module

import pytest

from kerckhoffs.moved import MOVED
from tests import ROOT


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_an_old_path_is_the_module_itself(old, new):
    module = import_module(f"kerckhoffs.{new}")
    assert import_module(f"kerckhoffs.{old}") is module
    assert module.__spec__.name == f"kerckhoffs.{new}"
    assert module.__name__ == f"kerckhoffs.{new}"


def test_a_program_of_before_runs_in_a_new_process_and_nothing_is_imported_early():
    program = (
        "import sys, kerckhoffs\n"
        "assert not {'torch', 'PIL'} & set(sys.modules)\n"
        "from kerckhoffs import attacks, data, images, zoo\n"
        "from kerckhoffs.uploads import read_zip\n"
        "from kerckhoffs.evaluate import evaluate, predict\n"
        "import kerckhoffs.runs\n"
        "from kerckhoffs.data import uploads\n"
        "assert read_zip is uploads.read_zip and images.to_model_input\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_what_never_was_is_not_found():
    with pytest.raises(ModuleNotFoundError, match="kerckhoffs.nothing"):
        import_module("kerckhoffs.nothing")
    with pytest.raises(ImportError):
        from kerckhoffs import nothing  # noqa: F401
