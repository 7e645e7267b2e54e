"""Fast Gradient Sign Method: one step of size epsilon along the sign of the gradient.

Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples" (2015), and equation (4) of the
paper. The step itself is torchattacks'.
"""

from typing import Any

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import EPSILON, PERTURB_ALL, Attack, OnStep, Pursuit, fooled


def fgsm(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    epsilon: float = 0.3,
    perturb_all: bool = False,
    on_step: OnStep | None = None,
) -> Tensor:
    """x' = clip(x + epsilon sign(grad J(x, y))), or minus with J(x, t) if targeted.

    J is the cross-entropy. It is taken in float64: in float32 a confident prediction rounds to probability 1,
    its part of the gradient to 0, and the attack loses its direction.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        epsilon: the largest change of a pixel, in [0, 1]; the paper gives none, CleverHans' tutorial had 0.3.
        perturb_all: return the formula's x' for every image, whether it fools the model or not. This is what
            the paper's Table 3 counts: an example that misses the model it was crafted on can fool another.
        on_step: called once.

    Returns:
        Images (N, C, H, W) in [0, 1] with |x' - x| <= epsilon in float32. Unless perturb_all, images that fail,
        and those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    FGSM.check_options(epsilon=epsilon, perturb_all=perturb_all)
    pursuit = Pursuit(model, images, labels, targeted, on_step, perturb_all=perturb_all)
    if len(pursuit):
        moved = _step(model, pursuit.images, pursuit.labels, targeted, epsilon)
        with torch.no_grad():
            pursuit.keep(moved, fooled(model(moved), pursuit.labels, targeted))
        pursuit.report(1, 1, moved)
    return pursuit.result()


def _step(model: nn.Module, images: Tensor, labels: Tensor, targeted: bool, epsilon: float) -> Tensor:
    import torchattacks  # half a second: it imports scipy.stats

    with torch.enable_grad():
        attack = torchattacks.FGSM(Apart(model, images.device), eps=epsilon)
        if targeted:
            attack.targeted = True  # what set_mode_targeted_by_function does, which also prints
            attack._target_map_function = _same_labels
        moved: Tensor = attack(images, labels)
    return within(moved, images, epsilon)


def _same_labels(images: Tensor, labels: Tensor) -> Tensor:
    return labels


def within(moved: Tensor, images: Tensor, epsilon: float) -> Tensor:
    """Bring the pixels that rounding took beyond epsilon back, by at most two float32 steps at 1."""
    beyond = (moved - images).abs().double() > epsilon
    limit = max(epsilon - 2 * torch.finfo(torch.float32).eps, 0.0)
    closer = torch.minimum(torch.maximum(moved, images - limit), images + limit)
    return torch.where(beyond, closer, moved)


class Apart(nn.Module):
    """The model as torchattacks wants it: with a parameter, to tell the device, and with a mode it may switch.

    The model is not a submodule, so its own mode is left alone.
    """

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        super().__init__()
        self._model = (model,)
        self.device_mark = nn.Parameter(torch.empty(0, device=device), requires_grad=False)
        self.eval()

    def forward(self, images: Tensor) -> Any:
        """Logits (N, K) in float64."""
        return self._model[0](images).double()


FGSM = Attack(
    id="fgsm",
    name="FGSM",
    norm="linf",
    kind="budget",
    access="gradients",
    targeted=True,
    options=(EPSILON, PERTURB_ALL),
    source="Goodfellow et al. 2015; the paper, equation (4); CleverHans' tutorial for epsilon; torchattacks 3.3.0",
    cost=1,
    function=fgsm,
)
