"""One Pixel: a few pixels changed at will, found by differential evolution. Sees scores only.

Su, Vargas and Sakurai, "One pixel attack for fooling deep neural networks" (2019), section III, and [19] of the
paper. One deviation: the fitness is the margin between log-probabilities, because a probability of 1 in float32
hides which candidate is better.
"""

from typing import Any

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import PERTURB_ALL, Attack, OnStep, Option, Pursuit, generator_for
from kerckhoffs.attacks.logits import CHUNK, margins
from kerckhoffs.attacks.oracle import Oracle
from kerckhoffs.attacks.public import public

SCALE = 0.5  # of the difference between two candidates, F in the paper
TINY = torch.finfo(torch.float32).tiny
SMALLEST = 4  # a population that has three others for each


@public
def one_pixel(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    pixels: int = 1,
    population: int = 400,
    max_queries: int = 40_401,
    perturb_all: bool = False,
    generator: torch.Generator | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """Candidate i is a list of (row, column, a value for each channel); generation g + 1 tries
    c_i' = c_r1 + 0.5 (c_r2 - c_r3), r1, r2, r3 distinct and random (DE/rand/1, no crossover), and keeps the fitter
    of c_i and c_i'. It ends at the first success.

    The fitness is the margin log F(x)_y - max_{j != y} log F(x)_j, or max_{j != t} log F(x)_j - log F(x)_t. The
    first rows and columns are uniform, the first values N(0.5, 0.5). What leaves its range stops at its end.

    Args:
        model: images (N, C, H, W) to logits (N, K); only its log-probabilities are read.
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        pixels: how many pixels may change; >= 1. All the channels of a pixel count as one.
        population: candidates in a generation; >= 4.
        max_queries: images shown to the model for each image, the clean one included; >= 1. The default is the
            paper's 100 generations after the first.
        perturb_all: return the fittest candidate for every image, whether it fools the model or not.
        generator: where the candidates are drawn from; left out, one with seed 0.
        on_step: called after every generation of an image, or of a few; its steps are queries, summed over the open
            images.

    Returns:
        Images (N, C, H, W) in [0, 1] with at most `pixels` pixels changed. Unless perturb_all, images that fail,
        and those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    ONE_PIXEL.check_options(pixels=pixels, population=population, max_queries=max_queries, perturb_all=perturb_all)
    pursuit = Pursuit(model, images, labels, targeted, on_step, perturb_all=perturb_all)
    generator = generator_for(images, generator)
    oracle = pursuit.oracle("scores", max_queries)
    population = max(min(population, max_queries - 1), SMALLEST)
    rows = torch.arange(len(pursuit), device=images.device)  # still searching
    parents = _first((len(rows), population, pixels), images, generator)  # (R, P, pixels, 2 + C)
    fitness = images.new_full((len(rows), population), torch.inf)  # (R, P)
    for generation in range((max_queries - 1) // population):
        if len(rows) == 0:
            break
        children = _children(parents, generator) if generation else parents
        for part in torch.arange(len(rows), device=rows.device).split(max(CHUNK // population, 1)):
            found = _fitness(oracle, pursuit, rows[part], children[part], targeted)
            fitter = found < fitness[part]
            parents[part] = torch.where(fitter[:, :, None, None], children[part], parents[part])
            fitness[part] = torch.where(fitter, found, fitness[part])
            least, place = fitness[part].min(1)
            trial = _paint(pursuit.images[rows[part]], parents[part, place])
            pursuit.keep(trial, least < 0, rows=rows[part])
            if pursuit.report(int(oracle.queries.sum()), max_queries * len(pursuit), trial, rows[part]):
                return pursuit.result()
        searching = fitness.amin(1) >= 0
        rows, parents, fitness = rows[searching], parents[searching], fitness[searching]
    return pursuit.result()


def _first(shape: tuple[int, int, int], images: Tensor, generator: torch.Generator) -> Tensor:
    """Candidates as genes in [0, 1]: row, column and values of each pixel, (*shape, 2 + C)."""
    like: dict[str, Any] = dict(generator=generator, dtype=images.dtype, device=images.device)
    places = torch.rand(*shape, 2, **like)
    values = 0.5 + 0.5 * torch.randn(*shape, images.shape[1], **like)
    return torch.cat([places, values.clamp(0, 1)], 3)


def _children(parents: Tensor, generator: torch.Generator) -> Tensor:
    """DE/rand/1: a child for each candidate, from three others, (R, P, pixels, 2 + C)."""
    count, population = parents.shape[:2]

    def draw(choices: int) -> Tensor:
        return torch.randint(1, choices + 1, (count, population), generator=generator, device=parents.device)

    # Three distinct distances from the parent's own place in the ring of candidates: 1 to P - 1, without those taken.
    one, two, three = draw(population - 1), draw(population - 2), draw(population - 3)
    two = two + (two >= one)
    low, high = torch.minimum(one, two), torch.maximum(one, two)
    three = three + (three >= low)
    three = three + (three >= high)
    own = torch.arange(population, device=parents.device)
    each = torch.arange(count, device=parents.device)[:, None]
    a, b, c = (parents[each, (own + distance) % population] for distance in (one, two, three))
    return (a + SCALE * (b - c)).clamp(0, 1)


def _fitness(oracle: Oracle, pursuit: Pursuit, rows: Tensor, candidates: Tensor, targeted: bool) -> Tensor:
    """The margins of candidates (R, P, pixels, 2 + C), (R, P): negative exactly where the model is fooled."""
    fitness = []
    owners = rows.repeat_interleave(candidates.shape[1])
    for owner, genes in zip(owners.split(CHUNK), candidates.flatten(0, 1).split(CHUNK), strict=True):
        labels = pursuit.labels[owner]
        scores, success = oracle.judged_scores(_paint(pursuit.images[owner], genes), owner, labels, targeted)
        margin = margins(scores, labels, targeted)
        # The verdict decides the sign: a lead may be no more than rounding, and one of small logits is lost in scores.
        fitness.append(torch.where(success, margin.clamp_max(-TINY), margin.clamp_min(0)))
    return torch.cat(fitness).view(candidates.shape[:2])


def _paint(images: Tensor, genes: Tensor) -> Tensor:
    """Set the pixels that the genes (R, pixels, 2 + C) tell in images (R, C, H, W)."""
    height, width = images.shape[2:]
    row = (genes[:, :, 0] * height).long().clamp(max=height - 1)
    column = (genes[:, :, 1] * width).long().clamp(max=width - 1)
    painted = images.clone()
    each = torch.arange(len(images), device=images.device)
    for pixel in range(genes.shape[1]):  # in turn, so that two genes for one place have an order
        painted[each, :, row[:, pixel], column[:, pixel]] = genes[:, pixel, 2:]
    return painted


ONE_PIXEL = Attack(
    id="one_pixel",
    name="One Pixel",
    norm="l0",
    kind="budget",
    access="scores",
    targeted=True,
    options=(
        Option("pixels", int, 1, "How many pixels may change.", low=1, high=1000),
        Option("population", int, 400, "Candidates in a generation.", low=SMALLEST, high=10_000),
        Option("max_queries", int, 40_401, "Images shown to the model, for each image.", low=1, high=1_000_000),
        PERTURB_ALL,
    ),
    source="Su, Vargas and Sakurai 2019, section III",
    cost=40_000,
    function=one_pixel,
    random=True,
)
