"""kerckhoffs key: make and inspect keys. The key itself is never printed."""

from pathlib import Path
from typing import Annotated

import typer

from kerckhoffs import keys, zoo
from kerckhoffs.checks import FileRefused

key_app = typer.Typer(help="Make and inspect keys. The key itself is never printed.")


@key_app.command("new")
def key_new(
    length: Annotated[int, typer.Option(help="Values in the key: C x H x W of the images.")] = 28 * 28,
    out: Annotated[Path | None, typer.Option(help="File to write; your data folder by default.")] = None,
    secret: Annotated[Path | None, typer.Option(help="Derive from this master secret: 16 to 32 random bytes.")] = None,
    context: Annotated[str, typer.Option(help="What a derived key is for; each context gives another key.")] = "",
) -> None:
    """Make a key from the operating system's entropy and keep it where only you can read it (mode 0600)."""
    if (secret is None) != (context == ""):
        raise ValueError("--secret and --context go together")
    key = keys.Key.generate(length) if secret is None else keys.Key.derive(keys.load_secret(secret), length, context)
    _print_key(key, key.save(out or zoo.user_key_path(key.fingerprint)))


@key_app.command("show")
def key_show(
    key: Annotated[str, typer.Argument(help="A key file, or the fingerprint of a key in your data folder.")],
    public: Annotated[bool, typer.Option(help="Accept a file that others can read: a demonstration key.")] = False,
) -> None:
    """Print a key's fingerprint and entropy, never the key."""
    path, kept = Path(key), zoo.user_key_path(key)
    if not path.exists():
        if not kept.exists():
            raise ValueError(f"there is no file {key}, and no key with that fingerprint in {kept.parent}")
        path = kept
    try:
        found = keys.Key.load(path, public=public)
    except FileRefused as error:
        keys.Key.load(path, public=True)  # what else is wrong with the file comes first
        raise FileRefused(
            f"others can read {path}: add --public if it is a demonstration key, or else run: chmod 600 {path}"
        ) from error
    _print_key(found, path)


def _print_key(key: keys.Key, path: Path) -> None:
    print(f"fingerprint  {key.fingerprint}")
    print(f"entropy      {key.entropy_bits:.0f} bits, {key.origin}")
    print(f"length       {len(key)} values")
    print(f"file         {path}")
