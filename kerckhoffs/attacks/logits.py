"""How attacks read a model: its logits, who is fooled by how much, and which way leads there."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

CHUNK = 128
"""Images in one forward, and backward, at most: bounds the memory, and fits the caches that were tried."""
MASKED = 1000.0
"""A class that trails by more logits than these counts for nothing: models hide classes by -1e9 or -inf."""

NO_GRADIENT = "model gives no gradient (it detaches its input): take an attack that reads scores or labels"
NAN_GRADIENT = "model must have a gradient of numbers, but some of it is NaN"

Objective = Callable[[Tensor, Tensor, bool], Tensor]
"""From logits (R, K), labels (R,) and targeted to what is to be raised, (R,)."""


def ask(model: nn.Module, images: Tensor) -> Tensor:
    """The logits of images (R, C, H, W), (R, K) float32, with their graph if there is one.

    Raises:
        ValueError: as `answer` does, or if one is NaN, which would pass for robust.
    """
    logits = answer(model, images)
    if bool(logits.isnan().any()):
        raise ValueError("model must return numbers, but some of its logits are NaN")
    return logits


def answer(model: nn.Module, images: Tensor) -> Tensor:
    """What the model returns for images (R, C, H, W), numbers or not, (R, K) float32.

    Raises:
        ValueError: if the model does not return (R, K) with K >= 2, or if it is of another precision, or was made
            under torch.inference_mode, and so cannot take the images.
    """
    try:
        logits = model(images)
    except RuntimeError as error:
        _explain(model, error)
        raise
    if not isinstance(logits, Tensor):
        raise ValueError(f"model must return logits (N, K), but returned a {type(logits).__name__}")
    if logits.ndim != 2 or len(logits) != len(images) or logits.shape[1] < 2:
        raise ValueError(f"model must return logits (N, K) with K >= 2, but returned shape {tuple(logits.shape)}")
    return logits.float()


def _explain(model: nn.Module, error: RuntimeError) -> None:
    """Say what a model that failed on float32 images has in the way of them, if it is one of these two."""
    for parameter in model.parameters():
        if parameter.is_floating_point() and parameter.dtype != torch.float32:
            found = str(parameter.dtype).removeprefix("torch.")
            raise ValueError(
                f"model must take float32 images, but fails on them, and has weights in {found}: "
                "call model.float(), or let it convert its input itself"
            ) from error
        if parameter.is_inference():
            raise ValueError(
                "model must have weights that gradients can pass, but was made under torch.inference_mode: "
                "make or load it outside"
            ) from error


def read(model: nn.Module, images: Tensor) -> Tensor:
    """The logits of images (N, C, H, W), in chunks and without a graph, (N, K) float32.

    Raises:
        ValueError: as `ask` does.
    """
    with torch.no_grad():
        return torch.cat([ask(model, chunk).detach() for chunk in images.detach().split(CHUNK)])


def look(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    targeted: bool,
    objective: Objective,
    *,
    weights: Tensor | None = None,
    last: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """An objective at images (R, C, H, W) with its gradient, in chunks.

    Args:
        weights: (R,), what each image's objective is multiplied by; left out, 1.
        last: leave out the gradient, because no step follows.

    Returns:
        The objective (R,), its gradient (R, C, H, W), zeros if last, and the logits (R, K).

    Raises:
        ValueError: as `ask` and `gradient` do.
    """
    parts = []
    weights = images.new_ones(len(images)) if weights is None else weights
    for x, aims, weight in zip(images.detach().split(CHUNK), labels.split(CHUNK), weights.split(CHUNK), strict=True):
        with torch.set_grad_enabled(not last):
            x.requires_grad_(not last)
            logits = ask(model, x)
            value = weight * objective(logits, aims, targeted)
        slope = torch.zeros_like(x) if last else gradient(value, x)
        parts.append((value.detach(), slope, logits.detach()))
    value, slope, logits = (torch.cat(part) for part in zip(*parts, strict=True))
    return value, slope, logits


def gradient(value: Tensor, x: Tensor, *, more: bool = False) -> Tensor:
    """The gradient (R, C, H, W) of each row's value (R,) with respect to its image.

    Args:
        more: whether the graph is needed again.

    Raises:
        ValueError: if the model gives no gradient, or one with NaN: the attack would stand still, and the model pass
            for robust.
    """
    found = None
    if value.requires_grad:
        with torch.enable_grad():  # given weights in place of the sum, torch would first import sympy: 0.7 s
            total = value.sum()
        (found,) = torch.autograd.grad(total, x, retain_graph=more, allow_unused=True)
    if found is None:
        raise ValueError(NO_GRADIENT)
    if bool(found.isnan().any()):
        raise ValueError(NAN_GRADIENT)
    return found


def margins(logits: Tensor, labels: Tensor, targeted: bool) -> Tensor:
    """How far each example is from success, (N,): negative where the model is fooled.

    Untargeted Z_y - max_{j != y} Z_j, targeted max_{j != t} Z_j - Z_t (Carlini and Wagner 2017, section 6).
    """
    column = labels[:, None]
    own = logits.gather(1, column).squeeze(1)
    others = logits.scatter(1, column, -torch.inf).amax(1)
    return others - own if targeted else own - others


def beaten(margin: Tensor, logits: Tensor, confidence: float = 0.0) -> Tensor:
    """Where margins (N,) of logits (N, K) are beaten by at least `confidence`, (N,) bool.

    A hair more is asked for than equality (1e-5 of the largest logit that is not MASKED), because the logits of one
    image differ by rounding from batch to batch, and a success must stay one when the image is judged alone.
    """
    in_play = logits > logits.amax(1, keepdim=True) - MASKED
    return margin + confidence < -1e-5 * logits.abs().where(in_play, 0).amax(1)


def fooled(logits: Tensor, labels: Tensor, targeted: bool, confidence: float = 0.0) -> Tensor:
    """Where the model says what the attack wants, by at least `confidence`, (N,) bool; see `beaten`."""
    return beaten(margins(logits, labels, targeted), logits, confidence)
