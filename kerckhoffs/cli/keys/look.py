"""kerckhoffs key show | list: what there is to say of keys, and who relies on them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from kerckhoffs import keys, zoo
from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import KeyFile

KeyName = Annotated[str, typer.Argument(help="A key file, or the fingerprint of a key in your data folder.")]


def key_show(
    key: KeyName,
    public: Annotated[bool, typer.Option(help="Accept a file that others can read: a demonstration key.")] = False,
) -> None:
    """Print a key's fingerprint and entropy, and which classifiers rely on it; never the key."""
    found = keys.look(file_of(key))
    if found.problem and not public:
        raise FileRefused(
            f"others can read {found.path}: add --public if it is a demonstration key, or else run: chmod 600 "
            f"{found.path}"
        )
    say(found)


def key_list() -> None:
    """List the keys in your data folder: what they are worth, whether they are locked, and who relies on them."""
    found, refused = keys.listed()
    users = _in_use()
    if found:
        rows = [("fingerprint", "values", "bits", "locked", "mode", "used by")]
        for each in found:
            locked, ids = "yes" if each.locked else "no", " ".join(users.get(each.fingerprint, ())) or "-"
            bits = f"{each.entropy_bits:.0f}"
            rows.append((each.fingerprint, str(each.length), bits, locked, f"{each.mode:04o}", ids))
        table(rows)
    else:
        print("there are no keys in your data folder yet; make one with: kerckhoffs key new")
    for each in found:
        _warn(each.problem and f"{each.path}: {each.problem}")
        if twice := zoo.used_twice(users.get(each.fingerprint, ())):
            _warn(f"{each.fingerprint}: {twice}")
    for sentence in refused:
        _warn(sentence)


def file_of(key: str) -> Path:
    """The file that a person names by its path or by its fingerprint.

    Raises:
        ValueError: if there is neither.
    """
    path, kept = Path(key), zoo.user_key_path(key)
    if path.exists():
        return path
    if not kept.exists():
        raise ValueError(f"there is no file {key}, and no key with that fingerprint in {kept.parent}")
    return kept


def say(key: KeyFile) -> None:
    """Print what there is to say of a key."""
    print(f"fingerprint  {key.fingerprint}")
    print(f"entropy      {key.entropy_bits:.0f} bits, {key.origin}")
    print(f"length       {key.length} values")
    print(f"passphrase   {'needed' if key.locked else 'none'}")
    print(f"file         {key.path}")
    ids = _in_use().get(key.fingerprint, ())
    for number, each in enumerate(ids):
        print(f"{'' if number else 'used by':<13}{each}")
    _warn(zoo.used_twice(ids))


def table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _in_use() -> dict[str, tuple[str, ...]]:
    try:
        return zoo.keys_in_use()
    except FileRefused as error:
        _warn(f"which classifiers rely on a key is not known: {error}")
        return {}


def _warn(sentence: str) -> None:
    if sentence:
        print(f"warning: {sentence}", file=sys.stderr)
