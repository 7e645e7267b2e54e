"""What is asked of a model beside its verdicts, for the flags: has it a gradient here, does it say the same twice.

Asked of the model itself, after the attack, so that it counts in none of the attack's figures.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from kerckhoffs.attacks.logits import MASKED, ask
from kerckhoffs.checks.arithmetic import in_float32
from kerckhoffs.evaluation.judge import JUDGED_AT_ONCE

TINY = 1e-19
"""A gradient below it has next to no length: float32 has no more whole digits for its square."""


@in_float32()
def gradient_sizes(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """max |dJ/dx|, J the cross-entropy of the labels as float32 has it, at each image: (N,).

    NaN where the model gives no gradient: it detaches, leaves torch, refuses, or its gradient is NaN.

    Args:
        model: images to logits.
        images: float32 (N, C, H, W) in [0, 1]; labels: int64 (N,).
    """
    sizes = []
    for some, classes in zip(images.split(JUDGED_AT_ONCE), labels.split(JUDGED_AT_ONCE), strict=True):
        x = some.detach().clone().requires_grad_()
        slope = _slope(model, x, classes.clone())  # a tensor made under inference mode is none for a backward
        sizes.append(x.new_full((len(x),), torch.nan) if slope is None else slope.abs().flatten(1).amax(1))
    return torch.cat(sizes)


def _slope(model: nn.Module, x: Tensor, labels: Tensor) -> Tensor | None:
    """dJ/dx (N, C, H, W); None if the model gives none."""
    try:
        logits = ask(model, x)
    except RuntimeError:  # what torch raises where a model leaves it, or forbids gradients
        return None
    loss = functional.cross_entropy(logits, labels, reduction="sum")
    if not loss.requires_grad:
        return None
    try:
        (slope,) = torch.autograd.grad(loss, x, allow_unused=True)
    except RuntimeError:  # the model wrote over what its gradient needs
        return None
    return slope


@in_float32()
def call_differences(model: nn.Module, images: Tensor) -> Tensor:
    """max_j |Z_j - Z'_j| / max_j |Z_j|, Z and Z' the logits of each image in two calls of the same images: (N,).

    0 for a model that repeats itself. Classes that a model hides (MASKED) count for nothing.

    Args:
        model: images to logits.
        images: float32 (N, C, H, W) in [0, 1].
    """
    found = []
    with torch.no_grad():
        for some in images.split(JUDGED_AT_ONCE):
            first, second = ask(model, some), ask(model, some)
            shown = first > first.amax(1, keepdim=True) - MASKED
            largest = first.abs().where(shown, 0).amax(1).clamp(min=torch.finfo(torch.float32).tiny)
            found.append((first - second).abs().where(shown, 0).amax(1) / largest)
    return torch.cat(found)
