"""A keyed transform before the network: D(x) = argmax E(P(x, k)) (paper, equation 3).

The paper's P permutes the pixels: "keyed". Every other transform of TRANSFORMS makes a defence under its own id.
"surrogate" is the permutation with a key that an attacker made up: what they can train who know everything but the key.
"""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor, nn

from kerckhoffs.defences.base import Defence, DefendedClassifier
from kerckhoffs.keys import Key
from kerckhoffs.transforms import TRANSFORMS, Shape, Transform


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


def _behind(transform: Transform) -> Defence:
    """The defence that a keyed transform makes."""

    def build(network: Callable[[], nn.Module], shape: Shape, keys: tuple[Key, ...]) -> KeyedClassifier:
        [key] = keys
        return KeyedClassifier(transform.make(key, shape), network(), shape)

    cost = (
        "Where its first layer can absorb it, the network learns what it would learn without: the key costs nothing "
        "and adds nothing."
        if transform.absorbable
        else "No convolution can undo it, so the network has to learn something else."
    )
    return Defence(
        id=transform.id,
        name=transform.name if transform.name.startswith("DCT") else transform.name[0].lower() + transform.name[1:],
        family="keyed",
        what=transform.summary,
        cost=cost,
        known=transform.keyless_attack,
        trained="on clean images, behind the key",
        source=transform.source,
        key_lengths=lambda shape: (transform.key_length(shape),),
        build=build,
        entropy_bits=transform.entropy_bits,
        sees="through P(·, k)",
        box="P( · , k)",
        keeps=transform.keeps if transform.levels is None else (),
    )


KEYED = replace(
    _behind(TRANSFORMS["permutation"]),
    id="keyed",
    name="keyed",
    what="The pixels in a secret order before the network, in training and in use.",
    cost="The network loses what convolutions know of neighbouring pixels, so its clean error rises.",
    known="Noise and what is crafted on other networks, keyed or not, mislead it as well; with its key, nothing is "
    "left.",
)

SURROGATE = replace(
    KEYED,
    id="surrogate",
    name="surrogate",
    what="A keyed classifier that an attacker trained with a key of their own, to craft examples on it.",
    cost="It defends nobody.",
    known="It is an attack: what misleads it misleads the defender's classifier more often than chance.",
    trained="on clean images, behind a key that the attacker made up",
    by_attacker=True,
)

OTHERS = tuple(_behind(transform) for transform in TRANSFORMS.values() if transform.id != "permutation")
