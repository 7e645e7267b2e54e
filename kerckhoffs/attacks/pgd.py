"""Projected Gradient Descent (PGD): BIM from random points of the ball, with restarts.

Madry, Makelov, Schmidt, Tsipras and Vladu, "Towards deep learning models resistant to adversarial attacks" (2018),
equation (2) ff.; the defaults are those of the MNIST experiments there, and so is the margin as the loss (after
Carlini and Wagner).
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import EPSILON, PERTURB_ALL, Attack, OnStep, Option, Pursuit
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import ARITHMETIC, ARITHMETICS, OBJECTIVES, climb, from_starts


@public
def pgd(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    epsilon: float = 0.3,
    step_size: float = 0.01,
    iterations: int = 40,
    loss: str = "ce",
    random_start: bool = True,
    restarts: int = 1,
    arithmetic: str = "exact",
    perturb_all: bool = False,
    generator: torch.Generator | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """x' <- clip(x' + step_size sign(grad J(x', y))) from x' random, or minus with J(x', t) if targeted.

    clip goes to |x' - x| <= epsilon and to [0, 1]. The start is drawn uniformly from the ball, then clipped to
    [0, 1]. A restart is for the images that no step has turned so far.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        epsilon: the largest change of a pixel, in [0, 1].
        step_size: a pixel's change in one step, in [0, 1].
        iterations: steps from one start, one gradient each; >= 1.
        loss: J: "ce", the cross-entropy, or "margin", max_{j != y} Z_j - Z_y.
        random_start: off, it starts from x, which is BIM.
        restarts: random starts at most; >= 1. Without a random start there is one start.
        arithmetic: "exact": along the gradient's exact direction. "float32": along softmax(Z) - onehot(y) as float32
            rounds it, as other libraries do; where 1 - p_y rounds to 0 it leaves out class y, and where all of it
            rounds to 0 there is no step.
        perturb_all: return the last x' for every image, whether it fools the model or not.
        generator: where the starts are drawn from; left out, one with seed 0.
        on_step: called after every step.

    Returns:
        Images (N, C, H, W) in [0, 1] with |x' - x| <= epsilon in float32: the last step's that fools the model.
        Unless perturb_all, images that fail, and those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    PGD.check_options(
        epsilon=epsilon,
        step_size=step_size,
        iterations=iterations,
        loss=loss,
        random_start=random_start,
        restarts=restarts,
        arithmetic=arithmetic,
        perturb_all=perturb_all,
    )
    pursuit = Pursuit(model, images, labels, targeted, on_step, perturb_all=perturb_all)

    def walk(rows: Tensor, start: Tensor, number: int, starts: int) -> tuple[Tensor, bool]:
        return climb(
            model,
            pursuit,
            targeted,
            epsilon=epsilon,
            step_size=step_size,
            iterations=iterations,
            start=start,
            judge_start=random_start,
            rows=rows,
            objective=ARITHMETICS[arithmetic] if loss == "ce" else OBJECTIVES[loss],
            done=number * iterations,
            total=starts * iterations,
        )

    from_starts(pursuit, images, epsilon, generator, restarts if random_start else None, walk)
    return pursuit.result()


PGD = Attack(
    id="pgd",
    name="PGD",
    norm="linf",
    kind="budget",
    access="gradients",
    targeted=True,
    options=(
        EPSILON,
        Option("step_size", float, 0.01, "A pixel's change in one step."),
        Option("iterations", int, 40, "Steps from one start, one gradient each.", low=1, high=100_000),
        Option("loss", str, "ce", "What is raised: cross-entropy, or margin in logits.", choices=tuple(OBJECTIVES)),
        Option("random_start", bool, True, "Start at a random point of the ball, not at the image."),
        Option("restarts", int, 1, "Random starts, at most.", low=1, high=1000, when=("random_start", True)),
        replace(ARITHMETIC, when=("loss", "ce")),
        PERTURB_ALL,
    ),
    source="Madry et al. 2018",
    cost=40,
    function=pgd,
    random=True,
)
