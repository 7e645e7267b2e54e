"""One-step Target Class Method (OTCM): one step of size epsilon towards a class.

Kurakin, Goodfellow and Bengio, "Adversarial machine learning at scale" (2017), section 2, "one-step target class
methods"; the paper's [9].
"""

from dataclasses import replace

from torch import Tensor, nn

from kerckhoffs.attacks.base import OnStep, Pursuit
from kerckhoffs.attacks.fgsm import FGSM
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import ARITHMETICS, climb


@public
def otcm(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    epsilon: float = 0.3,
    arithmetic: str = "exact",
    perturb_all: bool = False,
    on_step: OnStep | None = None,
) -> Tensor:
    """x' = clip(x - epsilon sign(grad J(x, t))), with t = argmin_j Z_j(x), or the label if targeted.

    J is the cross-entropy. Untargeted, t is the class that the model finds least likely, and any wrong class is a
    success, t or not. Targeted, this is FGSM.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of the least likely class.
        epsilon: the largest change of a pixel, in [0, 1].
        arithmetic: "exact": along the gradient's exact direction. "float32": along softmax(Z) - onehot(t) as float32
            rounds it, as other libraries do; where 1 - p_t rounds to 0 it leaves out class t, so the two part only
            where the model is already sure of t, and where all of it rounds to 0 there is no step.
        perturb_all: return the formula's x' for every image, whether it fools the model or not.
        on_step: called once.

    Returns:
        Images (N, C, H, W) in [0, 1] with |x' - x| <= epsilon in float32. Unless perturb_all, images that fail,
        and those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    OTCM.check_options(epsilon=epsilon, arithmetic=arithmetic, perturb_all=perturb_all)
    pursuit = Pursuit(model, images, labels, targeted, on_step, perturb_all=perturb_all)
    if len(pursuit):
        aims = pursuit.labels if targeted else pursuit.logits.argmin(1)
        climb(
            model,
            pursuit,
            targeted,
            aims=aims,
            epsilon=epsilon,
            step_size=epsilon,
            iterations=1,
            objective=ARITHMETICS[arithmetic],
        )
    return pursuit.result()


OTCM = replace(
    FGSM,
    id="otcm",
    name="OTCM",
    function=otcm,
    source="Kurakin, Goodfellow and Bengio 2017, section 2; the paper's [9]",
)
