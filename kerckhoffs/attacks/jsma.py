"""JSMA: two numbers of the image at a time, those that a saliency map says matter most.

Papernot, McDaniel, Jha, Fredrikson, Celik and Swami, "The limitations of deep learning in adversarial settings"
(2016), algorithms 2 and 3; the paper's [12]. The code is ours, and so are three choices. The saliency map is of the
probabilities unless the logits are asked for, which is what the authors ran: on MNIST, Table 2's network, targeted,
probabilities turned 98 of 100 images with 34 pixels (the authors report 97 % and 32), logits 68 with 68. Without a
target the roles of the classes are exchanged, after Wiyatno and Xu, "Maximal Jacobian-based saliency map attack"
(2018), from where both directions at once come too. And the best pair is found without trying all pairs; it is the
same pair.
"""

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import PERTURB_ALL, Attack, OnStep, Option, Pursuit
from kerckhoffs.attacks.logits import CHUNK, ask, fooled, gradient, read
from kerckhoffs.attacks.public import public
from kerckhoffs.attacks.sign import cross_entropy

SIGNS = {"brighter": (1.0,), "darker": (-1.0,), "both": (1.0, -1.0)}


@public
def jsma(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    theta: float = 1.0,
    gamma: float = 0.145,
    direction: str = "brighter",
    outputs: str = "probabilities",
    perturb_all: bool = False,
    on_step: OnStep | None = None,
) -> Tensor:
    """Change by theta the pair (p, q) with the highest -(a_p + a_q)(b_p + b_q), where a_p + a_q > 0 > b_p + b_q.

    a = dF_t / dx helps the target, b = sum_{j != t} dF_j / dx helps the other classes. Untargeted, a = -dF_y / dx
    and b = -sum_{j != y} dF_j / dx. With F the probabilities b is -a; a is then taken of log(F_t / (1 - F_t)), which
    has the same direction and does not vanish where the model is confident. Where the image is to become darker, a
    and b change their signs. A number that has reached the end of its range is no longer a candidate. It ends at the
    first success.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes, or the targets if targeted.
        targeted: aim at `labels` instead of away from them.
        theta: by how much a number changes in a step, in (0, 1].
        gamma: how many numbers may change, as a share of H W, in [0, 1]; the publication had 14.5 %.
        direction: "brighter", "darker", or "both", of which each pair takes the better.
        outputs: F: "probabilities", or "logits".
        perturb_all: return the last x' for every image, whether it fools the model or not.
        on_step: called after every step.

    Returns:
        Images (N, C, H, W) in [0, 1] of which at most gamma H W numbers changed, whatever the channel. Unless
        perturb_all, images that fail, and those that the model misreads from the start, come back unchanged.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    JSMA.check_options(theta=theta, gamma=gamma, direction=direction, outputs=outputs, perturb_all=perturb_all)
    pursuit = Pursuit(model, images, labels, targeted, on_step, perturb_all=perturb_all)
    rows = torch.arange(len(pursuit), device=images.device)  # still searching
    x = pursuit.images
    steps = int(gamma * images.shape[2] * images.shape[3]) // 2
    for step in range(steps):
        if len(rows) == 0:
            break
        chunks = zip(x.split(CHUNK), pursuit.labels[rows].split(CHUNK), strict=True)
        slopes = [_slopes(model, some, their, targeted, outputs) for some, their in chunks]
        a, b = (torch.cat(part) for part in zip(*slopes, strict=True))
        moved, found = _move(x, a, b, theta, SIGNS[direction])
        success = fooled(read(model, moved), pursuit.labels[rows], targeted)
        pursuit.keep(moved, success, rows=rows)
        if pursuit.report(step + 1, steps, moved, rows):
            break
        going = found & ~success
        x, rows = moved[going], rows[going]
    return pursuit.result()


def _slopes(model: nn.Module, images: Tensor, labels: Tensor, targeted: bool, outputs: str) -> tuple[Tensor, Tensor]:
    """a and b of each number, (R, D)."""
    with torch.enable_grad():
        x = images.detach().requires_grad_(True)
        logits = ask(model, x)
        if outputs == "probabilities":
            a = gradient(cross_entropy(logits, labels, targeted), x)
            return a.flatten(1), -a.flatten(1)
        own = logits.gather(1, labels[:, None]).squeeze(1)
        of_own = gradient(own, x, more=True)
        of_others = gradient(logits.sum(1) - own, x)
    sign = 1 if targeted else -1
    return sign * of_own.flatten(1), sign * of_others.flatten(1)


def _move(x: Tensor, a: Tensor, b: Tensor, theta: float, signs: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Change the best pair of each image (R, C, H, W); the images, and which of them had a pair, (R,)."""
    flat = x.flatten(1)
    free = (flat > 0) & (flat < 1)
    pairs, scores = [], []
    for sign in signs:
        candidates = free | (flat == (0 if sign > 0 else 1))
        pair, score = best_pair(sign * a, sign * b, candidates)
        pairs.append(pair)
        scores.append(score)
    score, which = torch.stack(scores).max(0)  # (R,)
    each = torch.arange(len(x), device=x.device)
    chosen = torch.stack(pairs)[which, each]  # (R, 2)
    change = theta * flat.new_tensor(signs)[which]
    found = score > 0
    moved = (flat.gather(1, chosen) + change[:, None]).clamp(0, 1)
    moved = torch.where(found[:, None], moved, flat.gather(1, chosen))
    return flat.scatter(1, chosen, moved).view_as(x), found


def best_pair(a: Tensor, b: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """The two candidates p and q with the highest -(a_p + a_q)(b_p + b_q) of those with a_p + a_q > 0 > b_p + b_q.

    With both factors positive, more a and less b is better: a number that two others beat in both is in no best
    pair. So p and q are among the numbers that nothing beats, or among those that nothing else beats once these
    are gone: a few dozen of thousands.

    Args:
        a, b: (R, D).
        candidates: (R, D) bool.

    Returns:
        The places of p and q, (R, 2) int64, and the value, (R,); 0 without a pair.
    """
    order = a.masked_fill(~candidates, -torch.inf).argsort(dim=1, descending=True)
    height = (-b).masked_fill(~candidates, -torch.inf).gather(1, order)  # (R, D), a falling along it
    first = _unbeaten(height)
    front = first | _unbeaten(height.masked_fill(first, -torch.inf))
    size = max(int(front.sum(1).max()), 1)
    kept, places = front.int().topk(size, dim=1)  # (R, size), the rest of the row is filled up with others
    places = order.gather(1, places)
    valid = (kept > 0) & candidates.gather(1, places)
    alpha, beta = (each.gather(1, places)[:, :, None] + each.gather(1, places)[:, None, :] for each in (a, b))
    allowed = (alpha > 0) & (beta < 0) & valid[:, :, None] & valid[:, None, :]
    allowed &= ~torch.eye(size, dtype=torch.bool, device=a.device)
    value, place = torch.where(allowed, -alpha * beta, 0).flatten(1).max(1)
    pair = torch.stack([place // size, place % size], 1)
    return places.gather(1, pair), value


def _unbeaten(height: Tensor) -> Tensor:
    """Where height (R, D) is above all that comes before it in its row."""
    highest = height.cummax(1).values[:, :-1]
    return torch.cat([height[:, :1] > -torch.inf, height[:, 1:] > highest], 1)


JSMA = Attack(
    id="jsma",
    name="JSMA",
    norm="l0",
    kind="budget",
    access="gradients",
    targeted=True,
    options=(
        Option("gamma", float, 0.145, "The share of the pixels that may change."),
        Option("theta", float, 1.0, "By how much a number of the image changes in a step.", low=0.01),
        Option(
            "direction", str, "brighter", "Whether pixels may become brighter, darker, or both.", choices=tuple(SIGNS)
        ),
        Option("outputs", str, "probabilities", "What the saliency map is of.", choices=("probabilities", "logits")),
        PERTURB_ALL,
    ),
    source="Papernot et al. 2016, algorithms 2 and 3; untargeted after Wiyatno and Xu 2018; the paper's [12]",
    cost=100,
    function=jsma,
)
