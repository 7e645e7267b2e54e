"""What the attacks that walk along the decision boundary share: where they start, and how they come back to it.

The start is the nearest of many directions towards noise of every grain, not one image of white noise: coarse noise
reaches classes that white noise never does, and so can be aimed. Where it does not, an image of a wanted class is the
start: one of those that the attacker has (`training`), or else of those that are attacked, as the model reads them.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from kerckhoffs.attacks.geometry import norms, project
from kerckhoffs.attacks.oracle import Oracle

DIRECTIONS = 20  # of noise that are tried for a start; images, and more noise, only while none has succeeded
MOST_DIRECTIONS = 500
CLOSER = 0.9  # a new start must succeed at this share of the best start's distance
COARSE_BISECTIONS = 6
MOST_BISECTIONS = 20  # float32 tells no more apart


class BoundaryWalk:
    """Where each of M images stands: always on an adversarial point, or nowhere yet.

    Args:
        p: the norm in which it gets nearer, 2 or infinity.
    """

    def __init__(
        self,
        oracle: Oracle,
        images: Tensor,
        labels: Tensor,
        targeted: bool,
        generator: torch.Generator,
        p: float = 2,
    ) -> None:
        self.oracle, self.images, self.labels, self.targeted = oracle, images, labels, targeted
        self.generator, self.p = generator, p
        self.point = images.clone()  # (M, C, H, W)
        self.distance = images.new_full((len(images),), torch.inf)  # (M,) in p, infinite for nowhere
        self.numbers = images[0].numel()
        self.bisections = min(math.ceil(1.5 * math.log2(self.numbers)) + 1, MOST_BISECTIONS)

    def asks(self, trial: Tensor, rows: Tensor) -> Tensor:
        """Whether the model is fooled by trials (R, C, H, W) for the images `rows` (R,)."""
        return self.oracle.fooled(trial, rows, self.labels[rows], self.targeted)

    def move(self, rows: Tensor, points: Tensor) -> None:
        """Go to adversarial points (R, C, H, W)."""
        self.point[rows] = points
        self.distance[rows] = norms(points - self.images[rows], self.p)

    def between(self, rows: Tensor, ends: Tensor, share: Tensor) -> Tensor:
        """The points nearest to `ends` (R, C, H, W) within a share (R,), from 0 to 1, of their distance."""
        delta = ends - self.images[rows]
        return (self.images[rows] + project(delta, share * norms(delta, self.p), self.p)).clamp(0, 1)

    def find_starts(self, pool: tuple[Tensor, Tensor], told: Callable[[], bool]) -> Tensor:
        """Move each image to the nearest adversarial point in many directions; which rows have one.

        Args:
            pool: images (T, C, H, W) and their classes (T,), for where the first directions find nothing.
            told: reports after each direction; true to stop, and then no row is named.
        """
        everyone = torch.arange(len(self.images), device=self.images.device)
        for number in range(MOST_DIRECTIONS):
            if number == DIRECTIONS and self.try_pool(*pool, told):
                return everyone[:0]
            rows = self.open() if number >= DIRECTIONS else everyone
            rows = rows[self.oracle.left(rows) > COARSE_BISECTIONS]
            if len(rows) == 0:
                if number == 0 and told():
                    return everyone[:0]
                break
            self.try_towards(rows, _noise(self.images[rows], number, self.generator))
            if told():
                return everyone[:0]
        return everyone[torch.isfinite(self.distance)]

    def try_pool(self, images: Tensor, labels: Tensor, told: Callable[[], bool]) -> bool:
        """Start those that have no start from images of a wanted class, the nearest first; true to stop.

        Args:
            images: (T, C, H, W); labels: (T,).
        """
        rows = self.open()
        if len(rows) == 0:
            return False
        same = labels == self.labels[rows, None]  # (R, T)
        unwanted = ~same if self.targeted else same
        far = torch.stack([norms(images - image, self.p) for image in self.images[rows]])
        order = far.masked_fill(unwanted, torch.inf).argsort(1)
        for place in range(len(images)):
            going = (place < (~unwanted).sum(1)) & torch.isinf(self.distance[rows])
            going &= self.oracle.left(rows) > COARSE_BISECTIONS
            if not bool(going.any()):
                break
            self.try_towards(rows[going], images[order[going, place]])
            if told():
                return True
        return False

    def open(self) -> Tensor:
        """The numbers of the images that have no start, (R,)."""
        return torch.isinf(self.distance).nonzero().squeeze(1)

    def try_towards(self, rows: Tensor, ends: Tensor) -> None:
        """Go towards `ends` (R, C, H, W), all the way or to a little nearer than before, if that is adversarial."""
        share = CLOSER * self.distance[rows] / norms(ends - self.images[rows], self.p).clamp_min(1e-12)
        trial = self.between(rows, ends, share.clamp(max=1))
        success = self.asks(trial, rows)
        self.move(rows[success], trial[success])
        self.bisect(rows[success], COARSE_BISECTIONS)

    def bisect(self, rows: Tensor, times: int) -> None:
        """Move towards the original image, to the boundary, by `times` queries."""
        far, point = self.point[rows], self.point[rows].clone()
        low, high = torch.zeros_like(self.distance[rows]), torch.ones_like(self.distance[rows])  # shares of the way
        for _ in range(times if len(rows) else 0):
            middle = (low + high) / 2
            trial = self.between(rows, far, middle)
            success = self.asks(trial, rows)
            point[success] = trial[success]
            low, high = torch.where(success, low, middle), torch.where(success, middle, high)
        self.move(rows, point)


def _noise(images: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """Noise for each image, (R, C, H, W): grains of 1, 2, 4, ... pixels in turn, grey and black-and-white."""
    height, width = images.shape[2:]
    grains = max(height, width).bit_length()
    grain = 2 ** (number % grains)
    size = (len(images), images.shape[1], math.ceil(height / grain), math.ceil(width / grain))
    noise = torch.rand(size, generator=generator, dtype=images.dtype, device=images.device)
    if number // grains % 2:
        noise = noise.round()
    grown: Tensor = interpolate(noise, size=(height, width), mode="nearest")
    return grown
