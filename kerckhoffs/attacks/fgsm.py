"""Fast Gradient Sign Method: one step of size epsilon along the sign of the gradient.

Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples" (2015), and equation (4) of the
paper. In float32's arithmetic the step is torchattacks' (test), which is not imported: with scipy.stats, half a second.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from kerckhoffs.attacks.base import EPSILON, PERTURB_ALL, Attack, OnStep, Pursuit
from kerckhoffs.attacks.geometry import within
from kerckhoffs.attacks.logits import CHUNK, NAN_GRADIENT, NO_GRADIENT, ask, fooled, look, read
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import ARITHMETIC, rounded


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
    is climbed has the same direction and is never flat: see `_apart`. With arithmetic="float32" it is J as float32 has
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
        chunks = zip(pursuit.images.split(CHUNK), pursuit.labels.split(CHUNK), strict=True)
        moved = torch.cat([_step(model, some, their, targeted, epsilon, arithmetic) for some, their in chunks])
        pursuit.keep(moved, fooled(read(model, moved), pursuit.labels, targeted))
        pursuit.report(1, 1, moved)
    return pursuit.result()


def _step(model: nn.Module, images: Tensor, labels: Tensor, targeted: bool, epsilon: float, arithmetic: str) -> Tensor:
    if arithmetic == "float32":
        _, gradient, _ = look(model, images, labels, targeted, rounded)
    else:
        with torch.enable_grad():
            changed = images.detach().clone().requires_grad_(True)
            loss = cross_entropy(_apart(model, changed, labels), labels)
            (gradient,) = torch.autograd.grad(-loss if targeted else loss, changed)
    return within((images + epsilon * gradient.sign()).clamp(0, 1), images, epsilon)


def _apart(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Logits (R, K) in float64 whose cross-entropy is never flat: 0 of the label, Z_j - Z_y - u of the others.

    With u = log sum_{j != y} exp(Z_j) - Z_y (sign.py), J = log(1 + exp(u)) has u's gradient times
    1 / (1 + exp(-u)), which rounds to 0 for a confident model. Here the logits are shifted by u's value, so that this
    factor is 1/2 wherever it stands.

    Args:
        images: (R, C, H, W), which the gradient is taken by.
        labels: y, (R,).

    Raises:
        ValueError: as `logits.ask` does, or if the model gives no gradient; with NaN in it, on the way back.
    """
    logits = ask(model, images).double()
    if not logits.requires_grad:
        raise ValueError(NO_GRADIENT)
    images.register_hook(_numbers)
    column = labels[:, None]
    behind = logits - logits.gather(1, column)
    u = behind.detach().scatter(1, column, -torch.inf).logsumexp(1, keepdim=True)
    return (behind - u).scatter(1, column, 0)


def _numbers(gradient: Tensor) -> None:
    if bool(gradient.isnan().any()):
        raise ValueError(NAN_GRADIENT)


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
