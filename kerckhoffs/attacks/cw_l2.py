"""Carlini and Wagner's l2 attack: the smallest perturbation that fools, by gradient descent on a penalty.

Carlini and Wagner, "Towards evaluating the robustness of neural networks" (2017), section 6.A, and equations (5)
and (6) of the paper. Written from the papers and from the behaviour of the authors' public code; where that code
sums over its batch to decide when to stop, each sample decides alone here, which is the same for a batch of one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import Attack, OnStep, Option, Step, beaten, check_inputs, fooled, margins

BETA1, BETA2, ADAM_EPSILON = 0.9, 0.999, 1e-8
SHRINK = 0.999999  # keeps atanh finite, and its gradient alive, at pixels that are exactly 0 or 1


def cw_l2(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    confidence: float = 0.0,
    learning_rate: float = 1e-2,
    binary_search_steps: int = 9,
    max_iterations: int = 1000,
    initial_const: float = 1e-3,
    on_step: OnStep | None = None,
) -> Tensor:
    """Minimise |x' - x|^2 + c max(margin(x') + confidence, 0) with x' = (tanh(w) + 1) / 2.

    Adam on w solves this for one c; a binary search over c, apart for each sample, looks for the smallest c
    that still succeeds. A sample leaves a solve early when its loss has stopped falling. One deviation from the
    authors' code makes the attack stronger at the same cost: a sample for which no c has succeeded goes into the
    last solve from where the one before it ended, not from the original image.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        confidence: kappa, by how many logits the wrong class must lead; >= 0.
        learning_rate: Adam's, > 0.
        binary_search_steps: solves, each with its own c; >= 1.
        max_iterations: gradient steps a solve at most; >= 1 (the authors' code: 10 000, the usual choice: 1000).
        initial_const: the first c, > 0.
        on_step: called after every gradient step.

    Returns:
        Images (N, C, H, W) in [0, 1]: the smallest successful perturbation that was met. Images that fail, and
        those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    check_inputs(images, labels)
    _check_options(confidence, learning_rate, binary_search_steps, max_iterations, initial_const)
    images = images.detach()
    with torch.no_grad():
        already = fooled(model(images), labels, targeted, confidence)
    open_ = (~already).nonzero().squeeze(1)  # (M,) the samples that there is something to do for
    start = torch.atanh((2 * images[open_] - 1) * SHRINK)
    search = _Search(
        start=start,
        w=start.clone(),
        labels=labels[open_],
        const=images.new_full((len(open_),), initial_const),
        lower=images.new_zeros(len(open_)),
        upper=images.new_full((len(open_),), math.inf),
        best=images[open_].clone(),
        best_l2=images.new_full((len(open_),), math.inf),
    )
    result = images.clone()
    steps = binary_search_steps * max_iterations

    def report(done: int, trial: Tensor) -> bool:
        """Tell the caller where all the samples are; true if it wants to stop."""
        if on_step is None:
            return False
        current, best = images.clone(), images.clone()
        current[open_], best[open_] = trial, search.best
        return bool(on_step(Step(done, steps, current, best)))

    for number in range(binary_search_steps if len(open_) else 0):
        hopeless = (search.upper == math.inf) & (0 < number == binary_search_steps - 1)
        search.w = torch.where(hopeless[:, None, None, None], search.w, start)
        succeeded, stopped = _solve(
            model, search, targeted, confidence, learning_rate, max_iterations, number * max_iterations, report
        )
        if stopped:
            break
        search.upper = torch.where(succeeded, torch.minimum(search.upper, search.const), search.upper)
        search.lower = torch.where(succeeded, search.lower, torch.maximum(search.lower, search.const))
        bounded = search.upper < math.inf
        search.const = torch.where(bounded, (search.lower + search.upper) / 2, search.const * 10)
    result[open_] = search.best
    return result


@dataclass
class _Search:
    """The binary search over c, apart for each of M samples, and the best example of each so far."""

    start: Tensor  # (M, C, H, W) w of the original images
    w: Tensor  # (M, C, H, W) where the next solve starts, and where the last one ended
    labels: Tensor  # (M,)
    const: Tensor  # (M,) c
    lower: Tensor  # (M,) the largest c that failed
    upper: Tensor  # (M,) the smallest c that succeeded
    best: Tensor  # (M, C, H, W)
    best_l2: Tensor  # (M,) squared


def _solve(
    model: nn.Module,
    search: _Search,
    targeted: bool,
    confidence: float,
    learning_rate: float,
    max_iterations: int,
    done_before: int,
    report: Callable[[int, Tensor], bool],
) -> tuple[Tensor, bool]:
    """One solve with the present c: which samples (M,) succeeded, and whether the caller stopped it."""
    succeeded = torch.zeros(len(search.const), dtype=torch.bool, device=search.const.device)
    trial = _image(search.start)
    # What follows holds the samples that are still in this solve, and shrinks as they leave it.
    running = torch.arange(len(search.const), device=search.const.device)
    labels, const = search.labels, search.const
    origin = trial.clone()  # x0 is what the round trip through tanh makes of x
    w, mean, variance = search.w.clone(), torch.zeros_like(search.w), torch.zeros_like(search.w)
    checkpoint = torch.full_like(const, math.inf)  # each sample's loss at the last check
    for step in range(max_iterations):
        with torch.enable_grad():
            w.requires_grad_(True)
            x = _image(w)
            logits = model(x)
            margin = margins(logits, labels, targeted)
            l2 = (x - origin).square().flatten(1).sum(1)
            loss = l2 + const * (margin + confidence).clamp_min(0)
            (gradient,) = torch.autograd.grad(loss.sum(), w)
        w, x, l2, loss = w.detach(), x.detach(), l2.detach(), loss.detach()
        success = beaten(margin.detach(), logits.detach(), confidence)
        if bool(success.any()):
            succeeded[running[success]] = True
            better = success & (l2 < search.best_l2[running])
            search.best[running[better]], search.best_l2[running[better]] = x[better], l2[better]
        trial[running] = x
        if report(done_before + step + 1, trial):
            return succeeded, True
        if step % max(max_iterations // 10, 1) == 0:
            falling = loss <= 0.9999 * checkpoint
            search.w[running] = w
            checkpoint = loss[falling]
            running, labels, const, origin = running[falling], labels[falling], const[falling], origin[falling]
            w, gradient, mean, variance = w[falling], gradient[falling], mean[falling], variance[falling]
            if len(running) == 0:
                break
        mean.lerp_(gradient, 1 - BETA1)
        variance.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        rate = learning_rate * math.sqrt(1 - BETA2 ** (step + 1)) / (1 - BETA1 ** (step + 1))
        w.addcdiv_(mean, variance.sqrt().add_(ADAM_EPSILON), value=-rate)
    search.w[running] = w.detach()
    return succeeded, False


def _image(w: Tensor) -> Tensor:
    return (torch.tanh(w) + 1) / 2


def _check_options(
    confidence: float, learning_rate: float, binary_search_steps: int, max_iterations: int, initial_const: float
) -> None:
    for name, value in (("binary_search_steps", binary_search_steps), ("max_iterations", max_iterations)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, but is {value!r}")
    for name, rate in (("learning_rate", learning_rate), ("initial_const", initial_const)):
        if not 0 < rate < math.inf:
            raise ValueError(f"{name} must be positive, but is {rate!r}")
    if not 0 <= confidence < math.inf:
        raise ValueError(f"confidence must be at least 0, but is {confidence!r}")


CW_L2 = Attack(
    id="cw_l2",
    name="Carlini-Wagner l2",
    norm="l2",
    kind="minimal",
    access="gradients",
    targeted=True,
    options=(
        Option("confidence", float, 0.0, "By how many logits the wrong class must lead (kappa).", high=100.0),
        Option("learning_rate", float, 1e-2, "Adam's step size.", low=1e-5),
        Option("binary_search_steps", int, 9, "How many values of the constant c are tried.", low=1, high=20),
        Option("max_iterations", int, 1000, "Gradient steps for each c, at most.", low=1, high=100_000),
        Option("initial_const", float, 1e-3, "The first c.", low=1e-9, high=1e6),
    ),
    source="Carlini and Wagner 2017, section 6.A; the paper, equations (5) and (6)",
    cost=5000,
    function=cw_l2,
)
