"""A keyed transform before the network: D(x) = argmax E(P(x, k)) (paper, equation 3).

The paper's P permutes the pixels. "surrogate" is the same with a key that an attacker made up: what they can train who
know everything but the key.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from torch import Tensor, nn

from kerckhoffs.defences.base import Defence, DefendedClassifier
from kerckhoffs.keys import Key
from kerckhoffs.transforms import TRANSFORMS, Shape, make


class KeyedClassifier(DefendedClassifier):
    """A network behind a keyed transform.

    Gradients flow through P: whoever holds this module holds the key (a white-box attacker).

    Args:
        transform: P(x, k), for example transforms.Permutation.
        network: transformed images to logits.
        shape: (C, H, W) of the images that it was made for; if given, others are refused.
    """

    thread_safe = True

    def __init__(self, transform: nn.Module, network: nn.Module, shape: Shape | None = None) -> None:
        super().__init__(network, shape)
        self.transform = transform

    def view(self, images: Tensor) -> Tensor:
        """What the network sees: the transformed images."""
        seen: Tensor = self.transform(images)
        return seen


def _permuted(network: Callable[[], nn.Module], shape: Shape, keys: tuple[Key, ...]) -> KeyedClassifier:
    [key] = keys
    return KeyedClassifier(make("permutation", key, shape), network(), shape)


KEYED = Defence(
    id="keyed",
    name="keyed",
    family="keyed",
    summary="The pixels in a secret order before the network, in training and in use. The network loses what "
    "convolutions know of neighbouring pixels, so its clean error rises.",
    known="Noise and what is crafted on other networks, keyed or not, mislead it as well; with its key, nothing is "
    "left.",
    trained="on clean images, behind the key",
    source=TRANSFORMS["permutation"].source,
    key_lengths=lambda shape: (math.prod(shape),),
    build=_permuted,
)

SURROGATE = replace(
    KEYED,
    id="surrogate",
    name="surrogate",
    summary="A keyed classifier that an attacker trained with a key of their own, to craft examples on it. It defends "
    "nobody.",
    known="It is an attack: what misleads it misleads the defender's classifier more often than chance.",
    trained="on clean images, behind a key that the attacker made up",
    by_attacker=True,
)
