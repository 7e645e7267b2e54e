"""A keyed classifier under test: its trained networks, to be put behind any key."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from kerckhoffs import zoo
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import Defence, DefendedClassifier
from kerckhoffs.keys import Key
from kerckhoffs.transforms import TRANSFORMS, Shape, Transform
from kerckhoffs.zoo import ModelCard


def transform_of(defence: Defence) -> Transform | None:
    """The keyed transform before the network; None where there are several networks, or there is no key."""
    structure = "permutation" if defence.structure in ("keyed", "surrogate") else defence.structure
    return TRANSFORMS.get(structure)


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained classifier with one key.

    Args:
        card: what is known of it.
        key: the one that it was trained behind.
        networks: all of them, in eval mode, frozen.
    """

    card: ModelCard
    key: Key
    networks: tuple[nn.Module, ...] = field(repr=False)

    @classmethod
    def load(cls, model_id: str, folder: str | Path | None = None) -> "Subject":
        """The classifier of an id, as zoo.load has it.

        Raises:
            ValueError: on an unknown id, or a classifier without a key.
            FileRefused: if its weights or its key are missing or are not what the manifest says.
        """
        card = zoo.card(model_id, folder)
        if not card.keyed:
            raise ValueError(f"{model_id} has no key to test; name a keyed classifier")
        keys = zoo.find_keys(card, folder)
        if len(keys) > 1:
            raise ValueError(f"{model_id} has {len(keys)} keys; name a classifier that has one")
        network = zoo.load(model_id, folder=folder, key=keys).network
        several = isinstance(network, nn.ModuleList)
        return cls(card, keys[0], tuple(network.children()) if several else (network,))

    @property
    def shape(self) -> Shape:
        """(C, H, W) of its images."""
        return DATASETS[self.card.dataset].shape

    @property
    def transform(self) -> Transform | None:
        """What stands before its network, where that is one transform."""
        return transform_of(self.card.entry)

    @property
    def entropy_bits(self) -> float:
        """What has to be guessed: the bits of its transforms, or those of the key's origin if they are fewer."""
        return min(self.card.entry.entropy_bits(self.shape), self.key.entropy_bits)

    def behind(self, key: Key) -> DefendedClassifier:
        """Its networks behind another key of the same length, in eval mode; they are shared, not copied.

        Raises:
            ValueError: if the key has another length.
        """
        networks = iter(self.networks)
        return self.card.entry.build(lambda: next(networks), self.shape, (key,)).eval()


def fellows(card: ModelCard, cards: Iterable[ModelCard]) -> tuple[ModelCard, ...]:
    """Those whose networks can be put behind each other's keys: of one set, network and transform, with one key.

    The card itself comes first, if it is among them.
    """

    def alike(other: ModelCard) -> bool:
        if len(other.keys) != 1 or (other.dataset, other.network) != (card.dataset, card.network):
            return False
        mine, theirs = transform_of(card.entry), transform_of(other.entry)
        return mine is theirs if mine else other.defence == card.defence

    return tuple(sorted(filter(alike, cards), key=lambda other: other.id != card.id))
