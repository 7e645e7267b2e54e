"""SurFree: rolls along the decision boundary on circles, without an estimate of its normal. Asks for labels only.

Maho, Furon and Le Merrer, "SurFree: a fast surrogate-free black-box attack" (CVPR 2021), Algorithms 1 and 2, l2, with
directions of low frequencies.
"""

import math

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import MAX_BAD_QUERIES, Attack, OnStep, Option, Pursuit, check_training, generator_for
from kerckhoffs.attacks.boundary import BoundaryWalk
from kerckhoffs.attacks.geometry import unit
from kerckhoffs.attacks.public import public

WIDEST = math.radians(30)  # the first theta_max
CHANGE = 0.98  # of theta_max: divided by it after a success, multiplied after a failure
TRIES = 3  # angles on each side
REFINEMENTS = 10  # of an angle that fools
REMEMBERED = 100  # directions that a new one is orthogonal to


@public
def surfree(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    max_queries: int = 10_000,
    max_bad_queries: int = 0,
    band: float = 0.5,
    generator: torch.Generator | None = None,
    training: tuple[Tensor, Tensor] | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """With the boundary point at x + d u, try x + d cos a (u cos a + v sin a): nearer than d for every angle a.

    v is a random direction of low frequencies, orthogonal to u and, but for what that takes of it, to the last 100.
    The angles are theta_max times 1, -1, 2/3, -2/3, 1/3, -1/3 until one fools the model, and then grow by bisection up
    to the next that did not. theta_max begins at 30 degrees, and grows and shrinks by 2 % with success and failure.

    Args:
        model: images (N, C, H, W) to logits (N, K); only its labels are read.
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them. Works where noise of some grain, or one of the training
            images, is read as the target.
        max_queries: images shown to the model for each image, the clean one included; >= 1.
        max_bad_queries: how many of these may leave the model unfooled, the clean one included; 0 for any number.
        band: share of the frequencies (DCT-II) along each side that v has, in (0, 1].
        generator: where noise and directions are drawn from; left out, one with seed 0.
        training: images (T, C, H, W) and labels (T,) to start from where noise gives no start, the nearest of a wanted
            class first; left out, the open images themselves, as the model reads them.
        on_step: called after every direction that is tried; its steps are queries, summed over the open images, and it
            is told which images have no start.

    Returns:
        Images (N, C, H, W) in [0, 1]: the smallest successful perturbation that was met. Images that fail, and
        those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    SURFREE.check_options(max_queries=max_queries, max_bad_queries=max_bad_queries, band=band)
    pool = check_training(training, images)
    pursuit = Pursuit(model, images, labels, targeted, on_step)
    if len(pursuit) == 0:
        return pursuit.result()
    oracle = pursuit.oracle("labels", max_queries, max_bad_queries)
    walk = _Walk(oracle, pursuit.images, pursuit.labels, targeted, generator_for(images, generator))
    walk.prepare(band)

    def told() -> bool:
        lost = torch.isinf(walk.distance)
        pursuit.keep(walk.point, ~lost, walk.distance)
        return pursuit.report(int(oracle.queries.sum()), max_queries * len(pursuit), walk.point, no_start=lost)

    rows = walk.find_starts(pool or (pursuit.images, pursuit.logits.argmax(1)), told)  # those that have a start
    rows = rows[oracle.left(rows) >= REFINEMENTS]
    walk.bisect(rows, REFINEMENTS)
    while len(rows := rows[oracle.left(rows) > 0]):
        walk.turn(rows)
        if told():
            break
    return pursuit.result()


class _Walk(BoundaryWalk):
    """SurFree's turns."""

    def prepare(self, band: float) -> None:
        """Set theta_max, the basis of the low frequencies, and an empty memory."""
        self.widest = torch.full_like(self.distance, WIDEST)  # (M,)
        self.bases = [_cosines(side, band).to(self.images) for side in self.images.shape[2:]]  # (kept, side) each
        high, wide = self.bases
        self.spectrum = torch.tanh((high @ self.images @ wide.T).abs())  # (M, C, kept, kept)
        remembered = min(REMEMBERED, self.spectrum[0].numel() // 2)
        self.memory = self.images.new_zeros(len(self.images), remembered, self.numbers)  # (M, L, D)
        self.turns = 0

    def turn(self, rows: Tensor) -> None:
        """Try one direction for each of the images `rows` (R,)."""
        self.turns += 1
        self.outward = unit(self.point[rows] - self.images[rows])
        self.sideways = self._direction(rows)
        found, bound = torch.zeros_like(self.widest[rows]), torch.zeros_like(self.widest[rows])  # angles
        for number in range(2 * TRIES):
            share = (TRIES - number // 2) / TRIES
            open_ = (found == 0) & (self.oracle.left(rows) > 0)
            if not bool(open_.any()):
                break
            angle = self.widest[rows] * (share if number % 2 == 0 else -share)
            success = self._try(rows, angle, open_)
            found = torch.where(success, angle, found)
            bound = torch.where(success, angle * (1 + 1 / TRIES / share), bound)
        fooled = found != 0
        widest = self.widest[rows]
        self.widest[rows] = torch.where(fooled, widest / CHANGE, widest * CHANGE).clamp(max=math.pi / 2)
        for _ in range(REFINEMENTS):
            open_ = fooled & (self.oracle.left(rows) > 0)
            if not bool(open_.any()):
                break
            middle = (found + bound) / 2
            success = self._try(rows, middle, open_)
            found = torch.where(success, middle, found)
            bound = torch.where(open_ & ~success, middle, bound)
        self.move(rows[fooled], self._at(rows, found)[fooled])

    def _try(self, rows: Tensor, angle: Tensor, which: Tensor) -> Tensor:
        """Whether the model is fooled at an angle (R,) of those of `rows` (R,) that `which` (R,) names, (R,) bool."""
        success = torch.zeros_like(which)
        success[which] = self.asks(self._at(rows, angle)[which], rows[which])
        return success

    def _at(self, rows: Tensor, angle: Tensor) -> Tensor:
        """The points x + d cos a (u cos a + v sin a), (R, C, H, W), brought into [0, 1]."""
        cosine, sine = angle.cos()[:, None, None, None], angle.sin()[:, None, None, None]
        reach = self.distance[rows][:, None, None, None] * cosine
        return (self.images[rows] + reach * (self.outward * cosine + self.sideways * sine)).clamp(0, 1)

    def _direction(self, rows: Tensor) -> Tensor:
        """A random direction of the image's low frequencies, orthogonal to the way out and to those before."""
        high, wide = self.bases
        shape = self.spectrum[rows]
        signs = torch.randint(-1, 2, shape.shape, generator=self.generator, device=shape.device)
        flat = unit(high.T @ (shape * signs) @ wide).flatten(1)  # (R, D)
        for known in (self.memory[rows], self.outward.flatten(1)[:, None]):
            flat = flat - torch.einsum("rl,rld->rd", torch.einsum("rld,rd->rl", known, flat), known)
        direction = unit(flat.view_as(self.outward))
        if self.memory.shape[1]:
            self.memory[rows, self.turns % self.memory.shape[1]] = direction.flatten(1)
        return direction


def _cosines(side: int, band: float) -> Tensor:
    """The lowest frequencies of a vector as rows (kept, side) of length 1 (DCT-II)."""
    place = torch.arange(side, dtype=torch.float64, device="cpu") + 0.5
    frequency = torch.arange(max(1, math.ceil(band * side)), dtype=torch.float64, device="cpu")[:, None]
    basis = torch.cos(math.pi / side * frequency * place)
    rows: Tensor = basis / basis.norm(dim=1, keepdim=True)
    return rows


SURFREE = Attack(
    id="surfree",
    name="SurFree",
    norm="l2",
    kind="minimal",
    access="labels",
    targeted=True,
    options=(
        Option("max_queries", int, 10_000, "Images shown to the model, for each image.", low=1, high=1_000_000),
        MAX_BAD_QUERIES,
        Option("band", float, 0.5, "Share of the frequencies along each side that a direction has.", low=0.01),
    ),
    source="Maho, Furon and Le Merrer 2021, Algorithms 1 and 2",
    cost=10_000,
    function=surfree,
    random=True,
    training=True,
)
