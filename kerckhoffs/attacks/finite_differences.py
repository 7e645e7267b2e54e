"""Finite differences: the whole gradient from scores, one or two queries for each value of an image.

Bhagoji, He, Li and Song, "Practical black-box attacks on deep neural networks using efficient query mechanisms" (ECCV
2018), section 3.1: equation (3) and the losses of sections 3.1.1 and 3.1.2. No key, permutation or other transform that
stands before a network hides its gradient from this: d + 1 queries give it in the image's own coordinates. Two things
differ. The cross-entropy is estimated as its logit u (sign.py), which is not flat where the model is confident. And no
query leaves the box: at its walls a difference is taken over the part of the step that lies inside.
"""

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import EPSILON, PERTURB_ALL, Attack, OnStep, Option, Pursuit
from kerckhoffs.attacks.geometry import into_ball
from kerckhoffs.attacks.logits import CHUNK
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import OBJECTIVES


@public
def finite_differences(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    epsilon: float = 0.3,
    iterations: int = 10,
    delta: float = 0.01,
    sided: str = "one",
    loss: str = "ce",
    perturb_all: bool = False,
    on_step: OnStep | None = None,
) -> Tensor:
    """g_i = (L(x' + delta e_i) - L(x')) / delta for every value i, then x' <- clip(x' + epsilon / iterations sign(g)).

    clip goes to |x' - x| <= epsilon and to [0, 1]; one iteration is FGSM. An image that fools is done.

    Args:
        model: images (N, C, H, W) to logits (N, K); only its log-probabilities are read.
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        epsilon: the largest change of a pixel, in [0, 1].
        iterations: steps; >= 1.
        delta: how far a value is moved to see what it does, in [1e-5, 1]. With less than the default the differences
            drown in float32's rounding where the model is adversarially trained, with more the loss bends: of 1e-4,
            1e-3, 0.01 and 0.1 it was the best on the worst of three networks, a few images each.
        sided: "one": C H W + 1 queries a step, the last step's judgement among them. "two":
            g_i = (L(x' + delta e_i) - L(x' - delta e_i)) / (2 delta), 2 C H W + 1.
        loss: L: "ce", the cross-entropy, or "margin", max_{j != y} Z_j - Z_y, here of log-probabilities.
        perturb_all: return the last x' where none fools the model.
        on_step: called after every round of queries; its steps are queries, summed over the open images.

    Returns:
        Images (N, C, H, W) in [0, 1] with |x' - x| <= epsilon in float32: the first step's that fools the model.
        Unless perturb_all, images that fail, and those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    FINITE_DIFFERENCES.check_options(
        epsilon=epsilon, iterations=iterations, delta=delta, sided=sided, loss=loss, perturb_all=perturb_all
    )
    pursuit = Pursuit(model, images, labels, targeted, on_step, perturb_all=perturb_all)
    oracle = pursuit.oracle("scores", None)
    rows = torch.arange(len(pursuit), device=images.device)  # not fooled yet
    sides = {"one": 1, "two": 2}[sided]
    values = images[0].numel()
    total = len(pursuit) * (1 + iterations * (1 + sides * values))
    x = pursuit.images
    level = OBJECTIVES[loss](pursuit.logits, pursuit.labels, targeted)  # L(x'), (R,)

    def report(trial: Tensor) -> bool:
        return pursuit.report(int(oracle.queries.sum()), total, trial, rows)

    for _ in range(iterations):
        if len(rows) == 0:
            break
        slopes = []
        for which in torch.arange(values, device=x.device).split(max(CHUNK // len(rows), 1)):
            up, down = _moved(x, which, delta, sides)  # (R P, C, H, W), each image with each of P values moved
            every, aims = rows.repeat_interleave(len(which)), pursuit.labels[rows].repeat_interleave(len(which))
            high = OBJECTIVES[loss](oracle.scores(up, every), aims, targeted)
            if sides == 2:
                low = OBJECTIVES[loss](oracle.scores(down, every), aims, targeted)
            else:
                low = level.repeat_interleave(len(which))
            apart = (up - down).double().flatten(1).sum(1)
            slopes.append(((high - low) / apart).view(len(rows), -1))
            if report(x):
                return pursuit.result()
        step = torch.cat(slopes, 1).sign().to(x.dtype).view_as(x)
        x = into_ball(x + epsilon / iterations * step, pursuit.images[rows], epsilon)
        scores, success = oracle.judged_scores(x, rows, pursuit.labels[rows], targeted)
        pursuit.keep(x, success, rows=rows)
        if report(x):
            break
        level = OBJECTIVES[loss](scores, pursuit.labels[rows], targeted)[~success]
        x, rows = x[~success], rows[~success]
    return pursuit.result()


def _moved(x: Tensor, which: Tensor, delta: float, sides: int) -> tuple[Tensor, Tensor]:
    """The ends of the differences of the values `which` (P,) of images x (R, C, H, W), (R P, C, H, W) each.

    One-sided, the one end is the image, and the other delta away to where the box has room.
    """
    below = x.repeat_interleave(len(which), 0)
    above = below.clone()
    image = torch.arange(len(below), device=x.device)
    value = which.repeat(len(x))
    here = below.flatten(1)[image, value]
    if sides == 2:
        below.flatten(1)[image, value] = (here - delta).clamp_min(0)
        above.flatten(1)[image, value] = (here + delta).clamp_max(1)
    else:
        above.flatten(1)[image, value] = torch.where(here + delta <= 1, here + delta, (here - delta).clamp_min(0))
    return above, below


FINITE_DIFFERENCES = Attack(
    id="finite_differences",
    name="Finite differences",
    norm="linf",
    kind="budget",
    access="scores",
    targeted=True,
    options=(
        EPSILON,
        Option("iterations", int, 10, "Steps of epsilon / iterations, a whole gradient each.", low=1, high=100_000),
        Option("delta", float, 0.01, "How far a value is moved to see what it does.", low=1e-5),
        Option(
            "sided", str, "one", "Whether it is moved one way, or both for twice the queries.", choices=("one", "two")
        ),
        Option("loss", str, "ce", "What is raised: cross-entropy, or margin.", choices=tuple(OBJECTIVES)),
        PERTURB_ALL,
    ),
    source="Bhagoji et al. 2018, section 3.1",
    cost=7851,
    function=finite_differences,
)
