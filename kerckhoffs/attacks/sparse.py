"""The fast solver of CW's l0 problem: gradients find a small set of pixels, and a search takes pixels out of it.

The first part is sigma-zero (Cinà et al., "sigma-zero: gradient-based optimization of l0-norm adversarial examples",
2024, algorithm 1), which descends the hinge of the margin plus a smooth count of the changed pixels, and puts back
the pixels whose change is below a threshold that rises with success. Ours: a pixel counts once, whatever its
channels, and targets work. The second part is our own: it takes the pixel that matters least out of the best
example, moves the others to make up for it, and, where that does not suffice, brings another pixel in and tries
again. It needs mostly forwards.
"""

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import Pursuit
from kerckhoffs.attacks.cw import Adam, filled, margin_slope
from kerckhoffs.attacks.geometry import cosine, norms
from kerckhoffs.attacks.logits import CHUNK, ask, beaten, margins
from kerckhoffs.attacks.walk import chunks

SIGMA = 1e-3  # the smooth count of a pixel is d^2 / (d^2 + SIGMA)
FIRST_THRESHOLDS = (0.3, 0.1, 0.5)
"""The first threshold of each start."""
THRESHOLD_STEP = 0.01  # of the step size
LAST_STEP = 0.1
EPSILON = 1e-6  # of Adam: with its usual 1e-8 pixels with hardly a gradient go along, and 3 % more pixels are changed

ROUNDS = 30  # moves of the search at most
DROPS, ADDS = 24, 8  # how many pixels are tried for a place
ROUND = 16
"""The search's batches are multiples of it: torch keeps what it prepares for each size, hundreds of MiB for many."""
NUDGE = 0.3  # what the search changes all its pixels by


def sparse(
    model: nn.Module,
    pursuit: Pursuit,
    targeted: bool,
    *,
    confidence: float,
    iterations: int,
    starts: int,
    patience: int,
) -> None:
    """Keep the successful example with the fewest changed pixels of each open image.

    Args:
        confidence: by how many logits the wrong class must lead.
        iterations: gradients of the first part for each start; >= 2.
        starts: how many of FIRST_THRESHOLDS.
        patience: failures in a row after which the search is done with an image; 0 leaves it out.
    """
    batches = chunks(pursuit, starts)
    length, total = iterations + ROUNDS, len(batches) * (iterations + ROUNDS)
    for number, rows in enumerate(batches):
        if _sigma_zero(model, pursuit, rows, targeted, confidence, iterations, starts, number * length, total):
            return
        found = rows[pursuit.size[rows] < torch.inf]
        swaps = _Swaps(model, pursuit, found, targeted, confidence)
        if len(found) and swaps.run(number * length + iterations, total, patience):
            return


def _sigma_zero(
    model: nn.Module,
    pursuit: Pursuit,
    rows: Tensor,
    targeted: bool,
    confidence: float,
    iterations: int,
    starts: int,
    done: int,
    total: int,
) -> bool:
    """Algorithm 1 on the open images `rows` (R,); true if the caller stopped it."""
    images, labels = pursuit.images[rows].repeat(starts, 1, 1, 1), pursuit.labels[rows].repeat(starts)  # (S R, ...)
    delta, adam = torch.zeros_like(images), Adam(images, 1.0, EPSILON)
    threshold = images.new_tensor(FIRST_THRESHOLDS[:starts]).repeat_interleave(len(rows))
    pixels = images[0, 0].numel()
    for step in range(iterations):
        x = (images + delta).clamp(0, 1)
        margin, slope, success = margin_slope(model, x, labels, targeted, confidence)
        pursuit.keep_smallest(x, success, norms(x - images, 0), rows)
        if pursuit.report(done + step + 1, total, x[: len(rows)], rows):
            return True
        square = delta.square().sum(1, keepdim=True)
        gradient = slope * (margin > 0)[:, None, None, None] + 2 * delta * SIGMA / (square + SIGMA).square() / pixels
        gradient = gradient / gradient.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
        rate = cosine(1.0, LAST_STEP, step / iterations)
        delta = (images + delta + rate * adam.step(gradient)).clamp(0, 1) - images
        threshold = (threshold + (2 * success.to(threshold.dtype) - 1) * THRESHOLD_STEP * rate).clamp(0, 1)
        large = delta.abs().amax(1, keepdim=True) >= threshold[:, None, None, None]
        delta = delta * large
    return False


class _Swaps:
    """The search of the second part: each of R images has a trial, which starts at its best example."""

    def __init__(self, model: nn.Module, pursuit: Pursuit, rows: Tensor, targeted: bool, confidence: float) -> None:
        self.model, self.pursuit, self.targeted, self.confidence = model, pursuit, targeted, confidence
        self.rows = rows  # (R,) of the open images
        self.trial = pursuit.best[rows]  # (R, C, H, W)
        self.failures = torch.zeros_like(rows)  # in a row

    def run(self, done: int, total: int, patience: int) -> bool:
        """At most ROUNDS times: take a pixel out; where that fails, bring another in. True if the caller stopped it."""
        for number in range(ROUNDS):
            going = (self.failures < patience) & (self.pursuit.size[self.rows] > 1)
            self.rows, self.trial, self.failures = self.rows[going], self.trial[going], self.failures[going]
            if len(self.rows) == 0:
                break
            self.trial, fools = self.mend(self.take_out(self.trial, self.rows), self.rows)
            self.failures = torch.where(fools, 0, self.failures + 1)
            if not bool(fools.all()):
                rows = self.rows[~fools]
                self.trial[~fools], _ = self.mend(self.bring_in(self.trial[~fools], rows), rows)
            if self.pursuit.report(done + number + 1, total, self.trial, self.rows):
                return True
        return False

    def take_out(self, x: Tensor, rows: Tensor) -> Tensor:
        """Put back the changed pixel without which the margin is least, of the DROPS that seem to matter least."""
        images = self.pursuit.images[rows]
        slope = self.slope(x, rows)
        changed = (x != images).any(1).flatten(1)  # (R, pixels)
        cost = (slope * (images - x)).sum(1).flatten(1).masked_fill(~changed, torch.inf)
        count = min(DROPS, int(changed.sum(1).max()))
        cost, place = cost.topk(count, dim=1, largest=False)
        without, _ = self.pick(_place(x, images, place), rows, cost < torch.inf)
        return without

    def bring_in(self, x: Tensor, rows: Tensor) -> Tensor:
        """Take the pixel to its walls with which the margin is least, of the ADDS that promise most."""
        slope = self.slope(x, rows)
        walls = (slope < 0).to(x.dtype)
        changed = (x != self.pursuit.images[rows]).any(1).flatten(1)
        gain = (slope * (x - walls)).sum(1).flatten(1).masked_fill(changed, -1)
        place = gain.topk(min(ADDS, gain.shape[1]), dim=1).indices
        return self.pick(_place(x, walls, place), rows)[0]

    def mend(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Move the changed pixels to where the margin is least of four guesses; (R, C, H, W), and which fool, (R,)."""
        images = self.pursuit.images[rows]
        slope = self.slope(x, rows)
        walls = (slope < 0).to(x.dtype)
        changed = (x != images).any(1, keepdim=True)
        gain = (slope * (x - walls)).sum(1).flatten(1).masked_fill(~changed.flatten(1), -1)
        guesses = torch.stack(
            (
                x,
                walls,
                (x - NUDGE * slope.sign()).clamp(0, 1),
                _place(x, walls, gain.argmax(1, keepdim=True))[:, 0],
            ),
            1,
        )  # (R, 4, C, H, W)
        back = (guesses == images[:, None]).all(2, keepdim=True)  # a changed pixel stays one
        guesses = torch.where(changed[:, None] & ~back, guesses, x[:, None])
        x, fools = self.pick(guesses, rows)
        self.pursuit.keep(x, fools, norms(x - images, 0), rows)
        return x, fools

    def slope(self, x: Tensor, rows: Tensor) -> Tensor:
        """The margin's gradient at x, both (R, C, H, W)."""
        x, labels = _rounded_up(x), _rounded_up(self.pursuit.labels[rows])
        return margin_slope(self.model, x, labels, self.targeted, self.confidence)[1][: len(rows)]

    def pick(self, guesses: Tensor, rows: Tensor, allowed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Of guesses (R, G, C, H, W) those with the least margin, (R, C, H, W), and which of them fool, (R,)."""
        labels = self.pursuit.labels[rows].repeat_interleave(guesses.shape[1])
        parts = []
        with torch.no_grad():
            for x, aims in zip(guesses.flatten(0, 1).split(CHUNK), labels.split(CHUNK), strict=True):
                logits = ask(self.model, _rounded_up(x))[: len(x)]
                margin = margins(logits, aims, self.targeted)
                fools = beaten(margin, logits, self.confidence)
                parts.append(torch.where(fools, margin + self.confidence, (margin + self.confidence).clamp_min(0)))
        margin = torch.cat(parts).view(guesses.shape[:2])
        if allowed is not None:
            margin = margin.masked_fill(~allowed, torch.inf)
        least, which = margin.min(1)
        return guesses[torch.arange(len(rows), device=rows.device), which], least < 0


def _rounded_up(batch: Tensor) -> Tensor:
    """A batch (R, ...) `filled` to a multiple of ROUND; a small one as it is."""
    return filled(batch, ROUND) if len(batch) > ROUND else batch


def _place(x: Tensor, other: Tensor, place: Tensor) -> Tensor:
    """G copies of each x (R, C, H, W), each with the one pixel that place (R, G) tells taken from other."""
    copies = x.flatten(2)[:, None].repeat(1, place.shape[1], 1, 1)  # (R, G, C, pixels)
    where = place[:, :, None, None].expand(-1, -1, x.shape[1], 1)
    values = other.flatten(2)[:, None].expand_as(copies).gather(3, where)
    return copies.scatter(3, where, values).view(*place.shape, *x.shape[1:])
