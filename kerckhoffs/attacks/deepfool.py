"""DeepFool: step after step to the nearest boundary of the model made linear.

Moosavi-Dezfooli, Fawzi and Frossard, "DeepFool: a simple and accurate method to fool deep neural networks" (2016),
algorithm 2 in l2; the paper's [13]. As in the authors' code every iterate that is judged has the overshoot, and every
step is longer by a hair, or it could end a rounding error before the boundary. Ours is that iterates are clipped to
[0, 1]. Nothing is shrunk afterwards: a search back to the boundary gained less than 0.5 % on MNIST.
"""

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import Attack, OnStep, Option, Pursuit
from kerckhoffs.attacks.geometry import l2
from kerckhoffs.attacks.logits import CHUNK, ask, fooled, gradient, read
from kerckhoffs.attacks.public import public

HAIR = 1e-4  # the authors' code has the same


@public
def deepfool(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    overshoot: float = 0.02,
    max_iterations: int = 50,
    on_step: OnStep | None = None,
) -> Tensor:
    """r <- r + (|f_k| / |w_k| + 0.0001) w_k / |w_k| and x' = clip(x + (1 + overshoot) r) until x' fools.

    f_k = Z_k - Z_y says how far class k trails at x', w_k is its gradient, and k is the class with the least
    |f_k| / |w_k|: the nearest if the model were linear. All classes but y are candidates.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes.
        targeted: must be False; here because every attack has it.
        overshoot: by what share a step goes beyond the boundary it aims at, >= 0.
        max_iterations: steps at most, K gradients each; >= 1.
        on_step: called after every iteration.

    Returns:
        Images (N, C, H, W) in [0, 1], each the first iterate that fooled. Images that fail, and those that the model
        misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    DEEPFOOL.check_options(overshoot=overshoot, max_iterations=max_iterations)
    if targeted:
        raise ValueError("targeted must be False: DeepFool cannot aim at a class")
    pursuit = Pursuit(model, images, labels, False, on_step)
    rows = torch.arange(len(pursuit), device=images.device)  # those that are not fooled yet
    x = pursuit.images
    r = torch.zeros_like(x)
    for step in range(max_iterations):
        if len(rows) == 0:
            break
        chunks = zip(x.split(CHUNK), pursuit.labels[rows].split(CHUNK), strict=True)
        r = r + torch.cat([_to_nearest(model, some, their) for some, their in chunks])
        x = (pursuit.images[rows] + (1 + overshoot) * r).clamp(0, 1)
        success = fooled(read(model, x), pursuit.labels[rows], False)
        pursuit.keep(x, success, l2(x - pursuit.images[rows]), rows)
        if pursuit.report(step + 1, max_iterations, x, rows):
            break
        x, r, rows = x[~success], r[~success], rows[~success]
    return pursuit.result()


def _to_nearest(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The step (R, C, H, W) from images to the nearest boundary of the model made linear; 0 where it is flat."""
    with torch.enable_grad():
        x = images.detach().requires_grad_(True)
        logits = ask(model, x)
        leads = (logits - logits.gather(1, labels[:, None])).unbind(1)  # f, K times (R,)
    size = images.new_full((len(images),), torch.inf)
    step = torch.zeros_like(images)
    for k, lead in enumerate(leads):
        w = gradient(lead, x, more=True)
        slope = l2(w)
        distance = torch.where((slope > 0) & (labels != k), lead.detach().abs() / slope, torch.inf)
        nearer = distance < size
        size = torch.where(nearer, distance, size)
        share = torch.where(nearer, (distance + HAIR) / slope, 0)[:, None, None, None]
        step = torch.where(nearer[:, None, None, None], share * w, step)
    return step


DEEPFOOL = Attack(
    id="deepfool",
    name="DeepFool",
    norm="l2",
    kind="minimal",
    access="gradients",
    targeted=False,
    options=(
        Option("overshoot", float, 0.02, "By what share a step goes beyond the boundary it aims at."),
        Option("max_iterations", int, 50, "Steps at most, with a gradient for each class.", low=1, high=10_000),
    ),
    source="Moosavi-Dezfooli et al. 2016, algorithm 2; the paper's [13]",
    cost=40,
    function=deepfool,
)
