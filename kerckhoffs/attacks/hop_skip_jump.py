"""HopSkipJump: walks along the decision boundary and asks for labels only.

Chen, Jordan and Wainwright, "HopSkipJumpAttack: a query-efficient decision-based attack" (2020), Algorithm 2, l2. Two
deviations. The start is the nearest of many directions towards noise of every grain, not one image of white noise:
coarse noise reaches classes that white noise never does, and so can be aimed. Where it does not, an image of a wanted
class is the start, as in the publication's targeted attack. And the probes of the gradient are never so small that
float32 rounds them away, which only large images notice.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from kerckhoffs.attacks.base import MAX_BAD_QUERIES, Attack, OnStep, Option, Pursuit, check_training, generator_for
from kerckhoffs.attacks.logits import CHUNK
from kerckhoffs.attacks.oracle import Oracle
from kerckhoffs.attacks.public import public

DIRECTIONS = 20  # of noise that are tried for a start; images, and more noise, only while none has succeeded
MOST_DIRECTIONS = 500
CLOSER = 0.9  # a new start must succeed at this share of the best start's distance
COARSE_BISECTIONS = 6
MOST_BISECTIONS = 20  # float32 tells no more apart
HALVINGS = 10  # of a step, before the walk stays where it is
LEAST_PROBES = 10  # fewer tell no direction


@public
def hop_skip_jump(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    max_queries: int = 10_000,
    max_bad_queries: int = 0,
    initial_probes: int = 100,
    generator: torch.Generator | None = None,
    training: tuple[Tensor, Tensor] | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """From a boundary point x_t: estimate the boundary's normal, step along it, and bisect back towards x.

    With d numbers in an image, D = |x_t - x| and phi = +-1 for an adversarial image or not, round t takes
    v = mean of (phi(x_t + delta u_b) - mean phi) u_b over initial_probes sqrt(t) random unit vectors u_b,
    delta = D / d; a step of D / sqrt(t) along v / |v|, halved until it is adversarial; and a bisection to d^-1.5.

    Args:
        model: images (N, C, H, W) to logits (N, K); only its labels are read.
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them. Works where noise of some grain, or one of the training
            images, is read as the target.
        max_queries: images shown to the model for each image, the clean one included; >= 1.
        max_bad_queries: how many of these may leave the model unfooled, the clean one included; 0 for any number.
        initial_probes: the unit vectors of the first round; >= 1.
        generator: where noise and unit vectors are drawn from; left out, one with seed 0.
        training: images (T, C, H, W) and labels (T,) to start from where noise gives no start, the nearest of a wanted
            class first; left out, the open images themselves, as the model reads them.
        on_step: called after every direction that is tried for a start, and every round; its steps are queries, summed
            over the open images, and it is told which images have no start.

    Returns:
        Images (N, C, H, W) in [0, 1]: the smallest successful perturbation that was met. Images that fail, and
        those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    HOP_SKIP_JUMP.check_options(max_queries=max_queries, max_bad_queries=max_bad_queries, initial_probes=initial_probes)
    pool = check_training(training, images)
    pursuit = Pursuit(model, images, labels, targeted, on_step)
    if len(pursuit) == 0:
        return pursuit.result()
    oracle = pursuit.oracle("labels", max_queries, max_bad_queries)
    walk = _Walk(oracle, pursuit.images, pursuit.labels, targeted, generator_for(images, generator))

    def told() -> bool:
        lost = torch.isinf(walk.distance)
        pursuit.keep(walk.point, ~lost, walk.distance)
        return pursuit.report(int(oracle.queries.sum()), max_queries * len(pursuit), walk.point, no_start=lost)

    rows = walk.find_starts(pool or (pursuit.images, pursuit.logits.argmax(1)), told)  # those that have a start
    reserve = HALVINGS + walk.bisections
    for t in range(max_queries):
        if t > 0:
            walk.hop(rows, (oracle.left(rows) - reserve).clamp(max=int(initial_probes * math.sqrt(t))), t)
        rows = rows[oracle.left(rows) >= walk.bisections]
        if t == 0 and len(rows) == 0:
            break
        walk.bisect(rows, walk.bisections)
        if told():
            break
        rows = rows[oracle.left(rows) >= reserve + LEAST_PROBES]
        if len(rows) == 0:
            break
    return pursuit.result()


class _Walk:
    """Where each of M images stands: always on an adversarial point, or nowhere yet."""

    def __init__(
        self, oracle: Oracle, images: Tensor, labels: Tensor, targeted: bool, generator: torch.Generator
    ) -> None:
        self.oracle, self.images, self.labels, self.targeted = oracle, images, labels, targeted
        self.generator = generator
        self.point = images.clone()  # (M, C, H, W)
        self.distance = images.new_full((len(images),), torch.inf)  # (M,) l2, infinite for nowhere
        self.numbers = images[0].numel()
        self.bisections = min(math.ceil(1.5 * math.log2(self.numbers)) + 1, MOST_BISECTIONS)

    def asks(self, trial: Tensor, rows: Tensor) -> Tensor:
        """Whether the model is fooled by trials (R, C, H, W) for the images `rows` (R,)."""
        return self.oracle.fooled(trial, rows, self.labels[rows], self.targeted)

    def move(self, rows: Tensor, points: Tensor) -> None:
        """Go to adversarial points (R, C, H, W)."""
        self.point[rows] = points
        self.distance[rows] = (points - self.images[rows]).flatten(1).norm(dim=1)

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
        far = torch.stack([(images - image).flatten(1).norm(dim=1) for image in self.images[rows]])
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
        towards = ends - self.images[rows]
        share = CLOSER * self.distance[rows] / towards.flatten(1).norm(dim=1).clamp_min(1e-12)
        trial = (self.images[rows] + share.clamp(max=1)[:, None, None, None] * towards).clamp(0, 1)
        success = self.asks(trial, rows)
        self.move(rows[success], trial[success])
        self.bisect(rows[success], COARSE_BISECTIONS)

    def bisect(self, rows: Tensor, times: int) -> None:
        """Move towards the original image, to the boundary, by `times` queries."""
        images, far = self.images[rows], self.point[rows]
        point = far.clone()
        low, high = images.new_zeros(len(rows)), images.new_ones(len(rows))  # (R,) shares of the way out
        for _ in range(times if len(rows) else 0):
            middle = (low + high) / 2
            trial = (images + middle[:, None, None, None] * (far - images)).clamp(0, 1)
            success = self.asks(trial, rows)
            point[success] = trial[success]
            low, high = torch.where(success, low, middle), torch.where(success, middle, high)
        self.move(rows, point)

    def hop(self, rows: Tensor, probes: Tensor, t: int) -> None:
        """Step along the normal as far as it stays adversarial, if it does at all."""
        normal = self.normal(rows, probes)
        step = self.distance[rows] / math.sqrt(t)
        for _ in range(HALVINGS):
            if len(rows) == 0:
                break
            trial = (self.point[rows] + step[:, None, None, None] * normal).clamp(0, 1)
            success = self.asks(trial, rows)
            self.move(rows[success], trial[success])
            rows, normal, step = rows[~success], normal[~success], step[~success] / 2

    def normal(self, rows: Tensor, probes: Tensor) -> Tensor:
        """The direction into the adversarial region, (R, C, H, W) of length 1, from `probes` (R,) queries each."""
        point = self.point[rows]
        radius = (self.distance[rows] / self.numbers).clamp_min(1e-5 * math.sqrt(self.numbers))
        ups, sums, signed = torch.zeros_like(radius), torch.zeros_like(point), torch.zeros_like(point)
        for part in torch.arange(len(rows), device=rows.device).repeat_interleave(probes).split(CHUNK):
            scale = radius[part][:, None, None, None]
            size = (len(part), *point.shape[1:])
            unit = torch.randn(size, generator=self.generator, dtype=point.dtype, device=point.device)
            unit /= unit.flatten(1).norm(dim=1)[:, None, None, None]
            trial = (point[part] + scale * unit).clamp(0, 1)
            unit = (trial - point[part]) / scale  # what the clipping left of it
            sign = self.asks(trial, rows[part]).to(point.dtype) * 2 - 1
            ups.index_add_(0, part, sign)
            sums.index_add_(0, part, unit)
            signed.index_add_(0, part, sign[:, None, None, None] * unit)
        mean = (ups / probes)[:, None, None, None]
        normal = torch.where(mean.abs() == 1, signed, signed - mean * sums)
        length: Tensor = normal.flatten(1).norm(dim=1).clamp_min(1e-12)
        return normal / length[:, None, None, None]


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


HOP_SKIP_JUMP = Attack(
    id="hop_skip_jump",
    name="HopSkipJump",
    norm="l2",
    kind="minimal",
    access="labels",
    targeted=True,
    options=(
        Option("max_queries", int, 10_000, "Images shown to the model, for each image.", low=1, high=1_000_000),
        MAX_BAD_QUERIES,
        Option("initial_probes", int, 100, "Probes of the boundary in the first round.", low=1, high=10_000),
    ),
    source="Chen, Jordan and Wainwright 2020, Algorithm 2",
    cost=10_000,
    function=hop_skip_jump,
    random=True,
    training=True,
)
