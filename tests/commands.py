"""What tests of the command line look at: the files that a command leaves, and whether a key can be read."""

import stat
from pathlib import Path

from kerckhoffs.keys import Key


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def only_key(home: Path) -> Path:
    [path] = (home / "keys").iterdir()
    return path


def assert_silent_about(key: Key, text: str) -> None:
    """None of the key's values can be read, not even cut to six decimals."""
    assert not [value for value in key.values.tolist() if f"{value:.7f}"[:-1] in text]
