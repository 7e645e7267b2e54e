"""Recover the secret order of the pixels from the trained network behind it and the data that it was trained on.

The attacker of Kerckhoffs' principle: all is known but the key. The order is sought as a distribution over orders that
is drawn from, pixel by pixel, and sharpened where the network reads the training images better: Gibbs weights of
accumulated evidence, made doubly stochastic by Sinkhorn's scaling (Sinkhorn and Knopp 1967; Adams and Zemel 2011,
"Ranking via Sinkhorn propagation"), which is mirror descent with the entropy as its mirror on the polytope of doubly
stochastic matrices. Each network input is a draw, not a mixture of pixels as in relaxations of one matrix (Mena et al.
2018, "Learning latent permutations with Gumbel-Sinkhorn networks"): a mixture is grey, no input that the network has
learned to read, and there are many mixtures that it happens to read well without being near an order.
"""

from collections.abc import Callable

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.nn import functional as F

OnShare = Callable[[float], bool | None]
"""Told the share of the iterations that are done, after each; a true answer stops the search."""

SPREAD = (0.65, 0.25)  # the loss's temperature, in standard deviations of an image's logits, from first to last; >= 1
NOISE = 1.06  # the standard deviation that random batches alone would give to the evidence, in nats
FORGETTING = (0.01, 0.0005)  # the share of the evidence that a step forgets, from first to last
HELD = 0.25  # the share of the iterations before the two begin to fall
DIM = 0.02  # added to a pixel's standard deviation, in [0, 1]: one that hardly ever has ink tells nothing
WARM = 20  # Sinkhorn's scalings of the first step; later ones start from the last scale
SCALINGS = 5


def recover(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    seed: int = 0,
    iterations: int = 2500,
    batch_size: int = 64,
    on_step: OnShare | None = None,
) -> Tensor:
    """The order with which `network` was trained behind transforms.Permutation, as far as it can be found.

    Evidence E[j, i] speaks for pixel i at place j. In each step every image of a batch is put together by drawing, for
    each place, a pixel of that image from the doubly stochastic P ~ exp(E); with g the gradient of the loss at what the
    network sees,

        E <- (1 - f) E - s mean(g_j x_i) / (rms(g_j) std(x_i)),

    so that all entries have about the same noise; at first x_i is taken from its mean. f falls geometrically
    (FORGETTING): evidence was gathered while the other places held other pixels, and is worth less the longer ago. s
    goes with the root of f, which keeps the noise of E as it is (NOISE) while what is true of many batches grows as
    1 / root f: an annealing. So does the temperature of the loss (SPREAD), down to what the network was trained with.

    Places that never carry ink look the same to every network; those are given in any order.

    Args:
        network: permuted images (N, C, H, W) to logits (N, K), trained.
        images: float32 (N, C, H, W) in [0, 1], of the training data, not permuted.
        labels: int64 (N,), their classes.
        seed: of all that is drawn; with the same one the same order is found.
        iterations: steps, one gradient of batch_size images each; >= 1.
        batch_size: images of a step, drawn with replacement.
        on_step: called after every step.

    Returns:
        int64 (C * H * W,), from where each value comes: images.flatten(1)[:, order] is what the network reads best.

    Raises:
        ValueError: if iterations or batch_size is below 1, or there are no images, or as many labels.
    """
    if iterations < 1 or batch_size < 1:
        raise ValueError(f"iterations and batch_size must be at least 1, but are {iterations} and {batch_size}")
    if not len(images) or len(images) != len(labels):
        raise ValueError(f"as many labels as images are needed, at least 1, but there are {len(labels)}, {len(images)}")
    training = network.training
    network.eval()
    try:
        evidence = _gather(network, images, labels, seed, iterations, batch_size, on_step)
    finally:
        network.train(training)
    _, order = linear_sum_assignment(evidence.double().numpy(), maximize=True)
    return torch.from_numpy(order).to(torch.int64)


def _gather(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    seed: int,
    iterations: int,
    batch_size: int,
    on_step: OnShare | None,
) -> Tensor:
    """The evidence (D, D), for each place (row) and pixel (column), after all steps."""
    generator = torch.Generator().manual_seed(seed)
    pixels = images.flatten(1)
    count, size = pixels.shape
    mean = pixels.mean(0)
    spread = pixels.std(0, correction=0) + DIM
    evidence = torch.zeros(size, size)
    scale = torch.ones(size)
    square = torch.zeros(size)  # of each place's gradient, averaged over the last steps
    width = 0.0  # the standard deviation of an image's logits, averaged over the last steps
    for step in range(1, iterations + 1):
        chances, scale = _doubly_stochastic(evidence, scale, WARM if step == 1 else SCALINGS)
        chosen = torch.randint(count, (batch_size,), generator=generator)
        batch, classes = pixels[chosen], labels[chosen]
        seen = batch.gather(1, _draw(chances, batch_size, generator)).view(-1, *images.shape[1:]).requires_grad_()
        logits = network(seen)
        annealed = max(0.0, (step / iterations - HELD) / (1 - HELD))
        # At temperature 1 the few images that are misread outweigh what all others tell. At a high one nothing is ever
        # read well enough, and pixels that tell classes apart push others from their places.
        wide = float(logits.detach().std(1).mean())
        width = wide if step == 1 else width + 0.05 * (wide - width)
        loss = F.cross_entropy(logits / max(1.0, _between(SPREAD, annealed) * width), classes, reduction="sum")
        gradient = torch.autograd.grad(loss, seen)[0].flatten(1)
        square += (gradient.square().mean(0) - square) / min(step, 50)
        strength = square.sqrt()
        strength += 0.1 * strength.mean() + torch.finfo(torch.float32).tiny
        # While all is unknown, brightness says how much ink the network is used to, not where: only later it helps.
        told = gradient.T @ (batch if annealed else batch - mean) / (strength[:, None] * spread * batch_size**0.5)
        forgotten = _between(FORGETTING, annealed)
        evidence = (1 - forgotten) * evidence - NOISE * (2 * forgotten) ** 0.5 * told
        if on_step is not None and on_step(step / iterations):
            break
    return evidence


def _between(ends: tuple[float, float], part: float) -> float:
    """From the first, at part 0, to the last, at part 1, by equal ratios."""
    first, last = ends
    return float(first * (last / first) ** part)


def _doubly_stochastic(evidence: Tensor, scale: Tensor, times: int) -> tuple[Tensor, Tensor]:
    """exp(evidence) with rows and columns scaled to sums of 1, those of the rows exactly; and the columns' scale."""
    weights = (evidence - evidence.amax(1, keepdim=True)).exp()
    tiny = 1e-30
    for _ in range(times):
        rows = 1 / (weights @ scale).clamp_min(tiny)
        scale = 1 / (weights.T @ rows).clamp_min(tiny)
    scale = scale / scale.mean()
    chances = weights * scale
    return chances / chances.sum(1, keepdim=True), scale


def _draw(chances: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """One pixel for every place, for each of `count` images, (count, D), from the rows of chances (D, D).

    Places draw on their own, so that a pixel may appear twice in an image, or not at all: an order drawn as a whole
    would take an assignment problem for each image.
    """
    sums = chances.cumsum(1)
    thrown = torch.rand(len(chances), count, generator=generator) * sums[:, -1:]
    return torch.searchsorted(sums, thrown).clamp_max(chances.shape[1] - 1).T
