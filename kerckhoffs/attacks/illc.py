"""Iterative Least-Likely Class method (ILLC): small steps towards the class that the model finds least likely.

Kurakin, Goodfellow and Bengio, "Adversarial examples in the physical world" (2017), section 2.3; the paper's [11].
"""

from dataclasses import replace

from torch import Tensor, nn

from kerckhoffs.attacks.base import OnStep, Pursuit
from kerckhoffs.attacks.bim import BIM
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import ARITHMETICS, climb


@public
def illc(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    epsilon: float = 0.3,
    step_size: float = 0.01,
    iterations: int = 40,
    arithmetic: str = "exact",
    perturb_all: bool = False,
    on_step: OnStep | None = None,
) -> Tensor:
    """x' <- clip(x' - step_size sign(grad J(x', t))) from x' = x, with t = argmin_j Z_j(x), or the label if targeted.

    J is the cross-entropy, and clip goes to |x' - x| <= epsilon and to [0, 1]. Untargeted, any wrong class is a
    success, t or not. Targeted, this is BIM.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of the least likely class.
        epsilon: the largest change of a pixel, in [0, 1].
        step_size: a pixel's change in one step, in [0, 1]; the publication had 1/255.
        iterations: steps, one gradient each; >= 1.
        arithmetic: "exact": along the gradient's exact direction. "float32": along softmax(Z) - onehot(t) as float32
            rounds it, as other libraries do; where 1 - p_t rounds to 0 it leaves out class t, so the two part only
            where the model is already sure of t, and where all of it rounds to 0 there is no step.
        perturb_all: return the last x' for every image, whether it fools the model or not.
        on_step: called after every step.

    Returns:
        Images (N, C, H, W) in [0, 1] with |x' - x| <= epsilon in float32: the last step's that fools the model.
        Unless perturb_all, images that fail, and those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    ILLC.check_options(
        epsilon=epsilon, step_size=step_size, iterations=iterations, arithmetic=arithmetic, perturb_all=perturb_all
    )
    pursuit = Pursuit(model, images, labels, targeted, on_step, perturb_all=perturb_all)
    if len(pursuit):
        aims = pursuit.labels if targeted else pursuit.logits.argmin(1)
        climb(
            model,
            pursuit,
            targeted,
            aims=aims,
            epsilon=epsilon,
            step_size=step_size,
            iterations=iterations,
            objective=ARITHMETICS[arithmetic],
        )
    return pursuit.result()


ILLC = replace(
    BIM,
    id="illc",
    name="ILLC",
    function=illc,
    source="Kurakin, Goodfellow and Bengio 2017, section 2.3; the paper's [11]",
)
