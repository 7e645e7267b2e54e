"""Keyless baselines that a key has to beat: the image is simplified before the network, and everyone knows how.

Xu, Evans and Qi, "Feature squeezing", NDSS 2018. Rounding has no gradient; it hands on the one behind it as if it did
nothing (straight-through: BPDA of Athalye, Carlini and Wagner 2018), so that white-box attacks are real.
"""

from collections.abc import Callable

from torch import Tensor, nn

from kerckhoffs.defences.base import Defence, DefendedClassifier
from kerckhoffs.keys import Key
from kerckhoffs.transforms import Shape

SIDE = 3  # of the median's window
BITS = (1, 2, 4)


class SqueezedClassifier(DefendedClassifier):
    """A network that sees what a function of the image leaves of it.

    Args:
        squeeze: images (N, C, H, W) to images of the same shape.
        network: these to logits.
        shape: (C, H, W) of the images that it was made for.
    """

    thread_safe = True

    def __init__(self, squeeze: Callable[[Tensor], Tensor], network: nn.Module, shape: Shape | None = None) -> None:
        super().__init__(network, shape)
        self.squeeze = squeeze

    def view(self, images: Tensor) -> Tensor:
        """What the network sees: the squeezed images."""
        seen: Tensor = self.squeeze(images)
        return seen


def rounded(images: Tensor, bits: int) -> Tensor:
    """The nearest of the 2^bits levels from 0 to 1, with the gradient of the identity. At 1 bit: x > 0.5."""
    steps = (1 << bits) - 1
    levels = (images.detach().clamp(0, 1) * steps).round() / steps
    return levels + (images - images.detach())  # + 0, with the gradient


def median(images: Tensor) -> Tensor:
    """The median of each pixel's neighbours, 3 x 3; the border is mirrored. Its gradient is that of the one chosen."""
    margin = SIDE // 2
    padded = nn.functional.pad(images, (margin,) * 4, mode="reflect")
    windows = padded.unfold(2, SIDE, 1).unfold(3, SIDE, 1)  # (N, C, H, W, 3, 3)
    middle: Tensor = windows.flatten(4).median(4).values
    return middle


def _squeezed(squeeze: Callable[[Tensor], Tensor]) -> Callable[..., DefendedClassifier]:
    def build(network: Callable[[], nn.Module], shape: Shape, keys: tuple[Key, ...]) -> SqueezedClassifier:
        return SqueezedClassifier(squeeze, network(), shape)

    return build


def _bits(bits: int) -> Defence:
    one = bits == 1
    return Defence(
        id="binary" if one else f"bits-{bits}",
        name="binarised" if one else f"{bits} bits",
        family="keyless",
        what="Each pixel becomes black or white before the network; there is no key."
        if one
        else f"Each pixel is rounded to {2**bits} levels before the network; there is no key.",
        cost="It costs next to no time, and the grey levels.",
        known="White-box attacks that put the identity's gradient in place of the rounding's (BPDA), and attacks that "
        "read answers.",
        trained="on clean images, rounded",
        source="Xu, Evans and Qi 2018, section III (bit depth)",
        key_lengths=lambda shape: (),
        build=_squeezed(lambda images: rounded(images, bits)),
        sees="rounded to black and white" if one else f"rounded to {2**bits} levels",
        box="rounding",
    )


SQUEEZED = (
    *map(_bits, BITS),
    Defence(
        id="median",
        name="median filter",
        family="keyless",
        what="Each pixel becomes the median of its 3 x 3 neighbours before the network; there is no key.",
        cost="It costs little time, and thin lines.",
        known="Attacks through the filter, whose gradient is that of the neighbour that it chose.",
        trained="on clean images, filtered",
        source="Xu, Evans and Qi 2018, section III (spatial smoothing)",
        key_lengths=lambda shape: (),
        build=_squeezed(median),
        sees="through the median filter",
        box="median",
    ),
)
