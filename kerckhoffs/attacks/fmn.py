"""FMN: minimum-norm attacks in l0, l2 and linf whose ball shrinks and grows with success.

Pintor, Roli, Brendel and Biggio, "Fast minimum-norm adversarial attacks through adaptive norm constraints" (2021),
algorithm 1. Four things differ. The step is clipped to the box before it is projected on the ball, not after: what
would leave the box takes no room in the ball. On MNIST this is smaller in l2; in l0 it turned 95 % of 60 images
with targets instead of 90 %, for 16 pixels instead of 14. In l0 it is pixels that count: all channels of a pixel
stay or go together. Before the first success the ball ends more and more beyond where a linear model would have its
boundary (by 2 % in the end), because an iterate can come ever nearer to it from inside. And the last iterate is
judged too.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import Attack, OnStep, Option, Pursuit
from kerckhoffs.attacks.geometry import cosine, norms, project, unit
from kerckhoffs.attacks.logits import fooled, look, margins
from kerckhoffs.attacks.public import public

LAST_GAMMA = 0.001
LAST_STEP = 0.01  # of the first
BEYOND = 0.02  # by what share the ball reaches beyond the boundary of a linear model at the end


@public
def fmn_l0(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    iterations: int = 100,
    step_size: float = 1.0,
    gamma: float = 0.05,
    on_step: OnStep | None = None,
) -> Tensor:
    """FMN in l0: the fewest pixels that fool; see `fmn_l2` for the rest.

    The ball of e pixels keeps the e pixels with the largest change (in l2 over the channels) and puts back the
    others. After a success e becomes floor(e (1 - gamma)), at least one less, and otherwise floor(e (1 + gamma)), at
    least one more.
    """
    FMN_L0.check_options(iterations=iterations, step_size=step_size, gamma=gamma)
    return _fmn(model, images, labels, targeted, 0, iterations, step_size, gamma, on_step)


@public
def fmn_l2(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    iterations: int = 100,
    step_size: float = 1.0,
    gamma: float = 0.05,
    on_step: OnStep | None = None,
) -> Tensor:
    """x' <- project(clip(x' + alpha g / |g|)), with the projection on the ball around x of radius e in the norm p.

    g is the gradient of the margin: by how many logits x' is short of success. e is the distance of the boundary
    as a linear model would have it, |x' - x|_p + margin / |g|_q with 1/p + 1/q = 1, until a first success. From
    then on it shrinks by the factor 1 - gamma after a success, to at most the smallest so far, and else grows by
    1 + gamma. alpha falls from step_size to a hundredth of it, and gamma to 0.001, along a cosine.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        iterations: steps, one gradient each and one at the start; >= 1.
        step_size: the first alpha, in l2 in all three norms; > 0.
        gamma: by what share e changes at first, in (0, 1).
        on_step: called after every iteration.

    Returns:
        Images (N, C, H, W) in [0, 1]: the smallest successful perturbation that was met. Images that fail, and
        those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    FMN_L2.check_options(iterations=iterations, step_size=step_size, gamma=gamma)
    return _fmn(model, images, labels, targeted, 2, iterations, step_size, gamma, on_step)


@public
def fmn_linf(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    iterations: int = 100,
    step_size: float = 1.0,
    gamma: float = 0.05,
    on_step: OnStep | None = None,
) -> Tensor:
    """FMN in linf: the smallest largest change of a pixel that fools; see `fmn_l2` for the rest.

    The projection clips every change to [-e, e].
    """
    FMN_LINF.check_options(iterations=iterations, step_size=step_size, gamma=gamma)
    return _fmn(model, images, labels, targeted, torch.inf, iterations, step_size, gamma, on_step)


def _fmn(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    targeted: bool,
    p: float,
    iterations: int,
    step_size: float,
    gamma: float,
    on_step: OnStep | None,
) -> Tensor:
    """Algorithm 1 of the paper in the norm p: 0, 2 or infinity."""
    pursuit = Pursuit(model, images, labels, targeted, on_step)
    if len(pursuit) == 0:
        return pursuit.result()
    x, labels = pursuit.images, pursuit.labels
    delta = torch.zeros_like(x)
    radius = norms(delta, p)  # e, (M,)
    farthest = norms(torch.maximum(x, 1 - x), p)  # (M,) of the box
    success = torch.zeros_like(labels, dtype=torch.bool)
    margin, gradient, _ = look(model, x, labels, targeted, margins)
    for step in range(iterations):
        part = step / iterations
        slope = norms(gradient, 1 if p == torch.inf else 2).clamp_min(torch.finfo(x.dtype).tiny)  # the dual norm
        ahead = (norms(delta, p) + margin.abs() / slope) * (1 + BEYOND * part**2)
        radius = _radius(radius, success, pursuit.size, ahead, p, cosine(gamma, LAST_GAMMA, part))
        radius = torch.minimum(radius, farthest)
        alpha = cosine(step_size, LAST_STEP * step_size, part)
        stepped = (x + delta + alpha * unit(-gradient)).clamp(0, 1)
        moved = (x + project(stepped - x, radius, p)).clamp(0, 1)  # clipped again, against rounding
        delta = moved - x
        margin, gradient, logits = look(model, moved, labels, targeted, margins)
        success = fooled(logits, labels, targeted)
        pursuit.keep(moved, success, norms(delta, p))
        if pursuit.report(step + 1, iterations, moved):
            break
    return pursuit.result()


def _radius(radius: Tensor, success: Tensor, smallest: Tensor, ahead: Tensor, p: float, gamma: float) -> Tensor:
    """The next e, (M,), from the present one, its success, the smallest success so far, and the boundary ahead."""
    if p == 0:
        fewer = torch.minimum(radius - 1, (radius * (1 - gamma)).floor())
        more = torch.maximum(radius + 1, (radius * (1 + gamma)).floor())
        return torch.where(success, torch.minimum(fewer, smallest), more).clamp_min(1)
    outwards = torch.where(smallest < torch.inf, radius * (1 + gamma), ahead)
    return torch.where(success, torch.minimum(radius * (1 - gamma), smallest), outwards)


_OPTIONS = (
    Option("iterations", int, 100, "Steps, one gradient each.", low=1, high=100_000),
    Option("step_size", float, 1.0, "The first step, in l2; it falls to a hundredth.", low=1e-4, high=1e3),
    Option("gamma", float, 0.05, "By what share the ball shrinks or grows in a step at first.", low=1e-4, high=0.9),
)

FMN_L0 = Attack(
    id="fmn_l0",
    name="FMN l0",
    norm="l0",
    kind="minimal",
    access="gradients",
    targeted=True,
    options=_OPTIONS,
    source="Pintor et al. 2021, algorithm 1",
    cost=101,
    function=fmn_l0,
)

FMN_L2 = replace(FMN_L0, id="fmn_l2", name="FMN l2", norm="l2", function=fmn_l2)

FMN_LINF = replace(FMN_L0, id="fmn_linf", name="FMN linf", norm="linf", function=fmn_linf)
