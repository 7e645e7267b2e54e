"""RAND-FGSM: a random step, then FGSM with what is left of the budget.

Tramer, Kurakin, Papernot, Goodfellow, Boneh and McDaniel, "Ensemble adversarial training: attacks and defenses"
(2018), section 4.1; the paper's [10]. The random step's size is given here as a share of epsilon, so that it fits
every epsilon; the publication's choice on ImageNet, epsilon / 2, is the default.
"""

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import EPSILON, PERTURB_ALL, Attack, OnStep, Option, Pursuit, generator_for
from kerckhoffs.attacks.geometry import into_ball
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import ARITHMETIC, ARITHMETICS, climb


@public
def rand_fgsm(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    epsilon: float = 0.3,
    random_share: float = 0.5,
    arithmetic: str = "exact",
    perturb_all: bool = False,
    generator: torch.Generator | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """x' = x~ + (epsilon - alpha) sign(grad J(x~, y)) with x~ = x + alpha sign(N(0, I)), both clipped to [0, 1].

    J is the cross-entropy and alpha = random_share epsilon. Targeted, it is minus with J(x~, t).

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        epsilon: the largest change of a pixel, in [0, 1].
        random_share: the random step's share of epsilon, in [0, 1]; 0 is FGSM, 1 is noise.
        arithmetic: "exact": along the gradient's exact direction. "float32": along softmax(Z) - onehot(y) as float32
            rounds it, as other libraries do; where 1 - p_y rounds to 0 it leaves out class y, and where all of it
            rounds to 0 there is no step.
        perturb_all: return the formula's x' for every image, whether it fools the model or not.
        generator: where the random step is drawn from; left out, one with seed 0.
        on_step: called once.

    Returns:
        Images (N, C, H, W) in [0, 1] with |x' - x| <= epsilon in float32. Unless perturb_all, images that fail,
        and those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    RAND_FGSM.check_options(epsilon=epsilon, random_share=random_share, arithmetic=arithmetic, perturb_all=perturb_all)
    pursuit = Pursuit(model, images, labels, targeted, on_step, perturb_all=perturb_all)
    if len(pursuit):
        alpha = random_share * epsilon
        generator = generator_for(images, generator)
        # Drawn for all the images: an image's noise does not depend on which others the model misreads.
        noise = torch.randn(images.shape, generator=generator, dtype=images.dtype, device=images.device)[pursuit.open]
        start = into_ball(pursuit.images + alpha * noise.sign(), pursuit.images, epsilon)
        climb(
            model,
            pursuit,
            targeted,
            start=start,
            epsilon=epsilon,
            step_size=epsilon - alpha,
            iterations=1,
            objective=ARITHMETICS[arithmetic],
        )
    return pursuit.result()


RAND_FGSM = Attack(
    id="rand_fgsm",
    name="RAND-FGSM",
    norm="linf",
    kind="budget",
    access="gradients",
    targeted=True,
    options=(
        EPSILON,
        Option("random_share", float, 0.5, "The random step's share of epsilon."),
        ARITHMETIC,
        PERTURB_ALL,
    ),
    source="Tramer et al. 2018, section 4.1; the paper's [10]",
    cost=1,
    function=rand_fgsm,
    random=True,
)
