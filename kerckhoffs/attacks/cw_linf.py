"""Carlini and Wagner's linf attack: the perturbation whose largest change of a pixel is smallest.

Carlini and Wagner, "Towards evaluating the robustness of neural networks" (2017), section 6.C; the paper's CW linf.
The reference solver is written from the publication and from the behaviour of the authors' public code, which works
on one image at a time: here each image has its own c, its own limit, and its own clock.
"""

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import Attack, OnStep, Pursuit
from kerckhoffs.attacks.cw import (
    CONFIDENCE,
    SOLVER,
    Adam,
    doublings,
    initial_const,
    iterations,
    learning_rate,
    max_iterations,
    penalty,
    starts,
    through_w,
    to_w,
    to_x,
)
from kerckhoffs.attacks.logits import fooled
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.walk import PHASES, walk

LARGEST_CONST = 20.0
SMALLEST_LIMIT = 1 / 256
SHARE = 0.9  # what is left of the limit after a success
SMALL_LOSS = 1e-4  # of c: what a success needs


@public
def cw_linf(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    solver: str = "fast",
    confidence: float = 0.0,
    iterations: int = 250,
    starts: int = 3,
    learning_rate: float = 5e-3,
    max_iterations: int = 1000,
    initial_const: float = 1e-5,
    on_step: OnStep | None = None,
) -> Tensor:
    """Minimise max |x' - x| where margin(x') + confidence <= 0 and x' is in [0, 1].

    The margin is that of `cw_l2`. The reference solver descends
    c max(margin(x') + confidence, 0) + sum max(|x' - x| - tau, 0) with x' = (tanh(w) + 1) / 2 by Adam on w. Where
    the loss falls below 1e-4 c and the next step fools, tau becomes 0.9 times the smaller of tau and the largest
    change, and the next solve starts from there; where a solve does not get there, c doubles, up to 20. The limit
    tau starts at 1; the attack ends when tau is 1/256 or a limit cannot be reached. The fast solver is `walk`.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        solver: "fast" or "reference". With the latter an image's result is the same in whatever batch it comes.
        confidence: kappa, by how many logits the wrong class must lead; >= 0.
        iterations: fast: gradients for each start; >= 2.
        starts: fast: walks with different first steps, of which the best example counts; 1 to 4.
        learning_rate: reference: Adam's, > 0.
        max_iterations: reference: gradient steps for each c at most; >= 1.
        initial_const: reference: the first c, > 0.
        on_step: called after every gradient step.

    Returns:
        Images (N, C, H, W) in [0, 1]: the smallest successful perturbation that was met. Images that fail, and
        those that the model misreads from the start by the confidence, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    CW_LINF.check_options(
        solver=solver,
        confidence=confidence,
        iterations=iterations,
        starts=starts,
        learning_rate=learning_rate,
        max_iterations=max_iterations,
        initial_const=initial_const,
    )
    pursuit = Pursuit(model, images, labels, targeted, on_step, confidence=confidence)
    if solver == "fast":
        walk(model, pursuit, targeted, torch.inf, confidence=confidence, iterations=iterations, starts=starts)
    else:
        _descend(model, pursuit, targeted, confidence, learning_rate, max_iterations, initial_const)
    return pursuit.result()


def _descend(
    model: nn.Module,
    pursuit: Pursuit,
    targeted: bool,
    confidence: float,
    rate: float,
    length: int,
    first_const: float,
) -> None:
    """The reference solver, on all open images at once, each on its own way through the limits and the constants."""
    rows = torch.arange(len(pursuit), device=pursuit.open.device)  # not ended yet
    w = to_w(pursuit.images)
    origin, labels = to_x(w), pursuit.labels
    const = torch.full_like(pursuit.size, first_const)
    limit = torch.ones_like(const)  # tau
    steps = torch.zeros_like(labels)  # with the present c
    near = torch.zeros_like(labels, dtype=torch.bool)  # the loss before the last step was small
    adam = Adam(w, rate)
    done, total = 0, length * (_solves() + doublings(first_const, LARGEST_CONST))
    while len(rows):
        x = to_x(w)
        # c comes later: it may double before it counts
        hinge, slope, logits = penalty(model, x, labels, targeted, confidence, torch.ones_like(const))
        success = fooled(logits, labels, targeted, confidence)
        delta = x - origin
        largest = delta.abs().amax((1, 2, 3))
        pursuit.keep(x, success, largest, rows)
        done += 1
        if pursuit.report(done, max(total, done), x, rows):
            return
        solved = near & success  # each gets a new limit, and starts there afresh
        limit = torch.where(solved, SHARE * torch.minimum(limit, largest), limit)
        failed = ~solved & (steps >= length)
        const = torch.where(failed, 2 * const, const)
        steps = torch.where(solved | failed, 0, steps)
        adam.restart(solved)
        over = delta.abs() - limit[:, None, None, None]
        loss = const * hinge + over.clamp_min(0).flatten(1).sum(1)
        near = loss < SMALL_LOSS * const
        gradient = through_w(const[:, None, None, None] * slope + delta.sign() * (over > 0), w)
        w = w + adam.step(gradient)
        steps = steps + 1
        going = (limit > SMALLEST_LIMIT) & (const < LARGEST_CONST)
        if not bool(going.all()):
            rows, w, origin, labels, const = (each[going] for each in (rows, w, origin, labels, const))
            limit, steps, near = limit[going], steps[going], near[going]
            adam.keep(going)


def _solves() -> int:
    """How many limits there are at most."""
    count, limit = 0, 1.0
    while limit > SMALLEST_LIMIT:
        count, limit = count + 1, limit * SHARE
    return count


CW_LINF = Attack(
    id="cw_linf",
    name="Carlini-Wagner linf",
    norm="linf",
    kind="minimal",
    access="gradients",
    targeted=True,
    options=(
        SOLVER,
        CONFIDENCE,
        iterations(250),
        starts(3, len(PHASES[torch.inf][0].steps)),
        learning_rate(5e-3),
        max_iterations(1000),
        initial_const(1e-5, high=LARGEST_CONST / 2),
    ),
    source="Carlini and Wagner 2017, section 6.C",
    cost=750,
    function=cw_linf,
)
