"""kerckhoffs key commit | reveal | verify: a hash now, the key later, and anyone can compare."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from kerckhoffs import keys, zoo
from kerckhoffs.cli import passphrases
from kerckhoffs.cli.keys.look import KeyName, file_of


def key_commit(
    key: KeyName,
    model: Annotated[str | None, typer.Option(help="Commit to this classifier and its weights as well.")] = None,
    note: Annotated[str, typer.Option(help="Commit to this text as well.")] = "",
    out: Annotated[Path | None, typer.Option(help="New file for the opening; your data folder by default.")] = None,
    passphrase_file: passphrases.PassphraseFile = None,
) -> None:
    """Print a commitment to publish; its opening is kept in a file that only you can read (mode 0600)."""
    with passphrases.asking(passphrase_file):
        found = keys.find(file_of(key))
    commitment, opening = zoo.commit(found, model, note)
    path = opening.save(out or keys.kept_at(commitment))
    print(f"commitment   {commitment}")
    print(f"opening      {path}")
    print("publish the commitment; keep the opening, and show it to nobody before you reveal the key")


def key_reveal(
    key: KeyName,
    opening: Annotated[str, typer.Option(help="The opening's file, or the commitment if it is in your data folder.")],
    out: Annotated[Path, typer.Option(help="New file, for everybody.")],
    passphrase_file: passphrases.PassphraseFile = None,
) -> None:
    """Write a file with which everybody can verify a commitment. IT HOLDS THE KEY, which is public from then on."""
    path = Path(opening)
    kept = keys.Opening.load(path if path.exists() else keys.kept_at(opening))
    with passphrases.asking(passphrase_file):
        shown = keys.reveal(keys.find(file_of(key)), kept)
    shown.save(out)
    print(f"commitment   {shown.commitment}")
    print(f"reveal       {out}")
    print(f"{out} HOLDS THE KEY {shown.key.fingerprint}: whoever gets the file has it, for good", file=sys.stderr)
    if ids := zoo.used_by(shown.key.fingerprint):
        print(f"it defends nothing any more once you publish it: {', '.join(ids)}", file=sys.stderr)


def key_verify(
    commitment: Annotated[str, typer.Argument(help="What was published first: 64 hexadecimal digits.")],
    reveal: Annotated[Path, typer.Argument(help="The file that was published later.")],
) -> int:
    """Say whether a revealed key is the one that was committed to. Exit status 0 if it is, 1 if it is not."""
    shown = keys.Reveal.load(reveal)
    same = keys.verify(commitment, shown)
    print(shown.words(same))
    return 0 if same else 1
