"""What a network that learns reads wrong, and how it may compute."""

from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kerckhoffs.checks.arithmetic import in_float32

AT_ONCE = 500


@dataclass(frozen=True, order=True)
class Score:
    """What an epoch's weights are chosen by, in this order; smaller is better.

    Args:
        attacked_error: share wrong of the attacked validation samples; 0 where the training attacks none.
        error: share wrong of all validation samples.
        loss: their mean cross-entropy.
    """

    attacked_error: float
    error: float
    loss: float


@in_float32()
def error_rate(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of images whose prediction is not their label, in [0, 1]."""
    return _read(model, images, labels)[0]


@in_float32()
def score(model: nn.Module, validation: tuple[Tensor, Tensor], attacked: tuple[Tensor, Tensor] | None = None) -> Score:
    """A model on the validation samples, and on attacked ones if there are any."""
    error, loss = _read(model, *validation)
    return Score(_read(model, *attacked)[0] if attacked else 0.0, error, loss)


def _read(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[float, float]:
    with torch.inference_mode():
        logits = torch.cat([model(batch) for batch in images.split(AT_ONCE)])
    wrong = int((logits.argmax(1) != labels).sum())
    return wrong / len(labels), float(F.cross_entropy(logits, labels))


def bfloat16_is_fast() -> bool:
    """Whether this processor multiplies bfloat16 matrices in hardware."""
    with suppress(AttributeError, RuntimeError):
        abilities = torch.cpu.get_capabilities()
        return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))
    return False
