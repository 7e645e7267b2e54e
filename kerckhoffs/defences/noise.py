"""Gaussian noise at test time: a randomised defence without a key, judged and attacked by the mean over draws.

Two calls on the same image differ, so one call proves nothing. What such a classifier says is the mean of its soft
outputs over draws (Cohen, Rosenfeld and Kolter 2019 count votes instead), and its gradient is the mean's: an attack on
it is an attack with EOT (Athalye, Engstrom, Ilyas and Kwok 2018).
"""

import secrets
from collections.abc import Callable

import torch
from torch import Tensor, nn

from kerckhoffs.defences.base import Defence, DefendedClassifier, mean_soft_output
from kerckhoffs.keys import Key
from kerckhoffs.transforms import Shape

SIGMA = 0.25
DRAWS = 8


class NoisyClassifier(DefendedClassifier):
    """log((1 / D) sum_d softmax(network(x + sigma n_d))), n_d ~ N(0, 1) drawn anew in every call.

    In training it is one draw from torch's global generator; afterwards D from the operating system's entropy. Where
    `generator` is set, all are drawn from that.

    Args:
        network: noisy images to logits.
        shape: (C, H, W) of the images that it was made for.
        sigma: the standard deviation, of a pixel in [0, 1].
        draws: D.
    """

    thread_safe = True

    def __init__(
        self, network: nn.Module, shape: Shape | None = None, *, sigma: float = SIGMA, draws: int = DRAWS
    ) -> None:
        super().__init__(network, shape)
        self.sigma, self.draws = sigma, draws

    def view(self, images: Tensor) -> Tensor:
        """What the network sees in one draw, the same for all images of a call; it leaves [0, 1].

        So two images that are viewed together differ by their difference alone.
        """
        return images + self._noise(images[:1])

    def members(self, images: Tensor) -> tuple[Tensor, ...]:
        """The logits (N, K) of each draw, every image with its own."""
        repeated = images if self.training else images.repeat(self.draws, 1, 1, 1)
        return tuple(self.network(repeated + self._noise(repeated)).split(len(images)))

    def _noise(self, images: Tensor) -> Tensor:
        """One draw for each of them."""
        generator = self.generator
        if generator is None and not self.training:
            generator = torch.Generator(images.device).manual_seed(secrets.randbits(63))
        noise = torch.randn(images.shape, generator=generator, dtype=images.dtype, device=images.device)
        return self.sigma * noise

    def combine(self, logits: tuple[Tensor, ...]) -> Tensor:
        """The logarithm of the mean of the soft outputs."""
        return mean_soft_output(logits)


def _noisy(network: Callable[[], nn.Module], shape: Shape, keys: tuple[Key, ...]) -> NoisyClassifier:
    return NoisyClassifier(network(), shape)


NOISE = Defence(
    id="noise",
    name="Gaussian noise",
    family="keyless",
    what=f"Gaussian noise of standard deviation {SIGMA:g} is added before the network, anew at every look; the mean of "
    f"the soft outputs over {DRAWS} draws decides, and there is no key.",
    cost=f"It costs {DRAWS} looks at each image, and answers that differ from call to call.",
    known="Attacks on the mean over draws (EOT); a single call judges it wrongly, for and against.",
    trained="on noisy images",
    source="Cohen, Rosenfeld and Kolter 2019 (mean of soft outputs here, votes there)",
    key_lengths=lambda shape: (),
    build=_noisy,
    randomized=True,
    sees=f"with noise added: one of {DRAWS} draws",
    box="noise",
)
