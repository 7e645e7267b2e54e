"""FAB: steps between the image and the nearest point of the boundary, each class's boundary in turn.

Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary attack" (ICML 2020), algorithm
1 in linf, in the variant of their AutoAttack (FAB-T): instead of the gradients of all classes at every step, whole
walks to the most likely wrong classes, one after the other, each with one gradient a step. An attack that is told its
target has no true class to leave: its boundary is that between the target and the strongest other class.
"""

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import Attack, OnStep, Option, Pursuit
from kerckhoffs.attacks.geometry import norms
from kerckhoffs.attacks.logits import fooled, look, read
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import lead

LARGEST_BIAS = 0.1  # alpha_max: the image's share in a step, at most
OVERSHOOT = 1.05  # eta: how far beyond the boundary a projection goes
BACK = 0.9  # beta: what is left of a perturbation that fools, for the next step


@public
def fab(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    iterations: int = 100,
    classes: int = 9,
    on_step: OnStep | None = None,
) -> Tensor:
    """x' <- clip((1 - a) (x' + eta d(x')) + a (x + eta d(x))), d(z) the way from z to the boundary as it seems at x'.

    The model is made linear at x'. d(z) is the smallest step in linf from z, inside the box, to where the target class
    is level with the true one; a = min(|d(x')| / (|d(x')| + |d(x)|), 0.1) and eta = 1.05. An x' that fools
    is kept if it is the smallest so far, and x' <- x + 0.9 (x' - x). It starts from x' = x, for each target anew.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of at the most likely wrong classes.
        iterations: steps to each target, one gradient each; >= 1.
        classes: how many wrong classes, the most likely first; >= 1. Targeted it counts nothing.
        on_step: called after every step.

    Returns:
        Images (N, C, H, W) in [0, 1], the smallest that fooled. Images that fail, and those that the model misreads
        from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    FAB.check_options(iterations=iterations, classes=classes)
    pursuit = Pursuit(model, images, labels, targeted, on_step)
    targets = pursuit.labels[:, None] if targeted else likeliest(pursuit, classes)  # (M, T)
    total = iterations * targets.shape[1]
    for number, target in enumerate(targets.unbind(1) if len(pursuit) else ()):
        objective, aims = (lead, target) if targeted else (_ahead, pursuit.logits.shape[1] * target + pursuit.labels)
        x = pursuit.images
        for step in range(1, iterations + 1):
            ahead, slope, _ = look(model, x, aims, True, objective)
            x = _onward(pursuit.images, x, slope, -ahead)
            success = fooled(read(model, x), pursuit.labels, targeted)
            delta = x - pursuit.images
            pursuit.keep(x, success, norms(delta, torch.inf))
            if pursuit.report(number * iterations + step, total, x):
                return pursuit.result()
            x = torch.where(success[:, None, None, None], pursuit.images + BACK * delta, x)
    return pursuit.result()


def likeliest(pursuit: Pursuit, classes: int) -> Tensor:
    """The wrong classes of the open images that the model gives most, the first first, (M, min(classes, K - 1))."""
    wrong = pursuit.logits.scatter(1, pursuit.labels[:, None], -torch.inf)
    return wrong.argsort(stable=True, dim=1, descending=True)[:, : min(classes, wrong.shape[1] - 1)]


def _ahead(logits: Tensor, pairs: Tensor, targeted: bool) -> Tensor:
    """By how many logits the target leads the label, (R,) float64; pairs (R,) are K target + label."""
    classes = torch.stack([pairs // logits.shape[1], pairs % logits.shape[1]], 1)
    target, label = logits.double().gather(1, classes).unbind(1)
    return target - label


def _onward(images: Tensor, x: Tensor, slope: Tensor, behind: Tensor) -> Tensor:
    """The next x' (M, C, H, W), from the slope at x' and by how much the target trails there, (M,)."""
    to_image = (slope.double() * (images - x)).flatten(1).sum(1)
    here = to_hyperplane(x, slope, behind)
    there = to_hyperplane(images, slope, behind - to_image)
    near, far = norms(here, torch.inf).clamp_min(1e-8), norms(there, torch.inf).clamp_min(1e-8)
    bias = (near / (near + far)).clamp_max(LARGEST_BIAS)[:, None, None, None]
    return ((1 - bias) * (x + OVERSHOOT * here) + bias * (images + OVERSHOOT * there)).clamp(0, 1)


def to_hyperplane(x: Tensor, slope: Tensor, rise: Tensor) -> Tensor:
    """The smallest d in linf with slope . d = rise and x + d in [0, 1]; where the box is too small, as far as it goes.

    Every pixel moves by the same radius, or to its wall if that is nearer; the rise grows with the radius along
    straight lines that bend where a pixel arrives at its wall.

    Args:
        x: (M, C, H, W) in [0, 1].
        slope: (M, C, H, W).
        rise: (M,), of either sign.
    """
    w, z = slope.double().flatten(1), x.double().flatten(1)
    direction = w.sign() * torch.where(rise < 0, -1, 1)[:, None]
    room = torch.where(direction > 0, 1 - z, z)
    walls, order = room.sort(1)
    weight = w.abs().gather(1, order)
    moving = weight.flip(1).cumsum(1).flip(1)  # of the pixels that are not yet at their walls, up to each wall
    stopped = (weight * walls).cumsum(1) - weight * walls  # what those at their walls have given
    at_wall = stopped + moving * walls  # the rise at the radius of each wall
    wanted = rise.double().abs()[:, None]
    first = (at_wall < wanted).sum(1, keepdim=True)  # the first wall beyond the radius
    index = first.clamp_max(w.shape[1] - 1)
    radius = (wanted - stopped.gather(1, index)) / moving.gather(1, index).clamp_min(torch.finfo(w.dtype).tiny)
    radius = torch.where(first < w.shape[1], radius, 1.0)  # beyond all walls
    return (direction * torch.minimum(room, radius)).to(x.dtype).view_as(x)


FAB = Attack(
    id="fab",
    name="FAB",
    norm="linf",
    kind="minimal",
    access="gradients",
    targeted=True,
    options=(
        Option("iterations", int, 100, "Steps to each class's boundary, one gradient each.", low=1, high=100_000),
        Option("classes", int, 9, "Wrong classes that are tried in turn, if no target is given.", low=1, high=1000),
    ),
    source="Croce and Hein 2020, algorithm 1, as AutoAttack's FAB-T",
    cost=900,
    function=fab,
)
