"""kerckhoffs key secret | derive: one master secret, a key for each of many devices."""

from pathlib import Path
from typing import Annotated

import typer

from kerckhoffs import keys
from kerckhoffs.cli.keys.look import table


def key_secret(
    out: Annotated[Path | None, typer.Option(help="New file; one in your data folder by default.")] = None,
    count: Annotated[int, typer.Option("--bytes", help="16 to 32: its entropy is eight bits each.")] = 32,
) -> None:
    """Make a master secret from the operating system's entropy, in a file that only you can read (mode 0600)."""
    path = keys.new_secret(out or keys.new_secret_path(), count)
    print(f"{path} holds a master secret of {8 * count} bits; whoever has it has every key that is derived from it")


def key_derive(
    secret: Annotated[Path, typer.Option(help="The file of the master secret: 16 to 32 random bytes.")],
    device: Annotated[list[str] | None, typer.Option(help="Its name; may be repeated.")] = None,
    devices: Annotated[int | None, typer.Option(help="Or so many: device 1, 2, 3 and so on.")] = None,
    purpose: Annotated[str, typer.Option(help="What all of them are for, for example mnist-table2-keyed.")] = "",
    length: Annotated[int, typer.Option(help="Values in each key: C x H x W of the images.")] = 28 * 28,
    out: Annotated[Path | None, typer.Option(help="Folder for the keys' files (mode 0600); none by default.")] = None,
) -> None:
    """List the keys of many devices, derived from one master secret: contexts and fingerprints, never the keys."""
    if bool(device) == (devices is not None):
        raise ValueError("name devices with --device, or their number with --devices")
    names = device or [str(number) for number in range(1, (devices or 0) + 1)]
    made = keys.derive_for(names, keys.load_secret(secret), length=length, purpose=purpose)
    if out:
        for each in made:
            each.key.save(out / f"{each.device}.json")
    rows = [("device", "context", "fingerprint", "bits")]
    rows += [(each.device, each.context, each.key.fingerprint, f"{each.key.entropy_bits:.0f}") for each in made]
    table(rows)
    print(f"\neach key is {made[0].key.origin}: who finds the secret has all of them, who finds a key has that one")
    if out:
        print(f"written to {out}")
