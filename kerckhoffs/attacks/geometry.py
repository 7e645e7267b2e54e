"""Sizes, directions and projections of perturbations (M, C, H, W), and how steps become shorter."""

import math

import torch
from torch import Tensor


def l2(delta: Tensor) -> Tensor:
    """The l2 norm of each perturbation, (M, C, H, W) to (M,)."""
    norm: Tensor = delta.flatten(1).norm(dim=1)
    return norm


def norms(delta: Tensor, p: float) -> Tensor:
    """The size of each perturbation (M, C, H, W), (M,) float; for p = 0 the number of its pixels."""
    if p == 0:
        return (delta != 0).any(1).flatten(1).sum(1).to(delta.dtype)
    size: Tensor = delta.flatten(1).norm(p=p, dim=1)
    return size


def unit(delta: Tensor) -> Tensor:
    """Each of (M, C, H, W) with l2 norm 1; zeros stay zeros, and tiny numbers do not vanish when squared."""
    tiny = torch.finfo(delta.dtype).tiny
    delta = delta / delta.abs().amax((1, 2, 3), keepdim=True).clamp_min(tiny)
    return delta / l2(delta).clamp_min(tiny)[:, None, None, None]


def project(delta: Tensor, radius: Tensor, p: float) -> Tensor:
    """The nearest to delta (M, C, H, W) in the ball of radius (M,) in the norm p: 0, 2 or infinity."""
    limit = radius[:, None, None, None]
    if p == torch.inf:
        return torch.minimum(torch.maximum(delta, -limit), limit)
    if p == 2:
        return delta * (limit / l2(delta).clamp_min(torch.finfo(delta.dtype).tiny)[:, None, None, None]).clamp_max(1)
    change = delta.norm(dim=1, keepdim=True)  # (M, 1, H, W)
    order = change.flatten(1).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1).view_as(change)  # 0 for the largest
    return torch.where(rank < limit, delta, 0)


def within(moved: Tensor, images: Tensor, epsilon: float) -> Tensor:
    """Bring the pixels that rounding took beyond epsilon back, by at most two float32 steps at 1."""
    beyond = (moved.double() - images.double()).abs() > epsilon
    limit = max(epsilon - 2 * torch.finfo(torch.float32).eps, 0.0)
    closer = torch.minimum(torch.maximum(moved, images - limit), images + limit)
    return torch.where(beyond, closer, moved)


def into_ball(moved: Tensor, images: Tensor, epsilon: float) -> Tensor:
    """The nearest images in [0, 1] with a change of at most epsilon, which holds to the last bit."""
    moved = torch.minimum(torch.maximum(moved, images - epsilon), images + epsilon).clamp(0, 1)
    return within(moved, images, epsilon)


def cosine(first: float, last: float, part: float) -> float:
    """From first, at part 0, to last, at part 1, along half a cosine."""
    return last + (first - last) * (1 + math.cos(math.pi * part)) / 2
