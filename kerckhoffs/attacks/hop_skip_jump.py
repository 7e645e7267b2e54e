"""HopSkipJump: walks along the decision boundary and asks for labels only.

Chen, Jordan and Wainwright, "HopSkipJumpAttack: a query-efficient decision-based attack" (2020), Algorithm 2, l2 and
linf. Deviations: where it starts (boundary.py); the probes of the gradient are never so small that float32 rounds them
away; and in linf, bisections end at a share of d^-1.5 as in l2, not d^-2, and probes are no uniform but normal numbers.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import MAX_BAD_QUERIES, Attack, OnStep, Option, Pursuit, check_training, generator_for
from kerckhoffs.attacks.boundary import BoundaryWalk
from kerckhoffs.attacks.geometry import unit
from kerckhoffs.attacks.logits import CHUNK
from kerckhoffs.attacks.public import public

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
    return _search(
        HOP_SKIP_JUMP,
        2,
        model,
        images,
        labels,
        targeted,
        on_step,
        generator,
        training,
        max_queries=max_queries,
        max_bad_queries=max_bad_queries,
        initial_probes=initial_probes,
    )


@public
def hop_skip_jump_linf(
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
    """`hop_skip_jump` in linf: D = max |x_t - x|, a step of D / sqrt(t) along the signs of v, and a bisection that
    clips x_t to x +- r for ever smaller r.

    Arguments, what is returned and what is raised: as for `hop_skip_jump`.
    """
    return _search(
        HOP_SKIP_JUMP_LINF,
        torch.inf,
        model,
        images,
        labels,
        targeted,
        on_step,
        generator,
        training,
        max_queries=max_queries,
        max_bad_queries=max_bad_queries,
        initial_probes=initial_probes,
    )


def _search(
    attack: Attack,
    p: float,
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    targeted: bool,
    on_step: OnStep | None,
    generator: torch.Generator | None,
    training: tuple[Tensor, Tensor] | None,
    *,
    max_queries: int,
    max_bad_queries: int,
    initial_probes: int,
) -> Tensor:
    """Both attacks, which differ by the norm p, 2 or infinity."""
    attack.check_options(max_queries=max_queries, max_bad_queries=max_bad_queries, initial_probes=initial_probes)
    pool = check_training(training, images)
    pursuit = Pursuit(model, images, labels, targeted, on_step)
    if len(pursuit) == 0:
        return pursuit.result()
    oracle = pursuit.oracle("labels", max_queries, max_bad_queries)
    walk = _Walk(oracle, pursuit.images, pursuit.labels, targeted, generator_for(images, generator), p)

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


class _Walk(BoundaryWalk):
    """HopSkipJump's rounds."""

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
        """The direction into the adversarial region, (R, C, H, W) of size 1 in p, from `probes` (R,) queries each."""
        point = self.point[rows]
        radius = (self.distance[rows] / self.numbers).clamp_min(1e-5 * math.sqrt(self.numbers))
        ups, sums, signed = torch.zeros_like(radius), torch.zeros_like(point), torch.zeros_like(point)
        for part in torch.arange(len(rows), device=rows.device).repeat_interleave(probes).split(CHUNK):
            scale = radius[part][:, None, None, None]
            size = (len(part), *point.shape[1:])
            probe = unit(torch.randn(size, generator=self.generator, dtype=point.dtype, device=point.device))
            trial = (point[part] + scale * probe).clamp(0, 1)
            probe = (trial - point[part]) / scale  # what the clipping left of it
            sign = self.asks(trial, rows[part]).to(point.dtype) * 2 - 1
            ups.index_add_(0, part, sign)
            sums.index_add_(0, part, probe)
            signed.index_add_(0, part, sign[:, None, None, None] * probe)
        mean = (ups / probes)[:, None, None, None]
        normal = torch.where(mean.abs() == 1, signed, signed - mean * sums)
        return unit(normal) if self.p == 2 else normal.sign()


OPTIONS = (
    Option("max_queries", int, 10_000, "Images shown to the model, for each image.", low=1, high=1_000_000),
    MAX_BAD_QUERIES,
    Option("initial_probes", int, 100, "Probes of the boundary in the first round.", low=1, high=10_000),
)

HOP_SKIP_JUMP = Attack(
    id="hop_skip_jump",
    name="HopSkipJump",
    norm="l2",
    kind="minimal",
    access="labels",
    targeted=True,
    options=OPTIONS,
    source="Chen, Jordan and Wainwright 2020, Algorithm 2",
    cost=10_000,
    function=hop_skip_jump,
    random=True,
    training=True,
)

HOP_SKIP_JUMP_LINF = replace(
    HOP_SKIP_JUMP, id="hop_skip_jump_linf", name="HopSkipJump linf", norm="linf", function=hop_skip_jump_linf
)
