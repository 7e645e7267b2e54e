"""What attackers have made: kept in the user's folder, with what it cost, so that it is made once.

A part is a file of tensors behind its SHA-256 (zoo.train.Checkpoint); nothing is unpickled.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from kerckhoffs import places
from kerckhoffs.attackers.base import Part
from kerckhoffs.checks import FileRefused
from kerckhoffs.zoo.train import Checkpoint


@dataclass(frozen=True)
class Cost:
    """What it took to make something, measured from outside.

    Args:
        seconds: of the process that made it, all its sessions.
        queries: images that the defended classifier was asked about.
    """

    seconds: float = 0.0
    queries: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.seconds + other.seconds, self.queries + other.queries)


def folder() -> Path:
    """Where all of it is kept."""
    return places.home() / "attackers"


def unfinished(part: Part) -> Checkpoint:
    """Where a part that is being made keeps what it needs to go on."""
    return Checkpoint(folder() / f"{part.name}.begun")


def keep(part: Part, tensors: dict[str, Tensor], cost: Cost) -> None:
    """Keep a part that was made.

    Raises:
        FileRefused: if it cannot be written.
    """
    Checkpoint(folder()).write(
        part.name, tensors, {"part": repr(part), "seconds": cost.seconds, "queries": cost.queries}
    )


def there(part: Part) -> bool:
    """Whether a part has been made."""
    return (folder() / f"{part.name}.state").is_file()


def read(part: Part) -> dict[str, Tensor]:
    """A part that was made.

    Raises:
        FileRefused: if it is not there, or damaged.
    """
    return _read(part)[0]


def cost(parts: Iterable[Part]) -> Cost:
    """What parts have cost.

    Raises:
        FileRefused: if one is not there, or damaged.
    """
    total = Cost()
    for part in parts:
        words = _read(part)[1]
        total += Cost(words["seconds"], int(words["queries"]))
    return total


def digest(parts: Iterable[Part]) -> str:
    """One SHA-256 for all that parts hold.

    Raises:
        FileRefused: if one is not there, or damaged.
    """
    whole = hashlib.sha256()
    for part in parts:
        for name, value in sorted(_read(part)[0].items()):
            whole.update(name.encode() + value.contiguous().numpy().tobytes())
    return whole.hexdigest()


def _read(part: Part) -> tuple[dict[str, Tensor], dict[str, float | int]]:
    found = Checkpoint(folder()).read(part.name)
    if found is None:
        raise FileRefused(f"the attacker's {part.label} has not been made, or is damaged: make it (anew)")
    return found
