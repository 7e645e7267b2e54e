"""Auto-PGD (APGD): projected gradient ascent with momentum that finds its step size by itself.

Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks"
(2020), algorithm 1, conditions 1 and 2, and equations (6) and (7) for the DLR loss. Two things differ. What is
returned is the success with the highest loss, not the last one. And the targeted DLR loss has the strongest of the
classes other than the target in place of the true class: the aim here is that the model says the target.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import EPSILON, PERTURB_ALL, Attack, OnStep, Option, Pursuit
from kerckhoffs.attacks.geometry import into_ball
from kerckhoffs.attacks.logits import Objective, fooled, look
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import ARITHMETIC, ARITHMETICS, cross_entropy, from_starts, lead

MOMENTUM = 0.75  # alpha of the paper: the new step's weight, the last step has the rest
RISES = 0.75  # rho: the share of steps that must raise the loss for the step size to stay


@public
def apgd(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    epsilon: float = 0.3,
    iterations: int = 100,
    loss: str = "ce",
    random_start: bool = True,
    restarts: int = 1,
    arithmetic: str = "exact",
    perturb_all: bool = False,
    generator: torch.Generator | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """z = clip(x' + eta sign(grad L(x'))), x' <- clip(x' + 0.75 (z - x') + 0.25 (x' - x'_before)), from x' random.

    clip goes to |x' - x| <= epsilon and to [0, 1]. eta starts at 2 epsilon. At each checkpoint it is halved, and x'
    goes back to where the loss was highest, for the images whose loss rose in less than 3/4 of the steps since the
    last one, or whose highest loss and eta both stayed as they were. A restart is for the images that no step has
    turned so far.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        epsilon: the largest change of a pixel, in [0, 1].
        iterations: steps from one start, one gradient each; >= 1.
        loss: L: "ce", the cross-entropy, or "dlr", the difference of logits ratio
            (max_{j != y} Z_j - Z_y) / (Z_1st - Z_3rd), with sorted logits; it needs 3 classes. Targeted it is
            (Z_t - max_{j != t} Z_j) / (Z_1st - (Z_3rd + Z_4th) / 2), which needs 4.
        random_start: off, it starts from x.
        restarts: random starts at most; >= 1. Without a random start there is one start.
        arithmetic: of "ce": "exact": L is never flat, and grows with the cross-entropy. "float32": the cross-entropy as
            float32 rounds it, as the authors' code has it; where 1 - p_y rounds to 0 its gradient leaves out class y,
            and where all of it rounds to 0 no step changes anything. "dlr" is the authors' remedy for this.
        perturb_all: where nothing fools the model, return the x' with the highest loss.
        generator: where the starts are drawn from; left out, one with seed 0.
        on_step: called after every step.

    Returns:
        Images (N, C, H, W) in [0, 1] with |x' - x| <= epsilon in float32: of those that fool the model, the one with
        the highest loss. Unless perturb_all, images that fail, and those that the model misreads from the start,
        come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong, or "dlr" for a model with too few classes.
    """
    APGD.check_options(
        epsilon=epsilon,
        iterations=iterations,
        loss=loss,
        random_start=random_start,
        restarts=restarts,
        arithmetic=arithmetic,
        perturb_all=perturb_all,
    )
    pursuit = Pursuit(model, images, labels, targeted, on_step, perturb_all=perturb_all)
    classes, needed = pursuit.logits.shape[1], 4 if targeted else 3
    if loss == "dlr" and classes < needed:
        aim = "targeted" if targeted else "untargeted"
        raise ValueError(f"loss 'dlr', {aim}, needs {needed} classes, but the model has {classes}; use loss 'ce'")

    objective = ARITHMETICS[arithmetic] if loss == "ce" else OBJECTIVES[loss]

    def walk(rows: Tensor, start: Tensor, number: int, starts: int) -> tuple[Tensor, bool]:
        return ascend(model, pursuit, rows, start, targeted, epsilon, iterations, objective, number, starts)

    from_starts(pursuit, images, epsilon, generator, restarts if random_start else None, walk)
    return pursuit.result()


def ascend(
    model: nn.Module,
    pursuit: Pursuit,
    rows: Tensor,
    start: Tensor,
    targeted: bool,
    epsilon: float,
    iterations: int,
    objective: Objective,
    number: int,
    starts: int,
    aims: Tensor | None = None,
) -> tuple[Tensor, bool]:
    """Algorithm 1 from one start.

    Args:
        rows: (R,) int64, which of the open images these are.
        start: (R, C, H, W).
        targeted: what counts as a success.
        number, starts: of this start, and of all.
        aims: (R,) classes to move towards; left out, towards or away from the labels, as `targeted` says.

    Returns:
        Which rows were turned, (R,) bool, and whether the caller stopped the attack.
    """
    images, labels = pursuit.images[rows], pursuit.labels[rows]
    towards = targeted or aims is not None
    aims = labels if aims is None else aims
    x = before = start
    loss, gradient, logits = look(model, x, aims, towards, objective)
    found = fooled(logits, labels, targeted)
    pursuit.keep(x, found, _rank(loss, found).to(x.dtype), rows)
    top, top_loss, top_gradient = x, loss, gradient  # where the loss was highest
    eta = images.new_full((len(rows), 1, 1, 1), 2 * epsilon)
    rises = torch.zeros_like(labels)  # steps since the last checkpoint that raised the loss
    checked, checked_loss, halved = 0, loss, torch.zeros_like(labels, dtype=torch.bool)
    at = set(checkpoints(iterations))
    for step in range(1, iterations + 1):
        z = into_ball(x + eta * gradient.sign(), images, epsilon)
        weight = MOMENTUM if step > 1 else 1.0
        x, before = into_ball(x + weight * (z - x) + (1 - weight) * (x - before), images, epsilon), x
        last_loss = loss
        loss, gradient, logits = look(model, x, aims, towards, objective, last=step == iterations)
        success = fooled(logits, labels, targeted)
        found |= success
        pursuit.keep(x, success, _rank(loss, success).to(x.dtype), rows)
        if pursuit.report(number * iterations + step, starts * iterations, x, rows):
            return found, True
        rises += loss > last_loss
        higher = loss > top_loss
        top, top_gradient = _where(higher, x, top), _where(higher, gradient, top_gradient)
        top_loss = torch.where(higher, loss, top_loss)
        if step in at:
            stuck = ~halved & (top_loss <= checked_loss)
            halved = (rises < RISES * (step - checked)) | stuck
            eta = _where(halved, eta / 2, eta)
            x, gradient = _where(halved, top, x), _where(halved, top_gradient, gradient)
            loss = torch.where(halved, top_loss, loss)
            checked, checked_loss, rises = step, top_loss, torch.zeros_like(rises)
    return found, False


def checkpoints(iterations: int) -> list[int]:
    """The steps after which the step size is looked at: ceil(p_j iterations), p growing by 0.22, 0.19, ... 0.06."""
    steps, p, growth = [], 22, 22  # in hundredths
    while p <= 100:
        steps.append(-(-p * iterations // 100))
        growth = max(growth - 3, 6)
        p += growth
    return steps


def difference_of_logits_ratio(logits: Tensor, labels: Tensor, targeted: bool) -> Tensor:
    """The DLR loss, (R,) float64; its scale is that of the logits' differences, so no confidence hides its slope."""
    first, _, third, *fourth = logits.double().topk(4 if targeted else 3, 1).values.unbind(1)
    low = (third + fourth[0]) / 2 if targeted else third
    return lead(logits, labels, targeted) / (first - low).clamp_min(1e-12)


def _rank(loss: Tensor, success: Tensor) -> Tensor:
    """What is best, smallest first, (R,): successes in (-3, -1), failures in (-1, 1), each by falling loss."""
    return -loss / (1 + loss.abs()) - 2 * success


def _where(rows: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Images of `one` in the rows (R,) bool, else of `other`."""
    return torch.where(rows[:, None, None, None], one, other)


OBJECTIVES: dict[str, Objective] = {"ce": cross_entropy, "dlr": difference_of_logits_ratio}

APGD = Attack(
    id="apgd",
    name="APGD",
    norm="linf",
    kind="budget",
    access="gradients",
    targeted=True,
    options=(
        EPSILON,
        Option("iterations", int, 100, "Steps from one start, one gradient each.", low=1, high=100_000),
        Option(
            "loss", str, "ce", "What is raised: cross-entropy, or a ratio of logits' leads.", choices=tuple(OBJECTIVES)
        ),
        Option("random_start", bool, True, "Start at a random point of the ball, not at the image."),
        Option("restarts", int, 1, "Random starts, at most.", low=1, high=1000, when=("random_start", True)),
        replace(ARITHMETIC, when=("loss", "ce")),
        PERTURB_ALL,
    ),
    source="Croce and Hein 2020, algorithm 1, equations (6) and (7)",
    cost=101,
    function=apgd,
    random=True,
)
