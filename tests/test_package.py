"""What is installed is all of it."""

import tomllib

from tests import ROOT


def test_every_folder_of_the_program_is_part_of_the_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {path.parent.relative_to(ROOT) for path in (ROOT / "kerckhoffs").rglob("*.py")}
    elsewhere = {name for name in settings["package-dir"] if name != "kerckhoffs"}
    assert set(settings["packages"]) - elsewhere == {".".join(path.parts) for path in found}
