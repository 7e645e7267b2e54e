"""DDN: an l2 attack that decouples the direction of the perturbation from its norm.

Rony, Hafemann, Oliveira, Ben Ayed, Sabourin and Granger, "Decoupling direction and norm for efficient
gradient-based l2 adversarial attacks and defenses" (2019), algorithm 1. Three things differ. Nothing is rounded to
8 bits. The last iterate is judged too. And the direction is that of the log-odds instead of the cross-entropy: the
two are the same, as one is a function of the other, but the gradient of the log-odds does not vanish where a
prediction is confident.
"""

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import Attack, OnStep, Option, Pursuit
from kerckhoffs.attacks.geometry import cosine, l2, unit
from kerckhoffs.attacks.logits import fooled, look
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import ARITHMETIC, ARITHMETICS

FIRST_STEP, LAST_STEP = 1.0, 0.01  # the paper's alpha, and what it decays to


@public
def ddn(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    iterations: int = 100,
    initial_norm: float = 1.0,
    gamma: float = 0.05,
    arithmetic: str = "exact",
    on_step: OnStep | None = None,
) -> Tensor:
    """d <- d + alpha g / |g|, then x' = clip(x + e d / |d|) and d = x' - x; the norm e has a life of its own.

    g is the gradient at x' of the log-odds of success. e shrinks by the factor 1 - gamma where x' fools the model
    and grows by 1 + gamma where it does not, so that x' goes to and fro across the boundary, while alpha falls from
    1 to 0.01 along a cosine.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        iterations: steps, one gradient each and one at the start; >= 1 (the paper: 100, 300 and 1000).
        initial_norm: the first e, in l2; > 0.
        gamma: by what share e changes, in (0, 1).
        arithmetic: "exact": g as above. "float32": the cross-entropy's, softmax(Z) - onehot(y) as float32 rounds it, as
            in other libraries; where 1 - p_y rounds to 0 it leaves out class y, and where all of it rounds to 0 there
            is no step.
        on_step: called after every iteration.

    Returns:
        Images (N, C, H, W) in [0, 1]: the smallest successful perturbation that was met. Images that fail, and
        those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    DDN.check_options(iterations=iterations, initial_norm=initial_norm, gamma=gamma, arithmetic=arithmetic)
    objective = ARITHMETICS[arithmetic]
    pursuit = Pursuit(model, images, labels, targeted, on_step)
    if len(pursuit) == 0:
        return pursuit.result()
    x, labels = pursuit.images, pursuit.labels
    farthest = l2(torch.maximum(x, 1 - x))  # (M,) where the farthest corner of the box is
    norm = torch.full_like(farthest, initial_norm)
    delta = torch.zeros_like(x)
    success = torch.zeros_like(labels, dtype=torch.bool)
    _, gradient, _ = look(model, x, labels, targeted, objective)
    for step in range(iterations):
        delta = delta + cosine(FIRST_STEP, LAST_STEP, step / iterations) * unit(gradient)
        norm = torch.minimum(torch.where(success, norm * (1 - gamma), norm * (1 + gamma)), farthest)
        moved = (x + norm[:, None, None, None] * unit(delta)).clamp(0, 1)
        delta = moved - x
        _, gradient, logits = look(model, moved, labels, targeted, objective)
        success = fooled(logits, labels, targeted)
        pursuit.keep(moved, success, l2(delta))
        if pursuit.report(step + 1, iterations, moved):
            break
    return pursuit.result()


DDN = Attack(
    id="ddn",
    name="DDN",
    norm="l2",
    kind="minimal",
    access="gradients",
    targeted=True,
    options=(
        Option("iterations", int, 100, "Steps, one gradient each.", low=1, high=100_000),
        Option("initial_norm", float, 1.0, "The first l2 norm of the perturbation.", low=1e-6, high=1e3),
        Option("gamma", float, 0.05, "By what share the norm shrinks or grows in a step.", low=1e-4, high=0.9),
        ARITHMETIC,
    ),
    source="Rony et al. 2019, algorithm 1",
    cost=101,
    function=ddn,
)
