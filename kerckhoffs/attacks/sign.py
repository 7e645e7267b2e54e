"""What the linf attacks by the sign of the gradient share: what they climb, how they step, where they start.

The cross-entropy is J(x, y) = log(1 + exp(u)) with u = log sum_{j != y} exp(Z_j) - Z_y. It grows with u, so its
gradient is u's times a positive number, and the sign, the direction, and which of two values is the larger are the
same for both. The attacks climb u, whose gradient is there however confident the model is.

Other libraries climb J itself in float32 (`rounded`), along softmax(Z) - onehot(y). From a lead of about 17 logits on
p_y rounds to 1, and the label's part p_y - 1 to 0, while the p_j of the other classes are still there: the step leaves
out the label, and is weaker. From about 104 on these are 0 too, and there is no step. The option `arithmetic` chooses.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from kerckhoffs.attacks.base import Option, Pursuit, generator_for
from kerckhoffs.attacks.geometry import into_ball
from kerckhoffs.attacks.logits import Objective, fooled, look, margins


def cross_entropy(logits: Tensor, labels: Tensor, targeted: bool) -> Tensor:
    """u, which grows and falls with the cross-entropy; targeted -u. (R,) float64."""
    logits = logits.double()
    column = labels[:, None]
    own = logits.gather(1, column).squeeze(1)
    others = logits.scatter(1, column, -torch.inf).logsumexp(1)
    return own - others if targeted else others - own


def rounded(logits: Tensor, labels: Tensor, targeted: bool) -> Tensor:
    """J as float32 has it, with its gradient softmax(Z) - onehot(y); targeted -J. (R,) float32."""
    loss = functional.cross_entropy(logits, labels, reduction="none")
    return -loss if targeted else loss


def lead(logits: Tensor, labels: Tensor, targeted: bool) -> Tensor:
    """By how many logits the model is fooled, (R,) float64; negative where it is not."""
    return -margins(logits.double(), labels, targeted)


OBJECTIVES: dict[str, Objective] = {"ce": cross_entropy, "margin": lead}
ARITHMETICS: dict[str, Objective] = {"exact": cross_entropy, "float32": rounded}
"""The cross-entropy by the option `arithmetic`: as it is, or as it comes out in float32."""

ARITHMETIC = Option(
    "arithmetic",
    str,
    "exact",
    "How the cross-entropy's gradient is computed: exact keeps its direction; float32 rounds it as other libraries do, "
    "and is weaker where the model is confident.",
    choices=tuple(ARITHMETICS),
)


def random_point(pursuit: Pursuit, images: Tensor, epsilon: float, generator: torch.Generator) -> Tensor:
    """The open images, each moved to where the ball's uniform distribution and the box take it, (M, C, H, W).

    Noise is drawn for all the images, so an image's does not depend on which others the model misreads.
    """
    noise = torch.rand(images.shape, generator=generator, dtype=images.dtype, device=images.device)[pursuit.open]
    return into_ball(pursuit.images + epsilon * (2 * noise - 1), pursuit.images, epsilon)


def from_starts(
    pursuit: Pursuit,
    images: Tensor,
    epsilon: float,
    generator: torch.Generator | None,
    restarts: int | None,
    walk: Callable[[Tensor, Tensor, int, int], tuple[Tensor, bool]],
) -> None:
    """Walk from random points of the ball, each time with the images that no walk has turned so far.

    Args:
        restarts: random starts at most; None for one walk from the images themselves.
        walk: from rows (R,), their starts (R, C, H, W), the number of this start and of all, to which rows were
            turned, (R,) bool, and whether the caller stopped the attack.
    """
    generator = generator_for(images, generator)
    rows = torch.arange(len(pursuit), device=images.device)
    for number in range(restarts or 1):
        if len(rows) == 0:
            break
        start = random_point(pursuit, images, epsilon, generator) if restarts else pursuit.images
        found, stopped = walk(rows, start[rows], number, restarts or 1)
        if stopped:
            break
        rows = rows[~found]


def climb(
    model: nn.Module,
    pursuit: Pursuit,
    targeted: bool,
    *,
    epsilon: float,
    step_size: float,
    iterations: int,
    aims: Tensor | None = None,
    start: Tensor | None = None,
    judge_start: bool = False,
    rows: Tensor | None = None,
    objective: Objective = cross_entropy,
    direction: Callable[[Tensor], Tensor] = torch.sign,
    done: int = 0,
    total: int | None = None,
) -> tuple[Tensor, bool]:
    """x <- clip(x + step_size direction(grad objective)), `iterations` times, in the ball and the box.

    Every success is kept, and a later one takes the place of an earlier one.

    Args:
        targeted: what counts as a success.
        aims: (R,) classes to move towards; left out, towards or away from the labels, as `targeted` says.
        start: (R, C, H, W); left out, the clean images.
        judge_start: whether the start counts as an example too.
        rows: (R,) int64, which of the open images these are; left out, all of them.
        direction: from a gradient to the direction of a step of size 1, both (R, C, H, W).
        done, total: steps before these, and in all; left out, these are all.

    Returns:
        Which rows succeeded at a step, or at a judged start, (R,) bool, and whether the caller stopped the attack.
    """
    rows = torch.arange(len(pursuit), device=pursuit.open.device) if rows is None else rows
    images, labels = pursuit.images[rows], pursuit.labels[rows]
    towards = targeted or aims is not None
    aims = labels if aims is None else aims
    x = images if start is None else start
    found = torch.zeros_like(labels, dtype=torch.bool)
    for step in range(iterations + 1):
        last = step == iterations
        _, gradient, logits = look(model, x, aims, towards, objective, last=last)
        if step > 0 or judge_start:  # the logits that the next step needs anyhow judge the step before
            success = fooled(logits, labels, targeted)
            found |= success
            pursuit.keep(x, success, rows=rows)
        if step > 0 and pursuit.report(done + step, total or iterations, x, rows):
            return found, True
        if not last:
            x = into_ball(x + step_size * direction(gradient), images, epsilon)
    return found, False
