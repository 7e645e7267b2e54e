"""ZOO: Carlini and Wagner's objective, descended by differences of scores instead of gradients.

Chen, Zhang, Sharma, Yi and Hsieh, "ZOO: zeroth order optimization based black-box attacks to deep neural networks
without training substitute models" (2017), section 3 and Algorithm 2 (ZOO-ADAM), and [18] of the paper.
The paper spends a million queries an image; these deviations get by with fewer:

- Only the margin is differenced, and only where it counts: the slope of |x' - x|^2 is known, and that of the hinge
  is 0 where the model is fooled.
- A solve starts from the best example so far, or without one from where the last solve ended, not from x.
- The box is kept by clipping, which the paper also allows: under tanh a pixel at 0 or 1 hardly moves, and no
  difference tells its slope. A difference at the edge of the box is one-sided, so that no query leaves the box.
"""

import math

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import Attack, OnStep, Option, Pursuit, generator_for
from kerckhoffs.attacks.logits import CHUNK, margins
from kerckhoffs.attacks.oracle import Oracle
from kerckhoffs.attacks.public import public

BETA1, BETA2, ADAM_EPSILON = 0.9, 0.999, 1e-8
H = 1e-3  # the paper's 1e-4 leaves a slope of 0.1 no larger than the float32 rounding of logits of 20


@public
def zoo(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    learning_rate: float = 0.05,
    coordinates: int = 128,
    binary_search_steps: int = 4,
    initial_const: float = 1.0,
    max_queries: int = 30_000,
    generator: torch.Generator | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """Minimise |x' - x|^2 + c max(margin(x'), 0), margin = log F(x')_y - max_{j != y} log F(x')_j, over x' in [0, 1].

    The margin's slope along coordinate i is (margin(x' + h e_i) - margin(x' - h e_i)) / 2h. Each step takes it for a
    random few coordinates and moves those by Adam, each with its own clock. A binary search over c, apart for each
    image, looks for the smallest c that still succeeds; each c gets an equal share of the queries.

    Args:
        model: images (N, C, H, W) to logits (N, K); only its log-probabilities are read.
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them; the margin is max_{j != t} log F_j - log F_t.
        learning_rate: Adam's, > 0 (the paper: 0.01).
        coordinates: numbers of the image that a step moves; >= 1. Fewer if the queries do not last for one step.
        binary_search_steps: solves, each with its own c; >= 1 (the paper: 9).
        initial_const: the first c, > 0 (the paper: 0.01).
        max_queries: images shown to the model for each image, the clean one included; >= 1. A step takes one, and
            two for each coordinate until the model is fooled.
        generator: where the coordinates are drawn from; left out, one with seed 0.
        on_step: called after every step; its steps are queries, summed over the open images.

    Returns:
        Images (N, C, H, W) in [0, 1]: the smallest successful perturbation that was met. Images that fail, and
        those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    ZOO.check_options(
        learning_rate=learning_rate,
        coordinates=coordinates,
        binary_search_steps=binary_search_steps,
        initial_const=initial_const,
        max_queries=max_queries,
    )
    pursuit = Pursuit(model, images, labels, targeted, on_step)
    if len(pursuit) == 0:
        return pursuit.result()
    oracle = pursuit.oracle("scores", max_queries)
    coordinates = max(min(coordinates, images[0].numel(), (max_queries // binary_search_steps - 1) // 2), 1)
    descent = _Descent(oracle, pursuit, targeted, learning_rate, coordinates, generator_for(images, generator))
    everyone = torch.arange(len(pursuit), device=images.device)
    const = pursuit.images.new_full((len(pursuit),), initial_const)
    lower, upper = torch.zeros_like(const), torch.full_like(const, math.inf)
    for number in range(binary_search_steps):
        succeeded = torch.zeros_like(everyone, dtype=torch.bool)
        descent.restart()
        reserve = (max_queries - 1) * (binary_search_steps - 1 - number) // binary_search_steps
        rows = everyone
        while len(rows := rows[oracle.left(rows) > reserve + 2 * descent.coordinates]):
            succeeded[rows] |= descent.step(rows, const[rows])
            if pursuit.report(int(oracle.queries.sum()), max_queries * len(pursuit), descent.trial):
                return pursuit.result()
        upper = torch.where(succeeded, torch.minimum(upper, const), upper)
        lower = torch.where(succeeded, lower, torch.maximum(lower, const))
        const = torch.where(upper < math.inf, (lower + upper) / 2, const * 10)
    return pursuit.result()


class _Descent:
    """ZOO-ADAM on M images: where each stands, and Adam's state for each of its D numbers."""

    def __init__(
        self,
        oracle: Oracle,
        pursuit: Pursuit,
        targeted: bool,
        learning_rate: float,
        coordinates: int,
        generator: torch.Generator,
    ) -> None:
        self.oracle, self.pursuit, self.targeted, self.generator = oracle, pursuit, targeted, generator
        self.learning_rate = learning_rate
        self.origin = pursuit.images.flatten(1)  # (M, D)
        self.x = self.origin.clone()
        self.coordinates = coordinates  # B
        self.trial = pursuit.images
        self.restart()

    def restart(self) -> None:
        """Forget Adam's state, and stand where the best example is, or where the last solve ended without one."""
        has = torch.isfinite(self.pursuit.size)[:, None]
        self.x = torch.where(has, self.pursuit.best.flatten(1), self.x)
        self.mean, self.variance, self.times = (torch.zeros_like(self.x) for _ in range(3))

    def step(self, rows: Tensor, const: Tensor) -> Tensor:
        """Look at the images `rows` (R,) and move B coordinates of each; which of them fooled the model, (R,)."""
        trial = self._shape(self.x[rows])
        labels = self.pursuit.labels[rows]
        scores, success = self.oracle.judged_scores(trial, rows, labels, self.targeted)
        distance = (trial - self.pursuit.images[rows]).flatten(1).norm(dim=1)
        self.pursuit.keep(trial, success, distance, rows)
        self.trial = self._shape(self.x).clone()

        size, x = (len(rows), self.x.shape[1]), self.x
        picked = torch.rand(size, generator=self.generator, dtype=x.dtype, device=x.device)
        picked = picked.topk(self.coordinates, 1).indices  # (R, B)
        slope = 2 * (self.x[rows] - self.origin[rows]).gather(1, picked)
        active = margins(scores, labels, self.targeted) > 0
        if bool(active.any()):
            slope[active] += const[active, None] * self._differences(rows[active], picked[active])
        self._adam(rows, picked, slope)
        return success

    def _differences(self, rows: Tensor, picked: Tensor) -> Tensor:
        """The margin's slope along each picked coordinate, (R, B), from two queries each."""
        slopes = []
        owners = rows.repeat_interleave(picked.shape[1])
        for owner, place in zip(owners.split(CHUNK // 2), picked.flatten().split(CHUNK // 2), strict=True):
            x, place = self.x[owner], place[:, None]
            up, down = (x.gather(1, place) + H).clamp(max=1), (x.gather(1, place) - H).clamp(min=0)
            both = torch.cat([x.scatter(1, place, up), x.scatter(1, place, down)])
            owner = owner.repeat(2)
            scores = self.oracle.scores(self._shape(both), owner)
            above, below = margins(scores, self.pursuit.labels[owner], self.targeted).chunk(2)
            slopes.append((above - below) / (up - down).squeeze(1))
        return torch.cat(slopes).view(picked.shape)

    def _adam(self, rows: Tensor, picked: Tensor, slope: Tensor) -> None:
        """Algorithm 2, with a clock for each coordinate, and clipped to the box."""
        at = (rows[:, None], picked)
        times = self.times[at] + 1
        mean = BETA1 * self.mean[at] + (1 - BETA1) * slope
        variance = BETA2 * self.variance[at] + (1 - BETA2) * slope.square()
        self.times[at], self.mean[at], self.variance[at] = times, mean, variance
        unbiased = (variance / (1 - BETA2**times)).sqrt()
        move = self.learning_rate * mean / (1 - BETA1**times) / (unbiased + ADAM_EPSILON)
        self.x[at] = (self.x[at] - move).clamp(0, 1)

    def _shape(self, flat: Tensor) -> Tensor:
        return flat.view(-1, *self.pursuit.images.shape[1:])


ZOO = Attack(
    id="zoo",
    name="ZOO",
    norm="l2",
    kind="minimal",
    access="scores",
    targeted=True,
    options=(
        Option("max_queries", int, 30_000, "Images shown to the model, for each image.", low=1, high=10_000_000),
        Option("learning_rate", float, 0.05, "Adam's step size.", low=1e-5),
        Option("coordinates", int, 128, "Numbers of the image that a step moves.", low=1, high=100_000),
        Option("binary_search_steps", int, 4, "How many values of the constant c are tried.", low=1, high=20),
        Option("initial_const", float, 1.0, "The first c.", low=1e-9, high=1e6),
    ),
    source="Chen, Zhang, Sharma, Yi and Hsieh 2017, Algorithm 2",
    cost=30_000,
    function=zoo,
    random=True,
)
