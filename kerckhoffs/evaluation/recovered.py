"""How much of a key an attacker has found. Only who holds the key can say, so it is said here, not by the attacker."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerckhoffs import attackers, data, zoo
from kerckhoffs.attackers import kept

INK = 0.01  # the mean over the bundled test samples above which a pixel counts as one that carries ink


@dataclass(frozen=True)
class Found:
    """Places of an order that are right, of all, and of those whose pixel carries ink, in the mean more than INK: any
    order of pixels that are always black is as good as another, and of those that hardly ever are not nearly."""

    right: int
    places: int
    right_inked: int
    inked: int

    @property
    def words(self) -> str:
        """For people."""
        return (
            f"{self.right} of {self.places} places right; of the {self.inked} whose pixel has a mean above {INK:g} "
            f"{self.right_inked} ({100 * self.right_inked / self.inked:.1f} %)"
        )


def found(id_: str, folder: str | Path | None = None) -> Found:
    """What the attacker "recovery" has found of the key of the classifier that its id names.

    Raises:
        ValueError: if the id is of another attacker.
        FileRefused: if it has not been made, or the key is not there.
    """
    crafter = attackers.read(id_, folder)
    if crafter.entry.id != "recovery":
        raise ValueError(f"{id_} recovers no order")
    [part] = crafter.parts
    order = kept.read(part)["order"].numpy()
    [key] = zoo.find_keys(zoo.card(crafter.target.id, folder), folder)
    right = order == key.permutation()
    ink = data.load(crafter.target.dataset)[0].mean(0).flatten().numpy() > INK
    inked = ink[np.asarray(key.permutation())]
    return Found(int(right.sum()), len(right), int(right[inked].sum()), int(inked.sum()))
