"""L-BFGS: the first attack of all, a penalty minimised in the box by a quasi-Newton method.

Szegedy, Zaremba, Sutskever, Bruna, Erhan, Goodfellow and Fergus, "Intriguing properties of neural networks" (2014),
section 4.1; the paper's [7]. The minimiser is SciPy's L-BFGS-B, the rest is ours. The size of r is squared, as
Carlini and Wagner state the attack (2017, section III.A): |r| has no gradient at r = 0, where each solve starts.
Two more things differ. The publication knows targets only; without one, success is any wrong class. And of all the
iterates, not only of the minimisers, the smallest that fools is kept.
"""

import math
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from kerckhoffs.attacks.base import Attack, OnStep, Option, Pursuit
from kerckhoffs.attacks.geometry import l2
from kerckhoffs.attacks.logits import ask, fooled, gradient, read
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import cross_entropy

ROUNDING = 1e-6  # a relative fall of the objective that float32 logits cannot tell from none
WIDER = 10.0  # by what factor c changes until one c succeeds and another fails


@public
def lbfgs(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    initial_const: float = 1.0,
    search_steps: int = 10,
    max_iterations: int = 50,
    on_step: OnStep | None = None,
) -> Tensor:
    """Minimise c |r|^2 + loss(x + r) over r with x + r in [0, 1], for the largest c whose minimiser fools the model.

    loss is -log p_t, the cross-entropy with the target, or -log(1 - p_y) if untargeted. The more c weighs, the
    smaller r. The line search over c, apart for each image, goes by factors of ten until one c succeeds and another
    fails, and then to the geometric mean of the two.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        initial_const: the first c, > 0.
        search_steps: solves, each with its own c; >= 1.
        max_iterations: of L-BFGS in a solve, at most, with one gradient or a few each; >= 1.
        on_step: called after every iteration; the images are solved one after another.

    Returns:
        Images (N, C, H, W) in [0, 1]: the smallest successful perturbation that was met. Images that fail, and
        those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    LBFGS.check_options(initial_const=initial_const, search_steps=search_steps, max_iterations=max_iterations)
    pursuit = Pursuit(model, images, labels, targeted, on_step)
    for row in range(len(pursuit)):
        const, fails, succeeds = initial_const, math.inf, 0.0
        for number in range(search_steps):
            done = (row * search_steps + number) * max_iterations
            solve = _Solve(model, pursuit, row, targeted, const, done, search_steps * max_iterations)
            solve.run(max_iterations)
            if solve.stopped:
                return pursuit.result()
            fails, succeeds = (fails, const) if solve.succeeded else (const, succeeds)
            if fails == math.inf:
                const = succeeds * WIDER
            else:
                const = math.sqrt(fails * succeeds) if succeeds else fails / WIDER
    return pursuit.result()


class _Solve:
    """One minimisation for one image and one c."""

    def __init__(
        self, model: nn.Module, pursuit: Pursuit, row: int, targeted: bool, const: float, done: int, each: int
    ) -> None:
        self.model, self.pursuit, self.targeted, self.const = model, pursuit, targeted, const
        self.rows = torch.tensor([row], device=pursuit.open.device)
        self.origin, self.label = pursuit.images[self.rows], pursuit.labels[self.rows]
        self.done, self.total = done, each * len(pursuit)
        self.succeeded = self.stopped = False

    def run(self, max_iterations: int) -> None:
        """Minimise from the clean image, until L-BFGS-B is content or the caller stops it; judge the minimiser."""
        from scipy.optimize import minimize  # a quarter of a second

        begun = self.done
        found = minimize(
            self.value_and_gradient,
            self.origin.double().flatten().cpu().numpy(),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0, 1)] * self.origin.numel(),
            callback=self.report,
            options={"maxiter": max_iterations, "ftol": ROUNDING},
        )
        if self.done == begun:  # it stood still: nothing was reported
            with suppress(StopIteration):
                self.report(found.x)
        if not self.stopped:
            logits = read(self.model, self.image(found.x))
            self.succeeded = bool(fooled(logits, self.label, self.targeted))

    def value_and_gradient(self, flat: Any) -> tuple[float, Any]:
        """The objective at a float64 array (D,), where the model sees its float32 image, and its gradient."""
        with torch.enable_grad():
            x = self.image(flat).requires_grad_(True)
            logits = ask(self.model, x)
            loss = softplus(-cross_entropy(logits, self.label, self.targeted))
            slope = gradient(loss, x)
        x = x.detach()
        r = (x - self.origin).double()
        self.pursuit.keep(x, fooled(logits.detach(), self.label, self.targeted), l2(x - self.origin), self.rows)
        value = self.const * r.square().sum() + loss.detach().sum()
        return value.item(), (2 * self.const * r + slope.double()).flatten().cpu().numpy()

    def report(self, flat: Any) -> None:
        """Tell the caller of an iterate (D,); end the solve if it wants to stop."""
        self.done += 1
        self.stopped = self.pursuit.report(self.done, self.total, self.image(flat), self.rows)
        if self.stopped:
            raise StopIteration

    def image(self, flat: Any) -> Tensor:
        """(1, C, H, W) of an array (D,)."""
        return torch.from_numpy(flat).to(self.origin).view_as(self.origin)


LBFGS = Attack(
    id="lbfgs",
    name="L-BFGS",
    norm="l2",
    kind="minimal",
    access="gradients",
    targeted=True,
    options=(
        Option("search_steps", int, 10, "How many values of the constant c are tried.", low=1, high=50),
        Option("initial_const", float, 1.0, "The first c.", low=1e-9, high=1e6),
        Option("max_iterations", int, 50, "Iterations of L-BFGS for each c, at most.", low=1, high=10_000),
    ),
    source="Szegedy et al. 2014, section 4.1; the paper's [7]; SciPy's L-BFGS-B",
    cost=400,
    function=lbfgs,
)
