"""Low-frequency PGD: the same climb along gradients whose high frequencies are taken out.

Guo, Frank and Weinberger, "Low frequency adversarial perturbation" (UAI 2019), section 4, in the ball of PGD (Madry et
al. 2018). A defence that keys the high frequencies of an image and leaves the low ones as they are (Taran et al., CVPR
2019) passes such a perturbation on unchanged, whatever its keys.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import EPSILON, PERTURB_ALL, Attack, OnStep, Option, Pursuit
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import climb


@public
def low_frequency(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    epsilon: float = 0.3,
    step_size: float = 0.05,
    iterations: int = 40,
    band: float = 0.5,
    perturb_all: bool = False,
    on_step: OnStep | None = None,
) -> Tensor:
    """x' <- clip(x' + step_size L g / max |L g|) from x' = x, g = grad J(x', y), or minus with J(x', t) if targeted.

    J is the cross-entropy. L keeps the lowest `band` of the frequencies of the cosine transform (DCT-II) along each
    side, and nothing else. clip goes to |x' - x| <= epsilon and to [0, 1]; what it cuts off brings some higher
    frequencies back where the image is black or white.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        epsilon: the largest change of a pixel, in [0, 1].
        step_size: the largest change of a pixel in one step, in [0, 1].
        iterations: steps, one gradient each; >= 1.
        band: share of the frequencies along each side, rounded up to whole ones, in (0, 1]; 0.5 is the quarter of the
            plane that KDA leaves alone.
        perturb_all: return the last x' for every image, whether it fools the model or not.
        on_step: called after every step.

    Returns:
        Images (N, C, H, W) in [0, 1] with |x' - x| <= epsilon in float32: the last step's that fools the model.
        Unless perturb_all, images that fail, and those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    LOW_FREQUENCY.check_options(
        epsilon=epsilon, step_size=step_size, iterations=iterations, band=band, perturb_all=perturb_all
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
            direction=_low_passed(images, band),
        )
    return pursuit.result()


def _low_passed(images: Tensor, band: float) -> Callable[[Tensor], Tensor]:
    """From gradients (R, C, H, W) to their low frequencies, the largest value of each image 1; zeros stay zeros."""
    rows, columns = (_projector(side, band).to(images) for side in images.shape[2:])

    def direction(gradient: Tensor) -> Tensor:
        largest = gradient.abs().amax((1, 2, 3), keepdim=True).clamp_min(torch.finfo(gradient.dtype).tiny)
        low = rows @ (gradient / largest) @ columns
        return low / low.abs().amax((1, 2, 3), keepdim=True).clamp_min(torch.finfo(low.dtype).tiny)

    return direction


def _projector(side: int, band: float) -> Tensor:
    """The matrix (side, side) that keeps the lowest frequencies of a vector: symmetric, and its own square."""
    from scipy.fft import dct  # only here: other attacks do without

    kept = dct(np.eye(side), axis=0, norm="ortho")[: max(1, int(np.ceil(band * side)))]
    return torch.from_numpy(kept.T @ kept)


LOW_FREQUENCY = Attack(
    id="low_frequency",
    name="Low-frequency PGD",
    norm="linf",
    kind="budget",
    access="gradients",
    targeted=True,
    options=(
        EPSILON,
        Option("step_size", float, 0.05, "The largest change of a pixel in one step."),
        Option("iterations", int, 40, "Steps, one gradient each.", low=1, high=100_000),
        Option("band", float, 0.5, "Share of the frequencies along each side that may change.", low=0.01),
        PERTURB_ALL,
    ),
    source="Guo, Frank and Weinberger 2019, section 4",
    cost=40,
    function=low_frequency,
)
