"""Basic Iterative Method (BIM): small steps along the sign of the gradient, clipped to a ball around the image.

Kurakin, Goodfellow and Bengio, "Adversarial examples in the physical world" (2017), section 2.2; the paper's [11].
"""

from torch import Tensor, nn

from kerckhoffs.attacks.base import EPSILON, PERTURB_ALL, Attack, OnStep, Option, Pursuit
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import ARITHMETIC, ARITHMETICS, climb


@public
def bim(
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
    """x' <- clip(x' + step_size sign(grad J(x', y))) from x' = x, or minus with J(x', t) if targeted.

    J is the cross-entropy, and clip goes to |x' - x| <= epsilon and to [0, 1].

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        epsilon: the largest change of a pixel, in [0, 1].
        step_size: a pixel's change in one step, in [0, 1]; the publication had 1/255.
        iterations: steps, one gradient each; >= 1.
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
    BIM.check_options(
        epsilon=epsilon, step_size=step_size, iterations=iterations, arithmetic=arithmetic, perturb_all=perturb_all
    )
    pursuit = Pursuit(model, images, labels, targeted, on_step, perturb_all=perturb_all)
    if len(pursuit):
        climb(
            model,
            pursuit,
            targeted,
            epsilon=epsilon,
            step_size=step_size,
            iterations=iterations,
            objective=ARITHMETICS[arithmetic],
        )
    return pursuit.result()


BIM = Attack(
    id="bim",
    name="BIM",
    norm="linf",
    kind="budget",
    access="gradients",
    targeted=True,
    options=(
        EPSILON,
        Option("step_size", float, 0.01, "A pixel's change in one step."),
        Option("iterations", int, 40, "Steps, one gradient each.", low=1, high=100_000),
        ARITHMETIC,
        PERTURB_ALL,
    ),
    source="Kurakin, Goodfellow and Bengio 2017, section 2.2; the paper's [11]",
    cost=40,
    function=bim,
)
