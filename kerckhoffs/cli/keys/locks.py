"""kerckhoffs key lock | unlock: a passphrase on a key's file, or none."""

from pathlib import Path
from typing import Annotated

import typer

from kerckhoffs import keys
from kerckhoffs.cli import passphrases
from kerckhoffs.cli.keys.look import KeyName, file_of


def key_lock(
    key: KeyName,
    passphrase_file: passphrases.PassphraseFile = None,
    old_passphrase_file: Annotated[
        Path | None, typer.Option(help="The same for the passphrase that the file has already.")
    ] = None,
) -> None:
    """Lock a key's file with a passphrase, or with another one if it has one: it is encrypted where it lies.

    A stolen file is then worth the passphrase, not the key: take one that nobody can guess. Nobody can help who forgets
    it.
    """
    path = file_of(key)
    before = keys.look(path).locked
    old = passphrases.of(path, old_passphrase_file) if before else None
    locked = keys.protect(path, passphrases.new(passphrase_file), old=old)
    print(f"{path} is locked: the key {locked.fingerprint} is read with the passphrase alone")
    if not before:
        print(
            "it lay open until now: older copies and backups of the file, and for a time the disk itself, still hold it"
        )


def key_unlock(key: KeyName, passphrase_file: passphrases.PassphraseFile = None) -> None:
    """Take the passphrase off a key's file, for good; whoever can read the file then has the key."""
    path = file_of(key)
    if not keys.look(path).locked:
        raise ValueError(f"{path} has no passphrase")
    found = keys.unprotect(path, passphrases.of(path, passphrase_file))
    print(f"{path} is open: whoever can read it has the key {found.fingerprint}")
