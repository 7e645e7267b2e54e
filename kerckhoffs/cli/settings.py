"""Streamlit's settings for this app, for a start from any folder.

In a checkout Streamlit finds .streamlit/config.toml beside app.py by itself. An installed package carries the same
file, in a place where Streamlit does not look.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kerckhoffs import places


def file() -> Path:
    """The file: in the package when it was installed, beside it in a checkout."""
    inside = places.PACKAGE / "settings" / "config.toml"
    return inside if inside.is_file() else places.PACKAGE.parent / ".streamlit" / "config.toml"


def settings() -> dict[str, Any]:
    """Each option by its dotted name, but none that the environment sets: elsewhere, too, that goes first."""
    given = _flat(tomllib.loads(file().read_text(encoding="utf-8")))
    return {name: value for name, value in given if _variable(name) not in os.environ}


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value


def _variable(name: str) -> str:
    """The environment's name of an option: client.toolbarMode is STREAMLIT_CLIENT_TOOLBAR_MODE."""
    return "STREAMLIT_" + re.sub("([a-z])([A-Z])", r"\1_\2", name).replace(".", "_").upper()
