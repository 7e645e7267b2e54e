"""AutoAttack: four attacks one after the other, each on the images that none before it has turned.

Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks"
(2020), section 5, the standard version in linf: APGD with the cross-entropy, APGD towards each of the 9 most likely
wrong classes with the targeted DLR loss, FAB towards the same, and Square with 5000 queries. The cross-entropy is
climbed in exact arithmetic (sign.py). The authors' targeted DLR loss has the true class where ours has the strongest
other class; these are the same until the image is misread, when it is done. Square's schedule is stretched to its
queries, which the authors do in Square but not here. Below 4 classes, which DLR needs, the second attack climbs the
targeted cross-entropy.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.apgd import apgd, ascend, difference_of_logits_ratio
from kerckhoffs.attacks.base import EPSILON, PERTURB_ALL, Attack, OnStep, Option, Pursuit, Step, generator_for
from kerckhoffs.attacks.fab import fab, likeliest
from kerckhoffs.attacks.logits import fooled, read
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import cross_entropy, from_starts
from kerckhoffs.attacks.square import square

CLASSES = 9
VERSIONS = {"standard": (100, 5000), "quick": (10, 200)}
"""Steps of each gradient attack from each start, and Square's queries."""


@public
def autoattack(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    epsilon: float = 0.3,
    version: str = "standard",
    perturb_all: bool = False,
    generator: torch.Generator | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """APGD-CE, APGD-T, FAB-T and Square, each on what is not turned yet.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes.
        targeted: must be False; here because every attack has it.
        epsilon: the largest change of a pixel, in [0, 1].
        version: "standard", the authors': 100 steps from each start and 5000 queries. "quick": 10 and 200, to try out.
        perturb_all: where nothing fools the model, return APGD-CE's x' with the highest loss.
        generator: where starts, stripes and squares are drawn from; left out, one with seed 0.
        on_step: called after every step of each attack; its steps are gradients, and in the end queries, summed over
            the images that were open at first: an upper bound, as images that are turned ask no more.

    Returns:
        Images (N, C, H, W) in [0, 1] with |x' - x| <= epsilon in float32. Unless perturb_all, images that fail,
        and those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    AUTOATTACK.check_options(epsilon=epsilon, version=version, perturb_all=perturb_all)
    if targeted:
        raise ValueError("targeted must be False: AutoAttack cannot aim at a class")
    pursuit = Pursuit(model, images, labels, False, on_step, perturb_all=perturb_all)
    generator = generator_for(images, generator)
    steps, queries = VERSIONS[version]
    budget: dict[str, Any] = {"epsilon": epsilon, "generator": generator}
    parts: tuple[tuple[int, Callable[..., Tensor]], ...] = (  # the most steps that an image takes, and the attack
        (steps, partial(apgd, iterations=steps, perturb_all=perturb_all, **budget)),
        (CLASSES * steps, partial(_apgd_t, iterations=steps, **budget)),
        (CLASSES * steps, partial(fab, iterations=steps, classes=CLASSES)),
        (queries, partial(square, max_queries=queries, **budget)),
    )
    rows = torch.arange(len(pursuit), device=images.device)  # not turned yet
    before, total = 0, len(pursuit) * sum(length for length, _ in parts)
    for length, attack in parts:
        if len(rows) == 0 or _run(attack, model, pursuit, rows, epsilon, before, len(pursuit) * length, total):
            break
        before += len(pursuit) * length
        rows = rows[~fooled(read(model, pursuit.best[rows]), pursuit.labels[rows], False)]
    return pursuit.result()


def _run(
    attack: Callable[..., Tensor],
    model: nn.Module,
    pursuit: Pursuit,
    rows: Tensor,
    epsilon: float,
    before: int,
    share: int,
    total: int,
) -> bool:
    """Run one of the attacks on the open images `rows` (R,), and keep what it finds; whether the caller stopped it.

    Args:
        before, share, total: the steps before it, its own at most, and those of all attacks.
    """
    clean, stopped = pursuit.images[rows], False

    def tell(step: Step) -> bool:
        nonlocal stopped
        delta = (step.best.double() - clean.double()).abs().amax((1, 2, 3))
        moved = (delta > 0) & (delta <= epsilon)  # FAB's examples may be larger
        pursuit.keep(step.best[moved], moved[moved], rows=rows[moved])
        stopped = pursuit.report(before + step.done * share // step.total, total, step.current, rows)
        return stopped

    attack(model, clean, pursuit.labels[rows], on_step=tell)
    return stopped


def _apgd_t(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    iterations: int,
    generator: torch.Generator,
    on_step: OnStep,
) -> Tensor:
    """APGD towards each of the most likely wrong classes, from a random point each; any wrong class is a success."""
    pursuit = Pursuit(model, images, labels, False, on_step)
    objective = difference_of_logits_ratio if pursuit.logits.shape[1] > 3 else cross_entropy
    targets = likeliest(pursuit, CLASSES)  # (M, T)

    def walk(rows: Tensor, start: Tensor, number: int, starts: int) -> tuple[Tensor, bool]:
        aims = targets[rows, number]
        return ascend(model, pursuit, rows, start, False, epsilon, iterations, objective, number, starts, aims)

    from_starts(pursuit, images, epsilon, generator, targets.shape[1], walk)
    return pursuit.result()


AUTOATTACK = Attack(
    id="autoattack",
    name="AutoAttack",
    norm="linf",
    kind="budget",
    access="gradients",
    targeted=False,
    options=(
        EPSILON,
        Option(
            "version", str, "standard", "The authors' standard, or a quick one to try out.", choices=tuple(VERSIONS)
        ),
        PERTURB_ALL,
    ),
    source="Croce and Hein 2020, section 5",
    cost=7000,
    function=autoattack,
    random=True,
)
