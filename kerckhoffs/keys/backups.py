"""A copy of a key in another place, and its way back: nothing else brings back a key that is lost."""

from pathlib import Path

from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import files, locked
from kerckhoffs.keys.key import USUAL, Key
from kerckhoffs.keys.locked import Cost


def backup(
    path: str | Path, out: str | Path, passphrase: str | None = None, *, plain: bool = False, cost: Cost = USUAL
) -> Path:
    """Copy a key to a new file (mode 0600), locked unless it is to be plain.

    Args:
        path: the key's file. One that is locked is copied as it is, and needs no passphrase.
        out: where to.
        passphrase: to lock the copy of an open file with, or to open a locked one with for a plain copy.
        plain: write the copy so that it can be read without a passphrase.
        cost: of a try of the passphrase.

    Raises:
        ValueError: if a locked copy of an open file has no passphrase, or a short one.
        FileRefused: if the file cannot be read or opened, or the copy exists or cannot be written.
    """
    path, out = Path(path), Path(out)
    text = files.read(path)
    if plain:
        return Key.read(text, path, passphrase).save(out)
    if locked.is_sealed(text):
        locked.header(text, path)
        return files.write_new(out, text)
    if passphrase is None:
        raise ValueError(f"the key {path} is not locked: its backup needs a passphrase, or has to be plain")
    return Key.read(text, path).save(out, passphrase=passphrase, cost=cost)


def locked_copy(path: str | Path) -> bytes:
    """The bytes of a locked file, as they are.

    Raises:
        FileRefused: if it cannot be read, or is not locked: then it would be the key itself.
    """
    text = files.read(Path(path))
    if not locked.is_sealed(text):
        raise FileRefused(f"{path} is not locked with a passphrase, so it is not handed out")
    locked.header(text, path)
    return text


def restore(path: str | Path, passphrase: str | None = None) -> Path:
    """Put a backup where the program looks for its key: see `put_back`.

    Args:
        path: the backup. One that is locked may be readable by others, as on a stick that knows no modes.
        passphrase: of a locked one.

    Raises:
        FileRefused: as `put_back` does, or if the file cannot be read.
    """
    text, _ = files.read_any(Path(path))
    return put_back(text if locked.is_sealed(text) else files.read(Path(path)), path, passphrase)


def put_back(text: bytes, name: str | Path, passphrase: str | None = None) -> Path:
    """Write a backup to the user's folder: it stays locked if it was, and its fingerprint is checked.

    Args:
        text: the bytes of the backup.
        name: what to call it in sentences.
        passphrase: of a locked one, whose fingerprint is known to be true only when it opens.

    Raises:
        FileRefused: if it is damaged, the passphrase is missing or wrong, or a file is in its place already.
    """
    key = Key.read(text, name, passphrase)
    return files.write_new(files.in_users_folder(key.fingerprint), text if locked.is_sealed(text) else key.write())
