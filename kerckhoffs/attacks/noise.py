"""Noise of the same size: what any perturbation does, whoever made it. The measure of an attack is what it does beyond.

Fawzi, Moosavi-Dezfooli and Frossard, "Robustness of classifiers: from adversarial to random noise" (2016), compare the
two. The noise depends on nothing but the image's place in the batch and the generator; with several tries the model's
labels only choose among them.
"""

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import EPSILON, PERTURB_ALL, Attack, OnStep, Option, Pursuit, generator_for
from kerckhoffs.attacks.geometry import into_ball
from kerckhoffs.attacks.public import public


@public
def noise(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    epsilon: float = 0.3,
    distribution: str = "sign",
    tries: int = 1,
    perturb_all: bool = False,
    generator: torch.Generator | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """x' = clip(x + epsilon r) with r drawn for each pixel, up to `tries` times, until x' fools.

    Args:
        model: images (N, C, H, W) to logits (N, K); only whether x' fools is asked.
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: whether the model must say `labels` for a success, or anything else.
        epsilon: the largest change of a pixel, in [0, 1].
        distribution: of r: "sign", -1 or 1 with equal probability, as large as a pixel's change may be; "uniform" in
            [-1, 1].
        tries: draws at most; >= 1. The first one that fools is kept.
        perturb_all: return the last draw where none fools the model.
        generator: where the noise is drawn from; left out, one with seed 0.
        on_step: called after every draw; its steps are queries, summed over the open images.

    Returns:
        Images (N, C, H, W) in [0, 1] with |x' - x| <= epsilon in float32. Unless perturb_all, images that fail,
        and those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    NOISE.check_options(epsilon=epsilon, distribution=distribution, tries=tries, perturb_all=perturb_all)
    pursuit = Pursuit(model, images, labels, targeted, on_step, perturb_all=perturb_all)
    generator = generator_for(images, generator)
    oracle = pursuit.oracle("labels", None)
    rows = torch.arange(len(pursuit), device=images.device)  # not fooled yet
    for _ in range(tries):
        if len(rows) == 0:
            break
        # Drawn for all the images: an image's noise does not depend on which others the model misreads.
        r = 2 * torch.rand(images.shape, generator=generator, dtype=images.dtype, device=images.device) - 1
        if distribution == "sign":
            r = torch.where(r < 0, -torch.ones_like(r), 1)
        clean = pursuit.images[rows]
        x = into_ball(clean + epsilon * r[pursuit.open[rows]], clean, epsilon)
        success = oracle.fooled(x, rows, pursuit.labels[rows], targeted)
        pursuit.keep(x, success, rows=rows)
        if pursuit.report(int(oracle.queries.sum()), (1 + tries) * len(pursuit), x, rows):
            break
        rows = rows[~success]
    return pursuit.result()


NOISE = Attack(
    id="noise",
    name="Noise",
    norm="linf",
    kind="budget",
    access="nothing",
    targeted=True,
    options=(
        EPSILON,
        Option(
            "distribution",
            str,
            "sign",
            "Of a pixel's change: one of the two largest, or uniform between them.",
            choices=("sign", "uniform"),
        ),
        Option("tries", int, 1, "Draws at most; the first one that fools is kept.", low=1, high=100_000),
        PERTURB_ALL,
    ),
    source="Fawzi, Moosavi-Dezfooli and Frossard 2016, section 2, in linf",
    cost=1,
    function=noise,
    random=True,
)
