"""Keys that are unlocked in this process: a passphrase is typed once, and the key is held in memory.

As long as a key is held, who can use the program can use the classifiers that need it: in the app that is everyone who
can open its pages. Nothing of it is written anywhere; it ends with `lock` or with the process. A classifier that was
loaded meanwhile goes on working until it is let go.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import files, locked
from kerckhoffs.keys.key import Key, KeyLocked

Ask = Callable[[Path], str]
"""Asks a person for the passphrase of a file."""

_held: dict[str, Key] = {}
_askers: list[Ask] = []


def unlock(path: str | Path, passphrase: str) -> Key:
    """Open a locked file and hold its key in memory; the file stays locked.

    Raises:
        FileRefused: if it cannot be read, the passphrase is wrong or the file was tampered with.
    """
    key = Key.load(path, passphrase=passphrase)
    hold(key)
    return key


def hold(key: Key) -> None:
    """Hold a key in memory, under its fingerprint."""
    _held[key.fingerprint] = key


def lock(fingerprint: str) -> None:
    """Let a key go, so that its file has to be unlocked again."""
    _held.pop(fingerprint, None)


def held(fingerprint: str) -> Key | None:
    """The key of this fingerprint, if it is held in memory."""
    return _held.get(fingerprint)


@contextmanager
def asking(ask: Ask) -> Iterator[None]:
    """Let `find` ask for passphrases, as a command line can."""
    _askers.append(ask)
    try:
        yield
    finally:
        _askers.remove(ask)


def find(path: str | Path, *, length: int | None = None) -> Key:
    """The key of a private file: read if it is open; held in memory, or asked for and then held, if it is locked.

    Args:
        length: refuse a key of another length.

    Raises:
        KeyLocked: if it is locked and nobody can be asked.
        FileRefused: as Key.load does.
    """
    path = Path(path)
    text = files.read(path)
    key = _unlocked(text, path) if locked.is_sealed(text) else Key.read(text, path)
    if length is not None and len(key) != length:
        raise FileRefused(f"the key {path} has {len(key)} values, but {length} are needed")
    return key


def _unlocked(text: bytes, path: Path) -> Key:
    try:
        return Key.read(text, path)  # refuses: there is no passphrase
    except KeyLocked as error:
        if key := held(error.fingerprint):
            return key
        if not _askers:
            raise
        return unlock(path, _askers[-1](path))
