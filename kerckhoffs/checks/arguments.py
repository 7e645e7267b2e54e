"""Checks at the public entries: one sentence that names the argument, its value and what to do."""

from typing import Any

import torch
from torch import Tensor


class FileRefused(ValueError):
    """A file that is missing, unreadable, malformed, or not what its record says it is."""


def plain(value: Any) -> Any:
    """A scalar of NumPy, or a tensor or an array without dimensions, as Python's own; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def check_images(images: Tensor, name: str = "images") -> None:
    """Refuse anything but float32 (N, C, H, W), N >= 1, finite, in [0, 1].

    Raises:
        ValueError: naming the argument and the value that is wrong.
    """
    if not isinstance(images, Tensor):
        raise ValueError(
            f"{name} must be a torch.Tensor, but is a {type(images).__name__}; torch.as_tensor({name}) makes one"
        )
    images = images.detach()
    if images.dtype != torch.float32:
        levels = "" if images.dtype.is_floating_point else " / 255"
        raise ValueError(f"{name} must be float32, but is {_name(images.dtype)}; take {name}.float(){levels}")
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(f"{name} must have shape (N, C, H, W) with no empty side, but has {tuple(images.shape)}")
    if not bool(torch.isfinite(images).all()):
        raise ValueError(
            f"{name} must be finite, but {int((~torch.isfinite(images)).sum())} values are NaN or infinite"
        )
    low, high = float(images.min()), float(images.max())
    if low < 0 or high > 1:
        raise ValueError(f"{name} must lie in [0, 1], but range from {low:g} to {high:g}")


def check_labels(labels: Tensor, count: int, name: str = "labels") -> None:
    """Refuse anything but int64 (N,) of class numbers >= 0, N = `count`.

    Raises:
        ValueError: naming the argument and the value that is wrong.
    """
    if not isinstance(labels, Tensor):
        raise ValueError(
            f"{name} must be a torch.Tensor, but is a {type(labels).__name__}; torch.as_tensor({name}) makes one"
        )
    if labels.dtype != torch.int64 or labels.shape != (count,):
        todo = "" if labels.dtype == torch.int64 else f"; take {name}.long()"
        found = f"{_name(labels.dtype)} of shape {tuple(labels.shape)}"
        raise ValueError(f"{name} must be int64 of shape ({count},), but is {found}{todo}")
    if bool((labels < 0).any()):
        raise ValueError(f"{name} must be class numbers from 0, but one is {int(labels.min())}")


def check_choice(value: object, choices: object, name: str) -> None:
    """Refuse a value that is not among the choices (any iterable of strings).

    Raises:
        ValueError: naming the argument, its value and the choices.
    """
    known = [str(choice) for choice in choices]  # type: ignore[attr-defined]
    if value not in known:
        raise ValueError(f"unknown {name} {value!r}; choose one of: {', '.join(known)}")
