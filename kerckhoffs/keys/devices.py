"""One master secret, a key for each of many devices.

Who takes a device apart finds its key, and nothing of another device's. Who finds the master secret has them all: so
each key is worth the secret's entropy at most, and the secret belongs where no device is.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kerckhoffs import places
from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import files
from kerckhoffs.keys.key import Key
from kerckhoffs.keys.measures import SECRET_BYTES

MOST = 10_000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class DeviceKey:
    """The key of one device.

    Args:
        device: its name.
        context: what Key.derive was given: who has the secret and this makes the key again.
        key: the key.
    """

    device: str
    context: str
    key: Key


def new_secret(path: str | Path, count: int = SECRET_BYTES) -> Path:
    """Write a master secret from the operating system's entropy to a new file that only its owner can read.

    Args:
        count: bytes, 16 to 32.

    Raises:
        ValueError: on another number.
        FileRefused: if the file exists or cannot be written.
    """
    if not 16 <= count <= SECRET_BYTES:
        raise ValueError(f"a master secret must have 16 to {SECRET_BYTES} bytes, but is to have {count}")
    return files.write_new(Path(path), os.urandom(count), what="master secret")


def new_secret_path() -> Path:
    """A new file among the user's master secrets."""
    return secrets_folder() / f"secret-{os.urandom(4).hex()}.bin"


def secrets_folder() -> Path:
    """Where the user's master secrets are kept."""
    return places.home() / "secrets"


def load_secret(path: str | Path) -> bytes:
    """Read the master secret of `Key.derive` from a file of 16 to 32 random bytes that only its owner can read.

    Raises:
        FileRefused: if the file is missing, readable by others, or too short or too long.
    """
    secret = files.read(Path(path))
    if not 16 <= len(secret) <= SECRET_BYTES:
        raise FileRefused(f"the master secret {path} must have 16 to {SECRET_BYTES} bytes, but has {len(secret)}")
    return secret


def derive_for(devices: Sequence[str], secret: bytes, *, length: int, purpose: str = "") -> tuple[DeviceKey, ...]:
    """A key for each device, by Key.derive.

    Args:
        devices: their names, letters, digits, dots and dashes.
        secret: the master secret.
        length: values of each key.
        purpose: what all of them are for, for example "mnist-table2-keyed".

    Raises:
        ValueError: on a name that is malformed or there twice, too many, or a secret or length that is out of range.
    """
    if not 1 <= len(devices) <= MOST:
        raise ValueError(f"keys are derived for 1 to {MOST} devices, but not for {len(devices)}")
    for name in devices:
        if not NAME.fullmatch(name):
            raise ValueError(
                f"{files.short(name)} is no name of a device: letters, digits, dots and dashes, at most 64"
            )
    if len(set(devices)) != len(devices):
        twice = next(name for name in devices if devices.count(name) > 1)
        raise ValueError(f"the device {twice} is named twice")
    begun = f"{purpose}, " if purpose else ""
    contexts = [f"{begun}device {name}" for name in devices]
    return tuple(
        DeviceKey(name, context, Key.derive(secret, length, context))
        for name, context in zip(devices, contexts, strict=True)
    )
