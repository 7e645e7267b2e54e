"""RayS: which signs of a change of all pixels lead to the nearest boundary? Asks for labels only.

Chen and Gu, "RayS: a ray searching method for hard-label adversarial attack" (KDD 2020), Algorithms 1 to 3, linf.
What the publication leaves open: after the level of single numbers the search begins again with halves of the image.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import MAX_BAD_QUERIES, Attack, OnStep, Option, Pursuit
from kerckhoffs.attacks.geometry import norms
from kerckhoffs.attacks.oracle import Oracle
from kerckhoffs.attacks.public import public

TOLERANCE = 1e-3  # of the l2 length of a ray, as in the authors' code
AGAIN = 1  # the level after the last


@public
def rays(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    max_queries: int = 10_000,
    max_bad_queries: int = 0,
    on_step: OnStep | None = None,
) -> Tensor:
    """Flip the signs of a block in d, and keep that if the boundary along x' = clip(x + r d), d = +-1, is nearer.

    Level s cuts the D numbers of the image into 2^s blocks in a row, and tries each in turn. A flip is first checked at
    the smallest r so far: one query, which refuses most. Only if that fools the model, a bisection looks for the new r.
    As long as nothing has fooled the model, r is 1.

    Args:
        model: images (N, C, H, W) to logits (N, K); only its labels are read.
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes.
        targeted: must be False: a ray from x hits whatever class comes first.
        max_queries: images shown to the model for each image, the clean one included; >= 1.
        max_bad_queries: how many of these may leave the model unfooled, the clean one included; 0 for any number.
        on_step: called after every block; its steps are queries, summed over the open images, and it is told which
            images nothing has fooled yet.

    Returns:
        Images (N, C, H, W) in [0, 1]: the smallest successful perturbation that was met. Images that fail, and
        those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    RAYS.check_options(max_queries=max_queries, max_bad_queries=max_bad_queries)
    if targeted is not False:
        raise ValueError(f"targeted must be False, RayS cannot be targeted, but is {targeted!r}")
    pursuit = Pursuit(model, images, labels, targeted, on_step)
    oracle = pursuit.oracle("labels", max_queries, max_bad_queries)
    search = _Search(pursuit, oracle)
    rows = torch.arange(len(pursuit), device=images.device)
    for start, stop in _blocks(images[0].numel()):
        rows = rows[oracle.left(rows) > 0]
        if len(rows) == 0:
            break
        search.flip(rows, start, stop)
        lost = torch.isinf(pursuit.size)
        if pursuit.report(int(oracle.queries.sum()), max_queries * len(pursuit), search.trial, no_start=lost):
            break
    return pursuit.result()


def _blocks(numbers: int) -> Iterator[tuple[int, int]]:
    """Where each block starts and stops, without an end; the first is empty: the ray as it is."""
    yield 0, 0
    level = 0
    while True:
        for block in range(1 << level):
            start, stop = block * numbers >> level, (block + 1) * numbers >> level
            if start < stop:
                yield start, stop
        level = level + 1 if 1 << level < numbers else AGAIN


class _Search:
    """The ray of each of M images: its signs, and how far along it the boundary is."""

    def __init__(self, pursuit: Pursuit, oracle: Oracle) -> None:
        self.pursuit, self.oracle = pursuit, oracle
        self.signs = torch.ones_like(pursuit.images)  # (M, C, H, W)
        self.radius = torch.ones_like(pursuit.size)  # (M,)
        self.trial = pursuit.images.clone()
        self.tolerance = TOLERANCE / pursuit.images.shape[1:].numel() ** 0.5

    def fools(self, rows: Tensor, signs: Tensor, radius: Tensor) -> Tensor:
        """Whether the model is fooled at these radii (R,) of rays (R, C, H, W); keeps what fools it."""
        images = self.pursuit.images[rows]
        trial = (images + radius[:, None, None, None] * signs).clamp(0, 1)
        success = self.oracle.fooled(trial, rows, self.pursuit.labels[rows], False)
        self.pursuit.keep(trial, success, norms(trial - images, torch.inf), rows)
        self.trial[rows] = trial
        return success

    def flip(self, rows: Tensor, start: int, stop: int) -> None:
        """Turn the signs of the numbers from start to stop where that brings the boundary nearer."""
        signs = self.signs[rows]
        signs.flatten(1)[:, start:stop] *= -1
        nearer = self.fools(rows, signs, self.radius[rows])
        rows, signs = rows[nearer], signs[nearer]
        self.signs[rows] = signs
        low, high = torch.zeros_like(self.radius[rows]), self.radius[rows]
        while bool((going := (high - low > self.tolerance) & (self.oracle.left(rows) > 0)).any()):
            middle = (low[going] + high[going]) / 2
            success = self.fools(rows[going], signs[going], middle)
            high[going], low[going] = (
                torch.where(success, middle, high[going]),
                torch.where(success, low[going], middle),
            )
        self.radius[rows] = high


RAYS = Attack(
    id="rays",
    name="RayS",
    norm="linf",
    kind="minimal",
    access="labels",
    targeted=False,
    options=(
        Option("max_queries", int, 10_000, "Images shown to the model, for each image.", low=1, high=1_000_000),
        MAX_BAD_QUERIES,
    ),
    source="Chen and Gu 2020, Algorithms 1 to 3",
    cost=10_000,
    function=rays,
)
