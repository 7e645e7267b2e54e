"""Attacks side by side with those of other libraries, measured from outside."""

from kerckhoffs.bench.measurement import (
    NORMS,
    TARGETS,
    Contestant,
    Result,
    examples,
    measure,
    notes,
    report,
    security_curve,
    summary,
    table,
    warm_up,
)

__all__ = [
    "NORMS",
    "TARGETS",
    "Contestant",
    "Result",
    "examples",
    "measure",
    "notes",
    "report",
    "security_curve",
    "summary",
    "table",
    "warm_up",
]
