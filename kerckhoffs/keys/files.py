"""Files of secrets: written once, for their owner alone, and read only if nobody else can."""

import json
import os
import stat
from pathlib import Path
from typing import Any

from kerckhoffs import places
from kerckhoffs.checks import FileRefused

WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0)  # for a pipe; Windows has none among its files
MAX_BYTES = 64 * 2**20


def in_users_folder(fingerprint: str) -> Path:
    """Where the user's key with this fingerprint is kept."""
    return places.home() / "keys" / f"{fingerprint}.json"


def read(path: Path, *, public: bool = False, what: str = "key") -> bytes:
    """The bytes of a secret file, which nobody but its owner may be able to read unless it is public.

    Args:
        what: it holds, for the sentences.

    Raises:
        FileRefused: if it is missing, no plain file, too long, or readable by others.
    """
    data, mode = read_any(path, what)
    if not public and open_to_others(mode):
        raise FileRefused(f"{path} has mode {mode:04o}, so others can read the secret; run: chmod 600 {path}")
    return data


def read_any(path: Path, what: str = "key") -> tuple[bytes, int]:
    """The bytes of a file and its mode, whoever can read it.

    Raises:
        FileRefused: if it is missing, no plain file, or too long.
    """
    try:
        with open(os.open(path, os.O_RDONLY | WITHOUT_WAITING), "rb") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode) or state.st_size > MAX_BYTES:
                raise FileRefused(f"{path} is not a {what} file")
            return file.read(), stat.S_IMODE(state.st_mode)
    except OSError as error:
        raise FileRefused(f"cannot read the {what} {path}: {error.strerror}") from error


def open_to_others(mode: int) -> bool:
    """Whether a mode lets others than the owner do anything; never on Windows, where access lists decide."""
    return os.name == "posix" and bool(mode & 0o077)


def write_new(path: Path, data: bytes, *, public: bool = False, what: str = "key") -> Path:
    """Write a file that is not there yet, with mode 0600, or 0644 if it is public; it is on the disk then.

    Args:
        path: where; missing folders are made.
        what: what it holds, for the sentences.

    Raises:
        FileRefused: if it exists or cannot be written; then nothing is left of it.
    """
    mode = 0o644 if public else 0o600
    try:
        places.make_folder(path.parent, private=not public)
    except OSError as error:
        raise FileRefused(f"cannot write the {what} to {path}: {error.strerror}") from error
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    except FileExistsError as error:
        raise FileRefused(f"{path} exists already; a {what} is never overwritten") from error
    except OSError as error:
        raise FileRefused(f"cannot write the {what} to {path}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            if hasattr(os, "fchmod"):  # not on Windows, where the folder's access list decides
                os.fchmod(file.fileno(), mode)
            file.write(data)
            places.settle(file)
        places.settle_name(path)
    except BaseException as error:
        path.unlink(missing_ok=True)  # never half a key
        if isinstance(error, OSError):
            raise FileRefused(f"cannot write the {what} to {path}: {error.strerror}") from error
        raise
    return path


def record(text: bytes, format_: str) -> dict[str, Any]:
    """The JSON object of a file of this format.

    Raises:
        ValueError: saying in a few words why it is none.
    """
    try:
        found = json.loads(text)
        said = found["format"]
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError("it is not JSON") from error
    except KeyError as error:
        raise ValueError("it has no 'format'") from error
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if said != format_:
        raise ValueError(f"its format is {short(said)}, not {format_!r}")
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


def short(value: object) -> str:
    """A value from outside, for a message of one line."""
    if isinstance(value, int) and value.bit_length() > 64:
        return f"a number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
