"""Fast Gradient Sign Method: one step of size epsilon along the sign of the gradient.

Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples" (2015), and equation (4) of the
paper. In float32's arithmetic the step is torchattacks' (test), which is not imported: with scipy.stats, half a second.
"""

from torch import Tensor, nn

from kerckhoffs.attacks.base import EPSILON, PERTURB_ALL, Attack, OnStep, Pursuit
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import ARITHMETIC, ARITHMETICS, climb


@public
def fgsm(
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
    """x' = clip(x + epsilon sign(grad J(x, y))), or minus with J(x, t) if targeted.

    J is the cross-entropy. Where the model is confident rounding spoils its gradient, in float32 and in float64; what
    is climbed has the same direction and is never flat: see sign.py. With arithmetic="float32" it is J as float32 has
    it, which is what torchattacks, foolbox and CleverHans step along.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        epsilon: the largest change of a pixel, in [0, 1]; the paper gives none, CleverHans' tutorial had 0.3.
        arithmetic: "exact": along the gradient's exact direction. "float32": along softmax(Z) - onehot(y) as float32
            rounds it, as other libraries do; where 1 - p_y rounds to 0 it leaves out class y, and where all of it
            rounds to 0 there is no step.
        perturb_all: return the formula's x' for every image, whether it fools the model or not. This is what
            the paper's Table 3 counts: an example that misses the model it was crafted on can fool another.
        on_step: called once.

    Returns:
        Images (N, C, H, W) in [0, 1] with |x' - x| <= epsilon in float32. Unless perturb_all, images that fail,
        and those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    FGSM.check_options(epsilon=epsilon, arithmetic=arithmetic, perturb_all=perturb_all)
    pursuit = Pursuit(model, images, labels, targeted, on_step, perturb_all=perturb_all)
    if len(pursuit):
        climb(
            model,
            pursuit,
            targeted,
            epsilon=epsilon,
            step_size=epsilon,
            iterations=1,
            objective=ARITHMETICS[arithmetic],
        )
    return pursuit.result()


FGSM = Attack(
    id="fgsm",
    name="FGSM",
    norm="linf",
    kind="budget",
    access="gradients",
    targeted=True,
    options=(EPSILON, ARITHMETIC, PERTURB_ALL),
    source="Goodfellow et al. 2015; the paper, equation (4); CleverHans' tutorial for epsilon",
    cost=1,
    function=fgsm,
)
