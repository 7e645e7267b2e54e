"""kerckhoffs key backup | restore: a copy elsewhere, and its way back."""

from pathlib import Path
from typing import Annotated

import typer

from kerckhoffs import keys
from kerckhoffs.cli import passphrases
from kerckhoffs.cli.keys.look import KeyName, file_of, say


def key_backup(
    key: KeyName,
    out: Annotated[Path, typer.Option(help="New file for the copy.")],
    plain: Annotated[bool, typer.Option("--plain", help="Without a passphrase: whoever finds it has the key.")] = False,
    passphrase_file: passphrases.PassphraseFile = None,
) -> None:
    """Copy a key to another place, locked with a passphrase. Without a copy a lost key is lost for good.

    A key that is locked already is copied as it is, with the passphrase that it has.
    """
    path = file_of(key)
    passphrase = None
    if keys.look(path).locked:
        passphrase = passphrases.of(path, passphrase_file) if plain else None
    elif not plain:
        passphrase = passphrases.new(passphrase_file)
    keys.backup(path, out, passphrase, plain=plain)
    print(f"{out} is a {'plain' if plain else 'locked'} copy of the key {keys.look(out).fingerprint}")
    print(f"bring it back with: kerckhoffs key restore {out}")


def key_restore(
    file: Annotated[Path, typer.Argument(help="A backup.")], passphrase_file: passphrases.PassphraseFile = None
) -> None:
    """Check a backup and put it where its classifier looks for it. A key that is there is never overwritten."""
    passphrase = passphrases.of(file, passphrase_file) if keys.look(file).locked else None
    say(keys.look(keys.restore(file, passphrase)))
