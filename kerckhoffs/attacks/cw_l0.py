"""Carlini and Wagner's l0 attack: the fewest pixels that fool.

Carlini and Wagner, "Towards evaluating the robustness of neural networks" (2017), section 6.B; the paper's CW l0.
The reference solver is written from the publication and from the behaviour of the authors' public code, which works
on one image at a time: here each image has its own c, its own set of pixels, and its own clock.
"""

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import Attack, OnStep, Option, Pursuit
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
from kerckhoffs.attacks.geometry import norms
from kerckhoffs.attacks.logits import fooled, read
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sparse import FIRST_THRESHOLDS, sparse

LARGEST_CONST = 2e6
LEAD = 0.01  # beyond the confidence, in logits: what a solve aims at
SMALL_HINGE = 1e-4
CHANGED = 1e-4  # a pixel that differs by less is as it was
SCORE = 0.01  # a pixel with more is the last to be frozen in a round
FROZEN = 0.3  # times the root of the changed pixels: how many a round freezes at most


@public
def cw_l0(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    solver: str = "fast",
    confidence: float = 0.0,
    iterations: int = 500,
    starts: int = 2,
    patience: int = 8,
    learning_rate: float = 1e-2,
    max_iterations: int = 1000,
    initial_const: float = 1e-3,
    on_step: OnStep | None = None,
) -> Tensor:
    """Minimise the number of pixels in which x' differs from x where margin(x') + confidence <= 0, x' in [0, 1].

    The margin is that of `cw_l2`; a pixel counts once, whatever its channels. The reference solver descends
    |x' - x|^2 + c max(margin(x') + confidence + 0.01, 0) by Adam on w, x' = (tanh(w) + 1) / 2 on the pixels that are
    still free and x elsewhere. Where the second term has gone, the free pixels with the least |change| |slope| are
    frozen and the next solve starts from there; where it does not go, c doubles, up to 2e6. It ends when a set of
    pixels does not suffice. The fast solver is `sparse`.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        solver: "fast" or "reference". With the latter an image's result is the same in whatever batch it comes.
        confidence: kappa, by how many logits the wrong class must lead; >= 0.
        iterations: fast: gradients for each start of the first of its two parts; >= 2.
        starts: fast: descents with different thresholds, of which the best example goes on; 1 to 3.
        patience: fast: failures in a row after which the second part is done with an image; 0 to 30.
        learning_rate: reference: Adam's, > 0.
        max_iterations: reference: gradient steps for each c at most; >= 1.
        initial_const: reference: the first c, > 0.
        on_step: called after every gradient step, or every move of the fast solver.

    Returns:
        Images (N, C, H, W) in [0, 1]: the successful perturbation with the fewest pixels that was met. Images that
        fail, and those that the model misreads from the start by the confidence, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    CW_L0.check_options(
        solver=solver,
        confidence=confidence,
        iterations=iterations,
        starts=starts,
        patience=patience,
        learning_rate=learning_rate,
        max_iterations=max_iterations,
        initial_const=initial_const,
    )
    pursuit = Pursuit(model, images, labels, targeted, on_step, confidence=confidence)
    if solver == "fast":
        sparse(
            model,
            pursuit,
            targeted,
            confidence=confidence,
            iterations=iterations,
            starts=starts,
            patience=patience,
        )
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
    """The reference solver, on all open images at once, each on its own way through the sets and the constants."""
    rows = torch.arange(len(pursuit), device=pursuit.open.device)  # not ended yet
    images, labels = pursuit.images, pursuit.labels
    w = to_w(images)
    free = torch.ones_like(images[:, :1], dtype=torch.bool)  # (M, 1, H, W) pixels that may change
    const = torch.full_like(pursuit.size, first_const)
    steps = torch.zeros_like(labels)  # with the present c
    adam = Adam(w, rate)
    done, total = 0, length * (images[0, 0].numel() + doublings(first_const, LARGEST_CONST)) if len(rows) else 0
    while len(rows):
        x = torch.where(free, to_x(w), images)
        value, slope, _ = penalty(model, x, labels, targeted, confidence + LEAD, const)
        delta = x - images
        gradient = through_w(2 * delta + slope, w) * free
        solved = value < SMALL_HINGE * const
        _keep(model, pursuit, x[solved], rows[solved], targeted, confidence)
        done += 1
        if pursuit.report(done, max(total, done), x, rows):
            return
        if bool(solved.any()):
            free[solved] = _freeze(free[solved], delta[solved], gradient[solved])
        failed = ~solved & (steps >= length)
        const = torch.where(failed, 2 * const, const)
        steps = torch.where(solved | failed, 0, steps)
        w = torch.where(solved[:, None, None, None], w, w + adam.step(gradient))
        adam.restart(solved)
        steps = steps + ~solved
        going = free.flatten(1).any(1) & (const < LARGEST_CONST)
        if not bool(going.all()):
            rows, images, labels, w, free = (each[going] for each in (rows, images, labels, w, free))
            const, steps = const[going], steps[going]
            adam.keep(going)


def _freeze(free: Tensor, delta: Tensor, gradient: Tensor) -> Tensor:
    """The pixels (R, 1, H, W) that stay free: those with the least |delta| |gradient| are frozen, in that order.

    A round freezes at least one pixel, and ends with the first that scores more than SCORE.
    """
    score = (delta.sum(1).abs() * gradient.abs().sum(1)).flatten(1)  # (R, pixels)
    score, order = score.masked_fill(~free.flatten(1), torch.inf).sort(dim=1, stable=True)
    changed = (delta.abs() >= CHANGED).any(1).flatten(1).sum(1)
    most = (FROZEN * changed.sqrt()).ceil().clamp_min(1)
    until = torch.minimum((score <= SCORE).sum(1) + 1, most)  # (R,) how many
    rank = order.argsort(dim=1)
    return free & (rank >= until[:, None]).view_as(free)


def _keep(model: nn.Module, pursuit: Pursuit, x: Tensor, rows: Tensor, targeted: bool, confidence: float) -> None:
    """Put the pixels that hardly changed back, and keep what still fools, (R, C, H, W)."""
    if len(rows):
        images = pursuit.images[rows]
        changed = ((x - images).abs() > CHANGED).any(1, keepdim=True)
        x = torch.where(changed, x, images)
        success = fooled(read(model, x), pursuit.labels[rows], targeted, confidence)
        pursuit.keep(x, success, norms(x - images, 0), rows)


CW_L0 = Attack(
    id="cw_l0",
    name="Carlini-Wagner l0",
    norm="l0",
    kind="minimal",
    access="gradients",
    targeted=True,
    options=(
        SOLVER,
        CONFIDENCE,
        iterations(500),
        starts(2, len(FIRST_THRESHOLDS)),
        Option(
            "patience",
            int,
            8,
            "Failures in a row that end the search for pixels to spare; 0 leaves it out.",
            low=0,
            high=30,
            when=("solver", "fast"),
        ),
        learning_rate(1e-2),
        max_iterations(1000),
        initial_const(1e-3),
    ),
    source="Carlini and Wagner 2017, section 6.B",
    cost=1200,
    function=cw_l0,
)
