"""VMI-FGSM: MI-FGSM whose gradients are tuned by what the gradients nearby have said, so that they carry over further.

Wang and He, "Enhancing the transferability of adversarial attacks through variance tuning" (CVPR 2021), algorithm 1.
The gradients of one image at several points are summed, and there the cross-entropy J weighs them by 1 - p_y: a point
where the model is less sure counts for more. With the exact arithmetic these weights are kept however small they are.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from kerckhoffs.attacks.base import EPSILON, PERTURB_ALL, Attack, OnStep, Option, Pursuit, generator_for
from kerckhoffs.attacks.geometry import into_ball
from kerckhoffs.attacks.logits import fooled, look
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import ARITHMETIC, ARITHMETICS

LARGEST = 600.0  # of a weight's logarithm: its exponential, and sums of a hundred thousand such, fit into float64


@public
def vmi_fgsm(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    epsilon: float = 0.3,
    iterations: int = 10,
    decay: float = 1.0,
    samples: int = 20,
    bound: float = 1.5,
    arithmetic: str = "exact",
    perturb_all: bool = False,
    generator: torch.Generator | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """g <- decay g + (grad + v) / |grad + v|_1 and x' <- clip(x' + (epsilon / iterations) sign(g)), from g = v = 0.

    grad is the gradient of the cross-entropy J(x', y), or of -J(x', t) if targeted, and v the last step's variance:
    (1 / samples) sum_i grad J(x' + r_i, y) - grad J(x', y), r_i uniform in [-bound epsilon, bound epsilon] for each
    pixel. clip goes to |x' - x| <= epsilon and to [0, 1]; the neighbours x' + r_i, as in the authors' code, are not
    clipped.

    Args:
        model: images (N, C, H, W) to logits (N, K); it is shown the neighbours too, which may leave [0, 1].
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        epsilon: the largest change of a pixel, in [0, 1].
        iterations: steps; >= 1. Each takes a gradient, and all but the last one `samples` more.
        decay: mu, what is left of the sum from one step to the next, in [0, 2].
        samples: N, the neighbours at each step; 0 is MI-FGSM.
        bound: beta, how far away they are, in epsilon, in [0, 10].
        arithmetic: "exact": along the gradients' exact directions, with the weights that J gives them. "float32":
            along softmax(Z) - onehot(y) as float32 rounds it, as other libraries do; where 1 - p_y rounds to 0 it
            leaves out class y, and where all of it rounds to 0 there is no step.
        perturb_all: return the last x' for every image, whether it fools the model or not.
        generator: where the neighbours are drawn from; left out, one with seed 0.
        on_step: called after every step.

    Returns:
        Images (N, C, H, W) in [0, 1] with |x' - x| <= epsilon in float32: the last step's that fools the model.
        Unless perturb_all, images that fail, and those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    VMI_FGSM.check_options(
        epsilon=epsilon,
        iterations=iterations,
        decay=decay,
        samples=samples,
        bound=bound,
        arithmetic=arithmetic,
        perturb_all=perturb_all,
    )
    pursuit = Pursuit(model, images, labels, targeted, on_step, perturb_all=perturb_all)
    generator = generator_for(images, generator)
    if not len(pursuit):
        return pursuit.result()
    objective = ARITHMETICS[arithmetic]

    def slopes(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The objective (M,), its gradient (M, C, H, W) and the logits (M, K)."""
        return look(model, x, pursuit.labels, targeted, objective)

    def of_cross_entropy(value: Tensor, slope: Tensor) -> Tensor:
        """J's gradient, but for one factor for each image, (M, C, H, W) float64."""
        if arithmetic == "float32":
            return slope.double()
        weight = _log_weight(value, targeted) - unit
        return slope.double() * weight.clamp(-LARGEST, LARGEST).exp()[:, None, None, None]

    x = pursuit.images
    value, slope, logits = slopes(x)
    unit = _log_weight(value, targeted)
    gradient = of_cross_entropy(value, slope)
    momentum = variance = torch.zeros_like(gradient)
    for step in range(1, iterations + 1):
        tuned = gradient + variance
        l1 = tuned.abs().sum((1, 2, 3), keepdim=True)
        momentum = decay * momentum + tuned / l1.where(l1 > 0, 1)  # a gradient of zeros adds nothing
        last = step == iterations
        if not last and samples:
            total = torch.zeros_like(gradient)
            for _ in range(samples):
                # Drawn for all the images: an image's neighbours do not depend on which others the model misreads.
                noise = torch.rand(images.shape, generator=generator, dtype=x.dtype, device=x.device)[pursuit.open]
                total += of_cross_entropy(*slopes(x + bound * epsilon * (2 * noise - 1))[:2])
            variance = total / samples - gradient
        x = into_ball(x + epsilon / iterations * momentum.sign().to(x.dtype), pursuit.images, epsilon)
        value, slope, logits = look(model, x, pursuit.labels, targeted, objective, last=last)
        gradient = of_cross_entropy(value, slope)
        pursuit.keep(x, fooled(logits, pursuit.labels, targeted))
        if pursuit.report(step, iterations, x):
            break
    return pursuit.result()


def _log_weight(value: Tensor, targeted: bool) -> Tensor:
    """log dJ/du from u, or from -u if targeted, (M,): J = log(1 + exp(u)), so it is log(1 - p_y)."""
    return functional.logsigmoid(-value if targeted else value)


VMI_FGSM = Attack(
    id="vmi_fgsm",
    name="VMI-FGSM",
    norm="linf",
    kind="budget",
    access="gradients",
    targeted=True,
    options=(
        EPSILON,
        Option("iterations", int, 10, "Steps of epsilon / iterations.", low=1, high=100_000),
        Option("decay", float, 1.0, "What is left of the sum of gradients after a step.", high=2.0),
        Option("samples", int, 20, "Neighbours whose gradients tune a step's, one gradient each.", high=1000),
        Option("bound", float, 1.5, "How far away the neighbours are, in epsilon.", high=10.0),
        ARITHMETIC,
        PERTURB_ALL,
    ),
    source="Wang and He 2021, algorithm 1",
    cost=190,
    function=vmi_fgsm,
    random=True,
)
