"""MI-FGSM: steps along the sign of a running sum of the gradients, which do not swerve at every wiggle of the loss.

Dong, Liao, Pang, Su, Zhu, Hu and Li, "Boosting adversarial attacks with momentum" (2018), algorithm 1; the paper's
[8].
"""

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import EPSILON, PERTURB_ALL, Attack, OnStep, Option, Pursuit
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import ARITHMETIC, ARITHMETICS, climb


@public
def mi_fgsm(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    epsilon: float = 0.3,
    iterations: int = 10,
    decay: float = 1.0,
    arithmetic: str = "exact",
    perturb_all: bool = False,
    on_step: OnStep | None = None,
) -> Tensor:
    """g <- decay g + grad / |grad|_1 and x' <- clip(x' + (epsilon / iterations) sign(g)), from g = 0 and x' = x.

    grad is the gradient of the cross-entropy J(x', y), or of -J(x', t) if targeted; clip goes to
    |x' - x| <= epsilon and to [0, 1].

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        epsilon: the largest change of a pixel, in [0, 1].
        iterations: steps, one gradient each; >= 1.
        decay: mu, what is left of the sum from one step to the next, in [0, 2]; 0 is BIM.
        arithmetic: "exact": along the gradient's exact direction. "float32": along softmax(Z) - onehot(y) as float32
            rounds it, as other libraries do; where 1 - p_y rounds to 0 it leaves out class y, and where all of it
            rounds to 0 there is no step.
        perturb_all: return the last x' for every image, whether it fools the model or not.
        on_step: called after every step.

    Returns:
        Images (N, C, H, W) in [0, 1] with |x' - x| <= epsilon in float32: the last step's that fools the model.
        Unless perturb_all, images that fail, and those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    MI_FGSM.check_options(
        epsilon=epsilon, iterations=iterations, decay=decay, arithmetic=arithmetic, perturb_all=perturb_all
    )
    pursuit = Pursuit(model, images, labels, targeted, on_step, perturb_all=perturb_all)
    momentum = torch.zeros_like(pursuit.images)

    def direction(gradient: Tensor) -> Tensor:
        nonlocal momentum
        l1 = gradient.abs().sum((1, 2, 3), keepdim=True)
        momentum = decay * momentum + gradient / l1.where(l1 > 0, 1)  # a gradient of zeros adds nothing
        return momentum.sign()

    if len(pursuit):
        step_size = epsilon / iterations
        climb(
            model,
            pursuit,
            targeted,
            epsilon=epsilon,
            step_size=step_size,
            iterations=iterations,
            objective=ARITHMETICS[arithmetic],
            direction=direction,
        )
    return pursuit.result()


MI_FGSM = Attack(
    id="mi_fgsm",
    name="MI-FGSM",
    norm="linf",
    kind="budget",
    access="gradients",
    targeted=True,
    options=(
        EPSILON,
        Option("iterations", int, 10, "Steps of epsilon / iterations, one gradient each.", low=1, high=100_000),
        Option("decay", float, 1.0, "What is left of the sum of gradients after a step.", high=2.0),
        ARITHMETIC,
        PERTURB_ALL,
    ),
    source="Dong et al. 2018, algorithm 1; the paper's [8]",
    cost=10,
    function=mi_fgsm,
)
