"""Where things lie: what ships with the program, and what a user makes."""

import os
from pathlib import Path

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
