"""The arithmetic that documented numbers rest on: float32, whatever the caller has switched on around the call.

torch has states that reach into every function: mixed precision (torch.autocast), inference mode, switched-off
gradients, and TensorFloat-32 or bfloat16 in place of float32 products. Under them an attack fails or stands still, and
a judge misreads images that it would read. What is public and has numbers to keep runs `in_float32`. The default dtype
and the default device need no such thing: tensors are made with both named.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any

import torch

AUTOCASTS = ("cpu", "cuda", "mps", "xpu")


@contextmanager
def in_float32() -> Iterator[None]:
    """No autocast, no inference mode, gradients on, float32 products in full; as it was afterwards.

    To be used with `with`, or as a decorator of a whole function.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))  # switches gradients on, too
        for device in AUTOCASTS:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        _FULL.enter()
        stack.callback(_FULL.leave)
        yield


class _FullProducts:
    """Products of float32 numbers in full for as long as anyone is inside.

    These settings are the whole process', and threads come and go in any order: the first one in notes them, the last
    one out puts them back.
    """

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0
        self._before: list[tuple[Any, str]] = []

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                for kind in _products():
                    self._raise(kind)

    def _raise(self, kind: Any) -> None:
        """Ask one kind of product for full precision."""
        found = kind.fp32_precision
        if found in ("ieee", "none"):
            return
        kind.fp32_precision = "none"
        self._before.append((kind, "none" if kind.fp32_precision == found else found))  # none: taken from its parent
        kind.fp32_precision = "ieee"

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            while self._before and not self._inside:
                kind, precision = self._before.pop()
                kind.fp32_precision = precision


def _products() -> tuple[Any, ...]:
    """torch's settings of the products that a model takes on the machines that this torch is built for."""
    backends: Any = torch.backends
    kinds = (backends.mkldnn.matmul, backends.mkldnn.conv)
    return (*kinds, backends.cuda.matmul, backends.cudnn.conv) if backends.cuda.is_built() else kinds


_FULL = _FullProducts()
