"""Square Attack: random squares of one colour step, kept where they help. Sees scores only.

Andriushchenko, Croce, Flammarion and Hein, "Square Attack: a query-efficient black-box adversarial attack via random
search" (2020), Algorithms 1 and 2, linf. One deviation: a square that would change nothing takes the opposite signs,
where the authors' code draws again.
"""

import math

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import (
    EPSILON,
    MAX_BAD_QUERIES,
    PERTURB_ALL,
    Attack,
    OnStep,
    Option,
    Pursuit,
    generator_for,
)
from kerckhoffs.attacks.geometry import within
from kerckhoffs.attacks.logits import margins
from kerckhoffs.attacks.public import public

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10 000 steps: where the share p is halved


@public
def square(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    epsilon: float = 0.3,
    max_queries: int = 5000,
    max_bad_queries: int = 0,
    p_init: float = 0.8,
    perturb_all: bool = False,
    generator: torch.Generator | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """Start from vertical stripes of +-epsilon; then set a random square of the image to x +- epsilon, keep it if
    the loss falls, and go on until the model is fooled or the queries are spent.

    The loss is the margin Z_y - max_{j != y} Z_j, or the cross-entropy with the target. The squares cover a share p
    of the image, which begins at p_init and is halved on the paper's schedule, stretched to max_queries.

    Args:
        model: images (N, C, H, W) to logits (N, K); only its log-probabilities are read.
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        epsilon: the largest change of a pixel, in [0, 1].
        max_queries: images shown to the model for each image, the clean one included; >= 1.
        max_bad_queries: how many of these may leave the model unfooled; 0 for any number. All but the last do.
        p_init: the first squares' share of the image, in [0, 1].
        perturb_all: return the image of the lowest loss for every image, whether it fools the model or not.
        generator: where the stripes and squares are drawn from; left out, one with seed 0.
        on_step: called after every round of queries; its steps are queries, summed over the open images.

    Returns:
        Images (N, C, H, W) in [0, 1] with |x' - x| <= epsilon in float32. Unless perturb_all, images that fail,
        and those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    SQUARE.check_options(
        epsilon=epsilon,
        max_queries=max_queries,
        max_bad_queries=max_bad_queries,
        p_init=p_init,
        perturb_all=perturb_all,
    )
    pursuit = Pursuit(model, images, labels, targeted, on_step, perturb_all=perturb_all)
    generator = generator_for(images, generator)
    oracle = pursuit.oracle("scores", max_queries, max_bad_queries)
    rows = torch.arange(len(pursuit), device=images.device)  # still searching
    best = pursuit.images.clone()
    best_loss = pursuit.images.new_full((len(pursuit),), torch.inf)
    for step in range(max_queries - 1):
        rows = rows[oracle.left(rows) > 0]
        if len(rows) == 0:
            break
        x = pursuit.images[rows]
        if step == 0:
            moved = _stripes(x, epsilon, generator)
        else:
            moved = _one_square(x, best[rows], epsilon, _side(x, p_init, step / max_queries), generator)
        scores, success = oracle.judged_scores(moved, rows, pursuit.labels[rows], targeted)
        loss = _loss(scores, pursuit.labels[rows], targeted)
        better = success | (loss < best_loss[rows])
        best[rows[better]], best_loss[rows[better]] = moved[better], loss[better]
        pursuit.keep(moved[better], success[better], rows=rows[better])
        if pursuit.report(int(oracle.queries.sum()), max_queries * len(pursuit), moved, rows):
            break
        rows = rows[~success]
    return pursuit.result()


def _loss(scores: Tensor, labels: Tensor, targeted: bool) -> Tensor:
    if targeted:
        return -scores.gather(1, labels[:, None]).squeeze(1)
    return margins(scores, labels, targeted)


def _side(x: Tensor, p_init: float, progress: float) -> int:
    """The side of the squares in pixels, `progress` in [0, 1) of the way."""
    p = p_init / 2 ** sum(progress * 10_000 > step for step in HALVINGS)
    return max(round(math.sqrt(p * x.shape[2] * x.shape[3])), 1)


def _stripes(x: Tensor, epsilon: float, generator: torch.Generator) -> Tensor:
    """Every column of every channel brighter or darker by epsilon."""
    signs = _signs((len(x), x.shape[1], 1, x.shape[3]), x, generator)
    return within((x + epsilon * signs).clamp(0, 1), x, epsilon)


def _one_square(x: Tensor, best: Tensor, epsilon: float, side: int, generator: torch.Generator) -> Tensor:
    """A square of each image set to x +- epsilon, one sign a channel; outside it the best so far."""
    inside = _span(x, 2, side, generator) & _span(x, 3, side, generator)  # (R, 1, H, W)
    signs = _signs((len(x), x.shape[1], 1, 1), x, generator)
    moved = torch.where(inside, within((x + epsilon * signs).clamp(0, 1), x, epsilon), best)
    opposite = torch.where(inside, within((x - epsilon * signs).clamp(0, 1), x, epsilon), best)
    idle = (moved == best).flatten(1).all(1)[:, None, None, None]
    return torch.where(idle, opposite, moved)


def _span(x: Tensor, axis: int, side: int, generator: torch.Generator) -> Tensor:
    """A random run of `side` positions along an axis, apart for each image, as a mask that broadcasts to x."""
    length = x.shape[axis]
    side = min(side, length)
    shape = [1, 1, 1, 1]
    shape[axis] = length
    start = torch.randint(0, length - side + 1, (len(x), 1, 1, 1), generator=generator, device=x.device)
    position = torch.arange(length, device=x.device).view(shape)
    return (start <= position) & (position < start + side)


def _signs(shape: tuple[int, ...], x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randint(0, 2, shape, generator=generator, device=x.device).to(x.dtype) * 2 - 1


SQUARE = Attack(
    id="square",
    name="Square",
    norm="linf",
    kind="budget",
    access="scores",
    targeted=True,
    options=(
        EPSILON,
        Option("max_queries", int, 5000, "Images shown to the model, for each image.", low=1, high=1_000_000),
        MAX_BAD_QUERIES,
        Option("p_init", float, 0.8, "The first squares' share of the image."),
        PERTURB_ALL,
    ),
    source="Andriushchenko, Croce, Flammarion and Hein 2020, Algorithms 1 and 2",
    cost=500,
    function=square,
    random=True,
)
