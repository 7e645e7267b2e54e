"""The fast solver of CW's l2 and linf problems: walks along the decision boundary, from several first steps.

FMN (Pintor et al. 2021, algorithm 1; fmn.py) with five changes that were measured on training images:

- The first step is twice the size of the perturbation (but at most that many units of l2), and another share of it
  in every further start: the long steps find nearer parts of the boundary, the short ones end closer to it. All
  starts go in one batch, and the best example of each image counts.
- The ball grows and shrinks to where the margin's slope puts the boundary along the perturbation, plus a little,
  and by at most the share gamma; FMN always takes all of gamma.
- In linf some starts step along the root of the gradient's entries, half way from the gradient itself, the steepest
  descent in l2, to its sign, that in linf: they end in other places.
- Pixels that stand at a wall of the box and are pushed against it count as flat: they take no part of the step.
- Images go in chunks that fit the caches.
"""

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import CHUNK, Pursuit
from kerckhoffs.attacks.cw import margin_slope
from kerckhoffs.attacks.ddn import cosine, unit
from kerckhoffs.attacks.fmn import BEYOND, norms, project

FIRST_STEPS = {2: (2.0, 1.0, 3.0, 0.5), torch.inf: (2.0, 2.0, 3.0, 3.0)}
"""For each norm the first step of each start, as a share of the perturbation."""
POWERS = (1.0, 0.5, 0.5, 1.0)
"""For each start in linf, to which power the gradient's entries are raised, with their signs kept."""
LONGEST = 1.0  # of what a first step is a share of, in l2
LAST_STEP = 0.01  # the last step of all starts, as such a share too
GAMMA, LAST_GAMMA = 0.05, 0.005  # the ball changes by at most this share
INSIDE = 0.05  # of gamma: how far beyond the boundary the ball should end


def walk(
    model: nn.Module,
    pursuit: Pursuit,
    targeted: bool,
    p: float,
    *,
    confidence: float,
    iterations: int,
    starts: int,
) -> None:
    """Keep the smallest successful perturbation of each open image in the norm p, 2 or infinity.

    Args:
        confidence: by how many logits the wrong class must lead.
        iterations: gradients for each start; >= 2.
        starts: how many of the norm's FIRST_STEPS.
    """
    batches = chunks(pursuit, starts)
    for number, rows in enumerate(batches):
        x, labels = pursuit.images[rows].repeat(starts, 1, 1, 1), pursuit.labels[rows].repeat(starts)
        first = x.new_tensor(FIRST_STEPS[p][:starts]).repeat_interleave(len(rows))
        powers = x.new_tensor(POWERS[:starts]).repeat_interleave(len(rows))[:, None, None, None]
        farthest = norms(torch.maximum(x, 1 - x), p)  # (S R,) of the box
        delta, smallest = torch.zeros_like(x), torch.full_like(farthest, torch.inf)
        for step in range(iterations):
            part = step / (iterations - 1)
            trial = (x + delta).clamp(0, 1)
            margin, gradient, success = margin_slope(model, trial, labels, targeted, confidence)
            size = norms(delta, p)
            smallest = torch.where(success, torch.minimum(smallest, size), smallest)
            pursuit.keep_smallest(trial, success, size, rows)
            if pursuit.report(number * iterations + step + 1, len(batches) * iterations, trial[: len(rows)], rows):
                return
            gradient = gradient.masked_fill(((trial <= 0) & (gradient > 0)) | ((trial >= 1) & (gradient < 0)), 0)
            radius = torch.minimum(_radius(delta, margin, gradient, success, size, smallest, p, part), farthest)
            ball = radius if p == 2 else project(torch.maximum(x, 1 - x), radius, p).flatten(1).norm(dim=1)
            alpha = (LAST_STEP + (first - LAST_STEP) * cosine(1.0, 0.0, part)) * ball.clamp_max(LONGEST)
            direction = gradient if p == 2 else gradient.sign() * gradient.abs() ** powers
            stepped = (trial - alpha[:, None, None, None] * unit(direction)).clamp(0, 1)
            delta = project(stepped - x, radius, p)


def chunks(pursuit: Pursuit, starts: int) -> tuple[Tensor, ...]:
    """The numbers of the open images in parts, (R,) each, of which all starts fit into one forward."""
    everyone = torch.arange(len(pursuit), device=pursuit.open.device)
    return everyone.split(max(CHUNK // starts, 1)) if len(everyone) else ()


def _radius(
    delta: Tensor,
    margin: Tensor,
    gradient: Tensor,
    success: Tensor,
    size: Tensor,
    smallest: Tensor,
    p: float,
    part: float,
) -> Tensor:
    """The next size of the ball, (M,)."""
    dual = norms(gradient, 2 if p == 2 else 1).clamp_min(torch.finfo(gradient.dtype).tiny)
    ahead = (size + margin.abs() / dual) * (1 + BEYOND * part**2)  # the boundary, until a first success
    if p == 2:  # by how much the margin falls when the perturbation grows by 1
        outward = -(gradient * delta).flatten(1).sum(1) / size.clamp_min(1e-9)
    else:
        at_ball = delta.abs() >= 0.999 * size[:, None, None, None]
        outward = -(gradient * delta.sign() * at_ball).flatten(1).sum(1)
    most = cosine(GAMMA, LAST_GAMMA, part) * size
    change = margin / torch.maximum(outward, 0.1 * dual) + INSIDE * most
    radius = size + torch.minimum(torch.maximum(change, -most), most)
    radius = torch.where(success, torch.minimum(radius, smallest), radius)
    return torch.where(smallest < torch.inf, radius, ahead)
