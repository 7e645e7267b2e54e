"""A passphrase put on a key's file, changed, or taken off: the file is rewritten as a whole, or stays as it was.

What a disk held before can be found on it for some time, and in its backups for as long as those are kept: a key that
must never have lain open is made locked (Key.save with a passphrase), not locked later.
"""

from pathlib import Path

from kerckhoffs import places
from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import files, locked
from kerckhoffs.keys.key import USUAL, Key
from kerckhoffs.keys.locked import Cost


def protect(path: str | Path, passphrase: str, *, old: str | None = None, cost: Cost = USUAL) -> Key:
    """Lock a key's file with a passphrase.

    Args:
        old: the passphrase that it has, if it has one.
        cost: of a try of the passphrase.

    Raises:
        KeyLocked: if it has one and `old` is None.
        ValueError: if the new passphrase is too short.
        FileRefused: if the file cannot be read, opened or written.
    """
    key = Key.load(path, passphrase=old)
    _rewrite(Path(path), key.write(passphrase=passphrase, cost=cost))
    return key


def unprotect(path: str | Path, passphrase: str) -> Key:
    """Take the passphrase off a key's file, for good.

    Raises:
        ValueError: if it has none.
        FileRefused: if the file cannot be read, opened or written.
    """
    if not locked.is_sealed(files.read(Path(path))):
        raise ValueError(f"{path} has no passphrase")
    key = Key.load(path, passphrase=passphrase)
    _rewrite(Path(path), key.write())
    return key


def _rewrite(path: Path, data: bytes) -> None:
    try:
        places.write(path, data)
    except OSError as error:
        raise FileRefused(f"cannot write the key to {path}: {error.strerror}") from error
