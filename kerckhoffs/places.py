"""Where things lie: what ships with the program, and what a user makes."""

import os
import secrets
from pathlib import Path
from typing import BinaryIO

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


def make_folder(path: Path, *, private: bool = True) -> None:
    """Make a folder and those above it that are missing; on POSIX for their owner alone (mode 0700) if private.

    Raises:
        OSError: if it cannot be made, or is a file.
    """
    for each in reversed([each for each in (path, *path.parents) if not each.exists()]):
        each.mkdir(mode=0o700 if private else 0o755, exist_ok=True)
    path.mkdir(exist_ok=True)


def owner_only(path: str, flags: int) -> int:
    """An opener for `open`: a file that it makes is for its owner alone (mode 0600 on POSIX)."""
    return os.open(path, flags, 0o600)


def write(path: Path, data: bytes, *, private: bool = True) -> None:
    """Write a file so that it is there as a whole, on the disk, or not at all; one that is there is replaced.

    Args:
        private: for its owner alone (mode 0600 on POSIX).

    Raises:
        OSError: if the disk refuses; then what was there is kept.
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "xb", opener=owner_only if private else None) as file:
            file.write(data)
            settle(file)
        os.replace(part, path)
        settle_name(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def settle(file: BinaryIO) -> None:
    """Wait until what was written to a file is on the disk, where a power cut leaves it."""
    file.flush()
    os.fsync(file.fileno())


def settle_name(path: Path) -> None:
    """Wait until the name of a new file is on the disk, which its folder holds."""
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
