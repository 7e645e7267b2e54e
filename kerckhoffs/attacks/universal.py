"""Universal perturbation: one perturbation that fools a model on most images, also on those it was not made from.

Moosavi-Dezfooli, Fawzi, Fawzi and Frossard, "Universal adversarial perturbations" (2017), algorithm 1, with
DeepFool inside; the paper's [14]. Two things differ. DeepFool starts from x + v clipped to [0, 1], as the model
will see it: on MNIST this fooled 47 % of images that v had not seen, where steps without the box fooled 27 %. And
what the model misreads without v plays no part in the fit: it says nothing about v.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import EPSILON, PERTURB_ALL, Attack, OnStep, Option, Pursuit, check_inputs, check_training
from kerckhoffs.attacks.deepfool import deepfool
from kerckhoffs.attacks.geometry import into_ball
from kerckhoffs.attacks.logits import fooled, read
from kerckhoffs.attacks.public import public

WATCHED = 100  # images that are judged in about the time that DeepFool takes for one

OnFit = Callable[[int, int, Tensor], bool]
"""Called with the images done, those to do at most, and v (1, C, H, W); a true answer stops the fit."""


@public
def universal(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    epsilon: float = 0.3,
    fooling_rate: float = 0.8,
    passes: int = 10,
    max_iterations: int = 10,
    overshoot: float = 0.02,
    perturb_all: bool = False,
    training: tuple[Tensor, Tensor] | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """x' = clip(x + v), with one v for all the images, fitted on the training images; see `fit`.

    To fit once and apply often, call `fit`, and `apply` for each batch.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes.
        targeted: must be False; here because every attack has it.
        epsilon: the largest change of a pixel, in [0, 1].
        fooling_rate, passes, max_iterations, overshoot: as for `fit`.
        perturb_all: return x' for every image, whether it fools the model or not.
        training: the images (T, C, H, W) and labels (T,) that v is fitted on; left out, the images themselves.
        on_step: called after every training image. With many images, they are judged after every few of these.

    Returns:
        Images (N, C, H, W) in [0, 1] with |x' - x| <= epsilon in float32. Unless perturb_all, images that fail,
        and those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    of_fit: dict[str, Any] = dict(
        epsilon=epsilon,
        fooling_rate=fooling_rate,
        passes=passes,
        max_iterations=max_iterations,
        overshoot=overshoot,
    )
    UNIVERSAL.check_options(**of_fit, perturb_all=perturb_all)
    if targeted:
        raise ValueError("targeted must be False: a universal perturbation cannot aim at a class")
    seen, true = check_training(training, images) or (images, labels)
    pursuit = Pursuit(model, images, labels, False, on_step, perturb_all=perturb_all)
    if len(pursuit) == 0:
        return pursuit.result()

    def judge(v: Tensor) -> Tensor:
        moved = apply(pursuit.images, v, epsilon)
        success = fooled(read(model, moved), pursuit.labels, False) | perturb_all
        pursuit.best = torch.where(success[:, None, None, None], moved, pursuit.images)
        return moved

    moved, rare = pursuit.images, max(len(pursuit) // WATCHED, 1)

    def watch(done: int, total: int, v: Tensor) -> bool:
        nonlocal moved
        if done % rare == 0 or done % (total // passes) == 0:  # judging is not to cost more than the fit
            moved = judge(v)
        return pursuit.report(done, total, moved)

    v = fit(model, seen, true, **of_fit, on_fit=None if on_step is None else watch)
    if on_step is None:
        judge(v)
    return pursuit.result()


@public
def fit(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = 0.3,
    fooling_rate: float = 0.8,
    passes: int = 10,
    max_iterations: int = 10,
    overshoot: float = 0.02,
    on_fit: OnFit | None = None,
) -> Tensor:
    """v <- clip(v + DeepFool(x_i + v), -epsilon, epsilon) for each training image x_i that v does not fool yet.

    It goes through the images in their order, at most `passes` times, until v fools the wanted share of them.

    Args:
        model: images (T, C, H, W) to logits (T, K).
        images: float32 (T, C, H, W) in [0, 1].
        labels: int64 (T,), the true classes.
        epsilon: the largest change of a pixel, in [0, 1].
        fooling_rate: the share of the images to be fooled, 1 - delta in the publication, in [0, 1].
        passes: through the images, at most; >= 1.
        max_iterations, overshoot: DeepFool's (10 steps in the authors' code).
        on_fit: called after every image; true to stop.

    Returns:
        v, float32 (1, C, H, W), in [-epsilon, epsilon].

    Raises:
        ValueError: naming the argument that is wrong.
    """
    UNIVERSAL.check_options(
        epsilon=epsilon,
        fooling_rate=fooling_rate,
        passes=passes,
        max_iterations=max_iterations,
        overshoot=overshoot,
    )
    check_inputs(images, labels)
    right = ~fooled(read(model, images), labels, False)
    images, labels = images.detach()[right], labels[right]
    v = images.new_zeros(1, *images.shape[1:])
    total = passes * len(images)
    for number in range(passes):
        for i in range(len(images)):
            moved = apply(images[i : i + 1], v, epsilon)
            closer = deepfool(model, moved, labels[i : i + 1], overshoot=overshoot, max_iterations=max_iterations)
            v = (v + closer - moved).clamp(-epsilon, epsilon)  # as it was where v fools it, or DeepFool does not
            if on_fit is not None and on_fit(number * len(images) + i + 1, total, v):
                return v
        if len(images) == 0 or _rate(model, images, labels, v, epsilon) >= fooling_rate:
            break
    return v


def apply(images: Tensor, v: Tensor, epsilon: float) -> Tensor:
    """clip(x + v) to [0, 1], with |x' - x| <= epsilon to the last bit, (N, C, H, W)."""
    return into_ball(images + v, images, epsilon)


def _rate(model: nn.Module, images: Tensor, labels: Tensor, v: Tensor, epsilon: float) -> float:
    return float(fooled(read(model, apply(images, v, epsilon)), labels, False).float().mean())


UNIVERSAL = Attack(
    id="universal",
    name="Universal perturbation",
    norm="linf",
    kind="universal",
    access="gradients",
    targeted=False,
    options=(
        EPSILON,
        Option("fooling_rate", float, 0.8, "The share of the training images at which the fit ends."),
        Option("passes", int, 10, "Passes through the training images, at most.", low=1, high=1000),
        Option("max_iterations", int, 10, "DeepFool's steps for an image, at most.", low=1, high=10_000),
        Option("overshoot", float, 0.02, "By what share DeepFool goes beyond the boundary it aims at."),
        PERTURB_ALL,
    ),
    source="Moosavi-Dezfooli et al. 2017, algorithm 1; the paper's [14]",
    cost=100,
    function=universal,
    training=True,
)
