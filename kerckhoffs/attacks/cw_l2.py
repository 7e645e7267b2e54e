"""Carlini and Wagner's l2 attack: the perturbation with the smallest l2 norm that fools.

Carlini and Wagner, "Towards evaluating the robustness of neural networks" (2017), section 6.A, and equations (5)
and (6) of the paper. The reference solver is written from the papers and from the behaviour of the authors' public
code; where that code sums over its batch to decide when to stop, each sample decides alone here, which is the same
for a batch of one.
"""

import math

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import Attack, OnStep, Option, Pursuit
from kerckhoffs.attacks.cw import (
    CONFIDENCE,
    SOLVER,
    Adam,
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


@public
def cw_l2(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    solver: str = "fast",
    confidence: float = 0.0,
    iterations: int = 150,
    starts: int = 4,
    learning_rate: float = 1e-2,
    binary_search_steps: int = 9,
    max_iterations: int = 1000,
    initial_const: float = 1e-3,
    on_step: OnStep | None = None,
) -> Tensor:
    """Minimise |x' - x|_2 where margin(x') + confidence <= 0 and x' is in [0, 1].

    margin is Z_y - max_{j != y} Z_j, or max_{j != t} Z_j - Z_t if targeted. The reference solver descends
    |x' - x|^2 + c max(margin(x') + confidence, 0) with x' = (tanh(w) + 1) / 2 by Adam on w; a binary search over c,
    apart for each sample, looks for the smallest c that still succeeds, and a sample leaves a solve early when its
    loss has stopped falling. The search bisects to its end; of 10 steps or more the authors' code gives the last one
    to the upper bound. The fast solver is `walk`.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        solver: "fast" or "reference". With the latter an image's result is the same in whatever batch it comes.
        confidence: kappa, by how many logits the wrong class must lead; >= 0.
        iterations: fast: steps, with a gradient each; all starts go the first third of them, and from there the
            best example goes on alone; >= 2.
        starts: fast: walks with different first steps; 1 to 4.
        learning_rate: reference: Adam's, > 0.
        binary_search_steps: reference: solves, each with its own c; >= 1.
        max_iterations: reference: gradient steps a solve at most; >= 1 (the authors' code: 10 000, the usual
            choice: 1000).
        initial_const: reference: the first c, > 0.
        on_step: called after every gradient step.

    Returns:
        Images (N, C, H, W) in [0, 1]: the smallest successful perturbation that was met. Images that fail, and
        those that the model misreads from the start by the confidence, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    CW_L2.check_options(
        solver=solver,
        confidence=confidence,
        iterations=iterations,
        starts=starts,
        learning_rate=learning_rate,
        binary_search_steps=binary_search_steps,
        max_iterations=max_iterations,
        initial_const=initial_const,
    )
    pursuit = Pursuit(model, images, labels, targeted, on_step, confidence=confidence)
    if solver == "fast":
        walk(model, pursuit, targeted, 2, confidence=confidence, iterations=iterations, starts=starts)
    elif len(pursuit):
        _search(model, pursuit, targeted, confidence, learning_rate, binary_search_steps, max_iterations, initial_const)
    return pursuit.result()


def _search(
    model: nn.Module,
    pursuit: Pursuit,
    targeted: bool,
    confidence: float,
    rate: float,
    solves: int,
    length: int,
    first_const: float,
) -> None:
    """The reference solver: a binary search over c, apart for each of the M open images."""
    start = to_w(pursuit.images)
    const = torch.full_like(pursuit.size, first_const, dtype=torch.float64)
    lower, upper = torch.zeros_like(const), torch.full_like(const, torch.inf)
    for number in range(solves):
        done = number * length, solves * length
        succeeded, stopped = _solve(model, pursuit, start, const.float(), targeted, confidence, rate, length, done)
        if stopped:
            return
        upper = torch.where(succeeded, torch.minimum(upper, const), upper)
        lower = torch.where(succeeded, lower, torch.maximum(lower, const))
        const = torch.where(upper < torch.inf, (lower + upper) / 2, const * 10)


def _solve(
    model: nn.Module,
    pursuit: Pursuit,
    start: Tensor,
    const: Tensor,
    targeted: bool,
    confidence: float,
    rate: float,
    length: int,
    done: tuple[int, int],
) -> tuple[Tensor, bool]:
    """One solve with the present c: which images (M,) succeeded, and whether the caller stopped it.

    Args:
        done: steps before this solve, and in all.
    """
    succeeded = torch.zeros_like(pursuit.labels, dtype=torch.bool)
    # What follows holds the images that are still in this solve, and shrinks as they leave it.
    rows = torch.arange(len(pursuit), device=pursuit.open.device)
    origin, labels = to_x(start), pursuit.labels  # x0 is what the round trip through tanh makes of x
    change = torch.zeros_like(start)  # of w
    adam = Adam(change, rate)
    checkpoint = torch.full_like(const, torch.inf)  # each loss at the last check
    check = math.ceil(length / 10)
    for step in range(length):
        w = start + change
        x = to_x(w)
        value, slope, logits = penalty(model, x, labels, targeted, confidence, const)
        delta = x - origin
        l2 = delta.square().flatten(1).sum(1)
        loss = value + l2
        change = change + adam.step(through_w(2 * delta + slope, w))
        going = torch.ones_like(labels, dtype=torch.bool)
        if step % check == 0:
            going = loss <= 0.9999 * checkpoint
            checkpoint = loss
        success = going & fooled(logits, labels, targeted, confidence)  # the authors' code stops before it looks
        succeeded[rows] |= success
        pursuit.keep(x, success, l2, rows)
        if pursuit.report(done[0] + step + 1, done[1], x, rows):
            return succeeded, True
        if not bool(going.all()):
            rows, start, change, origin, labels = (each[going] for each in (rows, start, change, origin, labels))
            const, checkpoint = const[going], checkpoint[going]
            adam.keep(going)
            if len(rows) == 0:
                break
    return succeeded, False


CW_L2 = Attack(
    id="cw_l2",
    name="Carlini-Wagner l2",
    norm="l2",
    kind="minimal",
    access="gradients",
    targeted=True,
    options=(
        SOLVER,
        CONFIDENCE,
        iterations(150, "Steps: each start a third, the best the rest."),
        starts(4, len(PHASES[2][0].steps)),
        learning_rate(1e-2),
        Option(
            "binary_search_steps",
            int,
            9,
            "How many values of the constant c are tried.",
            low=1,
            high=20,
            when=("solver", "reference"),
        ),
        max_iterations(1000),
        initial_const(1e-3),
    ),
    source="Carlini and Wagner 2017, section 6.A; the paper, equations (5) and (6)",
    cost=300,
    function=cw_l2,
)
