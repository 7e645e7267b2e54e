"""The fast solver of CW's l2 and linf problems: walks along the decision boundary, from several first steps.

FMN (Pintor et al. 2021, algorithm 1; fmn.py) with six changes that were measured on training images:

- The first step is up to four times the size of the perturbation, and another share of it in every start: the long
  steps find nearer parts of the boundary, the short ones end closer to it. All starts go in one batch.
- In l2 all starts are short, and the best example of each image goes on alone, with long steps again. In linf the
  starts go all the way.
- The ball grows and shrinks to where the margin's slope puts the boundary along the perturbation, plus a little,
  and by at most the share gamma; FMN always takes all of gamma.
- In linf some starts step along the root of the gradient's entries, half way from the gradient itself, the steepest
  descent in l2, to its sign, that in linf: they end in other places.
- Pixels that stand at a wall of the box and are pushed against it count as flat: they take no part of the step.
- Images go in chunks that fit the caches; where torch has several threads, in smaller ones side by side (threads.py).
"""

import math
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import Pursuit
from kerckhoffs.attacks.cw import margin_slope
from kerckhoffs.attacks.fmn import BEYOND
from kerckhoffs.attacks.geometry import cosine, norms, project, unit
from kerckhoffs.attacks.logits import CHUNK
from kerckhoffs.attacks.threads import available, side_by_side


@dataclass(frozen=True)
class Phase:
    """A part of the walks, in which their steps and gamma fall along half a cosine.

    Each walk begins at the best example of its image, or at the image as long as there is none.

    Args:
        share: of the iterations that it takes.
        steps: for each walk the first step, as a share of the perturbation, but in l2 of at most LONGEST.
        gamma: by what share the ball changes at most, at first and in the end.
        powers: for each walk to which power the gradient's entries are raised, with their signs kept; none: to 1.
    """

    share: float
    steps: tuple[float, ...]
    gamma: tuple[float, float]
    powers: tuple[float, ...] = ()


PHASES = {
    2: (Phase(1 / 3, (2.0, 0.75, 4.0, 1.25), (0.25, 0.01)), Phase(2 / 3, (0.8,), (0.02, 0.0065))),
    torch.inf: (Phase(1.0, (2.0, 2.0, 3.0, 3.0), (0.05, 0.005), powers=(1.0, 0.5, 0.5, 1.0)),),
}
"""What the walks in a norm do; where the numbers come from: benchmarks/README.md, for l2 under "Phases"."""
LONGEST = 1.0  # of what a step is a share of, in l2
LAST_STEP = 0.01  # the last step of a phase, as such a share too
INSIDE = 0.05  # of gamma: how far beyond the boundary the ball should end
TOGETHER = 10  # images at most that go in one chunk, of several side by side


@dataclass(frozen=True)
class Look:
    """What a step of the walks of some images wants to know of the model: margins and slopes.

    Args:
        rows: (R,) int64, which of the open images.
        trial: (S R, C, H, W), what the first walk of each tries, then the second, ...
        labels: (S R,).
    """

    rows: Tensor
    trial: Tensor
    labels: Tensor


Answer = tuple[Tensor, Tensor, Tensor]  # of margin_slope


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
        iterations: steps of all phases together, with a gradient for each walk; >= 2.
        starts: how many of the walks of a phase, at most.
    """
    threads = available(model, pursuit.images)
    batches = chunks(pursuit, starts) if threads == 1 else even_chunks(pursuit)
    done, total = 0, len(batches) * sum(length for _, length in lengths(p, iterations))

    def answer(look: Look) -> Answer:
        return margin_slope(model, look.trial, look.labels, targeted, confidence)

    walks = [_walks(pursuit, rows, p, iterations, starts) for rows in batches]
    with closing(side_by_side(walks, answer, threads)) as looks:
        for look in looks:
            done += 1
            if pursuit.report(done, total, look.trial[: len(look.rows)], look.rows):
                return


def lengths(p: float, iterations: int) -> list[tuple[Phase, int]]:
    """The phases of the walks in the norm p, with how many of the iterations each takes."""
    return [(phase, max(round(phase.share * iterations), 1)) for phase in PHASES[p]]


def gradients(p: float, iterations: int, starts: int) -> int:
    """How many gradients an image takes in the norm p."""
    return sum(length * len(phase.steps[:starts]) for phase, length in lengths(p, iterations))


def _walks(pursuit: Pursuit, rows: Tensor, p: float, iterations: int, starts: int) -> Generator[Look, Answer, None]:
    """All phases of the open images `rows` (R,)."""
    for phase, length in lengths(p, iterations):
        yield from _steps(pursuit, rows, p, phase, length, starts)


def _steps(
    pursuit: Pursuit, rows: Tensor, p: float, phase: Phase, length: int, starts: int
) -> Generator[Look, Answer, None]:
    """One phase of the open images `rows` (R,)."""
    images, steps = pursuit.images[rows], phase.steps[:starts]
    begin = images, pursuit.best[rows] - images, pursuit.size[rows], pursuit.labels[rows]
    x, delta, smallest, labels = (torch.cat([each] * len(steps)) for each in begin)  # (S R, ...)
    first = images.new_tensor(steps).repeat_interleave(len(rows))
    power = None
    if phase.powers:
        power = images.new_tensor(phase.powers[:starts]).repeat_interleave(len(rows))[:, None, None, None]
    box = torch.maximum(x, 1 - x)
    farthest = norms(box, p)
    for step in range(length):
        part = step / max(length - 1, 1)
        trial = (x + delta).clamp(0, 1)
        margin, gradient, success = yield Look(rows, trial, labels)
        size = norms(delta, p)
        smallest = torch.where(success, torch.minimum(smallest, size), smallest)
        pursuit.keep_smallest(trial, success, size, rows)
        gradient = gradient.masked_fill(((trial <= 0) & (gradient > 0)) | ((trial >= 1) & (gradient < 0)), 0)
        most = cosine(*phase.gamma, part) * size
        radius = torch.minimum(_radius(delta, margin, gradient, success, size, smallest, most, p, part), farthest)
        ball = radius if p == 2 else norms(project(box, radius, p), 2)
        alpha = (LAST_STEP + (first - LAST_STEP) * cosine(1.0, 0.0, part)) * ball.clamp_max(LONGEST)
        direction = gradient if power is None else gradient.sign() * gradient.abs() ** power
        stepped = (trial - alpha[:, None, None, None] * unit(direction)).clamp(0, 1)
        delta = project(stepped - x, radius, p)


def chunks(pursuit: Pursuit, starts: int) -> tuple[Tensor, ...]:
    """The numbers of the open images in parts, (R,) each, of which all starts fit into one forward."""
    everyone = torch.arange(len(pursuit), device=pursuit.open.device)
    return everyone.split(max(CHUNK // starts, 1)) if len(everyone) else ()


def even_chunks(pursuit: Pursuit) -> tuple[Tensor, ...]:
    """The numbers of the open images in equal parts of at most TOGETHER, (R,) each, whatever the number of threads."""
    everyone = torch.arange(len(pursuit), device=pursuit.open.device)
    return everyone.tensor_split(math.ceil(len(everyone) / TOGETHER)) if len(everyone) else ()


def _radius(
    delta: Tensor,
    margin: Tensor,
    gradient: Tensor,
    success: Tensor,
    size: Tensor,
    smallest: Tensor,
    most: Tensor,
    p: float,
    part: float,
) -> Tensor:
    """The next size of the ball, (M,), which changes by `most`, (M,), at most once there is a success."""
    dual = norms(gradient, 2 if p == 2 else 1).clamp_min(torch.finfo(gradient.dtype).tiny)
    ahead = (size + margin.abs() / dual) * (1 + BEYOND * part**2)  # the boundary, until a first success
    if p == 2:  # by how much the margin falls when the perturbation grows by 1
        outward = -(gradient * delta).flatten(1).sum(1) / size.clamp_min(1e-9)
    else:
        at_ball = delta.abs() >= 0.999 * size[:, None, None, None]
        outward = -(gradient * delta.sign() * at_ball).flatten(1).sum(1)
    change = margin / torch.maximum(outward, 0.1 * dual) + INSIDE * most
    radius = size + torch.minimum(torch.maximum(change, -most), most)
    radius = torch.where(success, torch.minimum(radius, smallest), radius)
    return torch.where(smallest < torch.inf, radius, ahead)
