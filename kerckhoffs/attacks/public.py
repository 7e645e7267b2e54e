"""How a public function of an attack is entered, whether through the registry or by its name."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from kerckhoffs.checks import in_float32, plain

P = ParamSpec("P")
R = TypeVar("R")


def public(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function `in_float32`, with scalars of NumPy and torch among its options made Python's own."""

    @wraps(function)
    def entered(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in kwargs.items():
            kwargs[name] = plain(value)
        with in_float32():
            return function(*args, **kwargs)

    return entered
