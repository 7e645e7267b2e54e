"""Several networks, each behind a keyed transform of its own, whose answers are put together: KDA and voting.

Deterministic: all networks are asked, every time.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from kerckhoffs.defences.base import Defence, DefendedClassifier, mean_soft_output
from kerckhoffs.keys import MASTER_LENGTH, SECRET_BYTES, Key
from kerckhoffs.transforms import TRANSFORMS, Shape, check_key_length, make
from kerckhoffs.transforms.blocks import BLOCKS, BYPASS, PUBLISHED

QUARTERS = ("horizontal", "vertical", "diagonal")
KEYS_A_QUARTER = 3
VOTERS = 5


class EnsembleClassifier(DefendedClassifier):
    """Networks behind transforms of their own; `combine` puts their answers together.

    Args:
        transforms: P_j(x, k_j).
        networks: as many, transformed images to logits.
        shape: (C, H, W) of the images that it was made for.
        titles: what each network sees is called, for people.
    """

    thread_safe = True

    def __init__(
        self, transforms: Sequence[nn.Module], networks: Sequence[nn.Module], shape: Shape, titles: Sequence[str] = ()
    ) -> None:
        super().__init__(nn.ModuleList(networks), shape)
        self.transforms = nn.ModuleList(transforms)
        self.titles = tuple(titles) or tuple(f"network {number + 1}" for number in range(len(transforms)))

    def views(self, images: Tensor) -> list[Tensor]:
        """What each network sees, (N, C, H, W) each."""
        return [transform(images) for transform in self.transforms]

    def view(self, images: Tensor) -> Tensor:
        """What they see side by side, row by row in a grid as square as it can be; what is left of it is 0."""
        seen = self.views(images)
        columns = math.ceil(math.sqrt(len(seen)))
        seen += [torch.zeros_like(seen[0])] * (-len(seen) % columns)
        rows = [torch.cat(seen[first : first + columns], 3) for first in range(0, len(seen), columns)]
        return torch.cat(rows, 2)

    def members(self, images: Tensor) -> tuple[Tensor, ...]:
        """The logits (N, K) of each network."""
        networks: nn.ModuleList = self.network  # type: ignore[assignment]
        return tuple(network(seen) for network, seen in zip(networks, self.views(images), strict=True))

    def combine(self, logits: tuple[Tensor, ...]) -> Tensor:
        """The logarithm of the mean of the soft outputs."""
        return mean_soft_output(logits)


class VotingClassifier(EnsembleClassifier):
    """As above, by majority: each network votes for its class, and the mean of the soft outputs decides ties.

    The probability of a class is (its votes + its mean soft output) / (J + 1). Votes have no gradient; `combine` hands
    on that of the mean soft output (straight-through), so that whoever holds the keys can attack it.
    """

    thread_safe = True

    def combine(self, logits: tuple[Tensor, ...]) -> Tensor:
        """The logarithm of these probabilities."""
        soft = super().combine(logits)
        votes = sum(nn.functional.one_hot(each.argmax(1), each.shape[1]) for each in logits)
        hard = torch.logaddexp(torch.as_tensor(votes).to(soft.dtype).log(), soft.detach()) - math.log(len(logits) + 1)
        return soft + (hard - soft.detach())


class UnitNorm(nn.Module):
    """A transform whose result is scaled to unit l2 norm; an image of zeros stays so."""

    thread_safe = True

    def __init__(self, transform: nn.Module) -> None:
        super().__init__()
        self.transform = transform

    def forward(self, images: Tensor) -> Tensor:
        """P(x) / |P(x)|, (N, C, H, W)."""
        return nn.functional.normalize(self.transform(images).flatten(1)).view(images.shape)


def _children(keys: tuple[Key, ...], shape: Shape, transforms: Sequence[str]) -> list[nn.Module]:
    """The transforms, each with a key of its own from the one master key."""
    [master] = keys
    check_key_length(master, MASTER_LENGTH, shape)
    return [
        make(name, master.child(TRANSFORMS[name].key_length(shape), f"channel {number}, {name}"), shape)
        for number, name in enumerate(transforms)
    ]


def _channels() -> list[str]:
    return [f"dct-{quarter}" for quarter in QUARTERS for _ in range(KEYS_A_QUARTER)]


def _kda(network: Callable[[], nn.Module], shape: Shape, keys: tuple[Key, ...]) -> EnsembleClassifier:
    transforms = [UnitNorm(each) for each in _children(keys, shape, _channels())]
    titles = [f"{quarter} quarter, key {number + 1}" for quarter in QUARTERS for number in range(KEYS_A_QUARTER)]
    return EnsembleClassifier(transforms, [network() for _ in transforms], shape, titles)


def _voters(shape: Shape) -> list[str]:
    """Block-wise shuffles of the sides that divide the image, in turn."""
    sides = [side for side in BLOCKS if not (shape[1] % side or shape[2] % side)]
    if not sides:
        raise ValueError(f"images of shape {tuple(shape)} are not made of whole blocks of {BLOCKS} pixels")
    return [f"shuffle-{sides[number % len(sides)]}" for number in range(VOTERS)]


def _voting(network: Callable[[], nn.Module], shape: Shape, keys: tuple[Key, ...]) -> VotingClassifier:
    transforms = _children(keys, shape, _voters(shape))
    sides = [name.removeprefix("shuffle-") for name in _voters(shape)]
    titles = [f"voter {number + 1}, blocks of {side} x {side}" for number, side in enumerate(sides)]
    return VotingClassifier(transforms, [network() for _ in transforms], shape, titles)


def _entropy(transforms: Sequence[str], shape: Shape) -> float:
    return min(8.0 * SECRET_BYTES, sum(TRANSFORMS[name].entropy_bits(shape) for name in transforms))


KDA = Defence(
    id="kda",
    name="KDA",
    family="keyed",
    what="Nine networks, each behind secret signs on one of three high-frequency quarters of the cosine transform, "
    "scaled to unit length; their soft outputs are summed, and all keys come from one master secret.",
    cost="It costs nine networks in training and in use.",
    known="The low-frequency quarter is never keyed: a perturbation of low frequencies passes all nine channels "
    "unchanged up to scale.",
    trained="on clean images, each network behind its own key",
    source='Taran, Rezaeifar, Holotyak and Voloshynovskiy, "Defending against adversarial attacks by randomized '
    'diversification", CVPR 2019',
    key_lengths=lambda shape: (MASTER_LENGTH,),
    build=_kda,
    networks=len(QUARTERS) * KEYS_A_QUARTER,
    entropy_bits=lambda shape: _entropy(_channels(), shape),
    sees="through P(·, k): quarters in rows, keys in columns",
    box="P( · , k)",
)

VOTING = Defence(
    id="voting",
    name="voting",
    family="keyed",
    what=f"{VOTERS} networks, each behind a block-wise shuffle with a key and a block size of its own; the majority "
    "decides, and all keys come from one master secret.",
    cost=f"It costs {VOTERS} networks in training and in use.",
    known=BYPASS,
    trained="on clean images, each network behind its own key",
    source=f"AprilPyone and Kiya, ensembles of models trained by key-based transformed images, 2020; {PUBLISHED}",
    key_lengths=lambda shape: (MASTER_LENGTH,) if _voters(shape) else (),
    build=_voting,
    networks=VOTERS,
    entropy_bits=lambda shape: _entropy(_voters(shape), shape),
    sees="through P(·, k): a tile a voter",
    box="P( · , k)",
)
