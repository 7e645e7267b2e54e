"""kerckhoffs key new: a key from the operating system's entropy, or from a master secret."""

from pathlib import Path
from typing import Annotated

import typer

from kerckhoffs import keys, zoo
from kerckhoffs.cli import passphrases
from kerckhoffs.cli.keys.look import say


def key_new(
    length: Annotated[int, typer.Option(help="Values in the key: C x H x W of the images.")] = 28 * 28,
    out: Annotated[Path | None, typer.Option(help="File to write; your data folder by default.")] = None,
    secret: Annotated[Path | None, typer.Option(help="Derive from this master secret: 16 to 32 random bytes.")] = None,
    context: Annotated[str, typer.Option(help="What a derived key is for; each context gives another key.")] = "",
    locked: Annotated[bool, typer.Option("--locked", help="Lock the file with a passphrase from the start.")] = False,
    passphrase_file: passphrases.PassphraseFile = None,
) -> None:
    """Make a key from the operating system's entropy and keep it where only you can read it (mode 0600)."""
    if (secret is None) != (context == ""):
        raise ValueError("--secret and --context go together")
    key = keys.Key.generate(length) if secret is None else keys.Key.derive(keys.load_secret(secret), length, context)
    passphrase = passphrases.new(passphrase_file) if locked or passphrase_file else None
    say(keys.look(key.save(out or zoo.user_key_path(key.fingerprint), passphrase=passphrase)))
