"""What may be switched on around a call: torch's and NumPy's states that reach into every function."""

import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import torch

PRODUCTS = (
    torch.backends.mkldnn.matmul,
    torch.backends.mkldnn.conv,
    torch.backends.cuda.matmul,
    torch.backends.cudnn.conv,
)


@contextmanager
def default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def matmul_precision():
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")


@contextmanager
def fp32_precision():
    torch.backends.fp32_precision = "bf16"
    try:
        yield
    finally:
        torch.backends.fp32_precision = "none"


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


STATES = {
    "default dtype float64": default_dtype,
    "another default device": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference mode": torch.inference_mode,
    "no_grad": torch.no_grad,
    "products of medium precision": matmul_precision,
    "bfloat16 in every backend": fp32_precision,
    "deterministic algorithms": deterministic,
    "NumPy raises": lambda: np.errstate(all="raise"),
    "warnings as errors": warnings_are_errors,
}
every_state = pytest.mark.parametrize("state", STATES.values(), ids=STATES)


def _matmul_precision():
    """What torch says by its older name; it refuses to where the newer names, read beside it, say something else."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return "refused"


def states():
    """What is switched on now."""
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_autocast_enabled("cpu"),
        torch.is_inference_mode_enabled(),
        torch.is_grad_enabled(),
        _matmul_precision(),
        torch.backends.fp32_precision,
        tuple(kind.fp32_precision for kind in PRODUCTS),
        torch.are_deterministic_algorithms_enabled(),
        np.geterr(),
        list(warnings.filters),
    )


class Watched(torch.nn.Module):
    """A model that refuses to be asked in anything but plain float32."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        assert images.dtype == torch.float32
        assert not torch.is_autocast_enabled("cpu")
        assert not torch.is_inference_mode_enabled()
        kinds = PRODUCTS if torch.backends.cuda.is_built() else PRODUCTS[:2]
        assert {kind.fp32_precision for kind in kinds} <= {"ieee", "none"}
        return self.model(images)
