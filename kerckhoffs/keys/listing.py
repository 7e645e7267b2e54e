"""What a key's file says to its owner without giving the key: its name, its worth, whether it is locked."""

from dataclasses import dataclass
from pathlib import Path

from kerckhoffs import places
from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import files, locked, measures
from kerckhoffs.keys.key import Key


@dataclass(frozen=True)
class KeyFile:
    """A file of a key.

    Args:
        path: where it is.
        fingerprint, length, secret_bits: of its key; of a locked one what the file says, which is known to be true
            only when it is unlocked.
        locked: whether it has a passphrase.
        mode: of the file.
        problem: why the program does not use it as it is; "" if it does.
    """

    path: Path
    fingerprint: str
    length: int
    secret_bits: int | None
    locked: bool
    mode: int
    problem: str = ""

    @property
    def entropy_bits(self) -> float:
        """The entropy of the key, in bits."""
        return measures.entropy_bits(self.length, self.secret_bits)

    @property
    def origin(self) -> str:
        """What the entropy rests on, in words."""
        return measures.origin(self.secret_bits)


def look(path: str | Path) -> KeyFile:
    """What there is to say of a file, whoever can read it.

    Raises:
        FileRefused: if it is missing or no key file.
    """
    path = Path(path)
    text, mode = files.read_any(path)
    problem = f"others can read it; run: chmod 600 {path}" if files.open_to_others(mode) else ""
    if not locked.is_sealed(text):
        key = Key.read(text, path)
        return KeyFile(path, key.fingerprint, len(key), key.secret_bits, False, mode, problem)
    header = locked.header(text, path)
    return KeyFile(path, header.fingerprint, header.length, header.secret_bits, True, mode, problem)


def listed(folder: Path | None = None) -> tuple[tuple[KeyFile, ...], tuple[str, ...]]:
    """The key files of a folder, that of the user by default, and a sentence for each file that is none.

    Raises:
        FileRefused: if the folder cannot be read. It need not exist.
    """
    folder = folder or places.home() / "keys"
    found, refused = [], []
    try:
        paths = sorted(folder.glob("*.json")) if folder.exists() else []
    except OSError as error:
        raise FileRefused(f"cannot read the folder {folder}: {error.strerror}") from error
    for path in paths:
        try:
            found.append(look(path))
        except FileRefused as error:
            refused.append(str(error))
            continue
        if found[-1].fingerprint != path.stem:
            refused.append(f"no classifier finds {path}: its name is not the fingerprint {found[-1].fingerprint}")
    return tuple(found), tuple(refused)
