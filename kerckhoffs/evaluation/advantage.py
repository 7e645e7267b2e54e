"""The key advantage: what the key takes from an attack that a classifier without a key does not withstand.

It is the attacked error of the control minus that of the keyed classifier, on the same examples. Keys and samples are
both drawn from many, and each key meets each sample: a crossed layout of two random factors, as readers and cases are
in studies of diagnoses (Dorfman, Berbaum & Metz 1992; Hillis 2007). An interval that only draws the samples anew says
how well these keys are known, not the defence: with keys that differ by some points it misses the truth more often
than it holds it. results/ladder/coverage.md has how often the intervals below hold it.

What an interval does not draw anew is fixed: the attack, and the models that it was crafted on where all keys share
them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kerckhoffs.evaluation.metrics import wilson

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.95
ALIKE = ("dataset", "split", "attack", "options", "targets")
"""What all rows of an advantage have to share."""


@dataclass(frozen=True)
class Advantage:
    """The key advantage in [-1, 1], with the ends of its interval, and the errors in [0, 1] that it is made of.

    The interval is about the defender's keys at large, each with a network trained anew; with `keys` 1 it is about
    this one key, and says nothing of others.
    """

    value: float
    low: float
    high: float
    keys: int
    samples: int
    control_error: float
    keyed_error: float


def advantage(control: NDArray[np.bool_], keyed: NDArray[np.bool_], level: float = LEVEL) -> Advantage:
    """The key advantage over pairs of a keyed classifier and a control, all trained apart.

    Two samples are added to the interval's, one that speaks for the key and one against it (Bonett & Price 2012): it
    holds what it says at errors near 0 and 1 too, and keeps a width where all samples say the same. With one key it is
    their interval.

    Args:
        control, keyed: bool (K, S), wrong after the attack: each row a pair's, each column a sample.

    Raises:
        ValueError: unless both are bool of one shape with at least a key and a sample, and 0 < level < 1.
    """
    control, keyed = _checked(control, level, "control"), _checked(keyed, level, "keyed")
    if control.shape != keyed.shape:
        raise ValueError(f"control and keyed must have the same shape, but have {control.shape} and {keyed.shape}")
    value, low, high = _interval(control.astype(np.float64) - keyed, (1, -1), level)
    return Advantage(
        value=value,
        low=max(low, -1.0),
        high=min(high, 1.0),
        keys=len(keyed),
        samples=keyed.shape[1],
        control_error=float(control.mean()),
        keyed_error=float(keyed.mean()),
    )


def error_over_keys(wrong: NDArray[np.bool_], level: float = LEVEL) -> tuple[float, float, float]:
    """The attacked error over keys and samples, with the ends of its interval, in [0, 1].

    With one key Wilson's. With several two samples that are wrong and two that are right are added to the interval's
    (Agresti & Coull 1998), which moves the middle to where Wilson's is.

    Args:
        wrong: bool (K, S), wrong after the attack.

    Raises:
        ValueError: unless it is bool with at least a key and a sample, and 0 < level < 1.
    """
    wrong = _checked(wrong, level, "wrong")
    if len(wrong) == 1:
        return float(wrong.mean()), *wilson(int(wrong.sum()), wrong.size, level)
    share, low, high = _interval(wrong.astype(np.float64), (1, 1, 0, 0), level)
    return share, max(low, 0.0), min(high, 1.0)


def from_rows(rows: "pd.DataFrame", keyed: Sequence[str], controls: Sequence[str], level: float = LEVEL) -> Advantage:
    """The key advantage from rows of an evaluation (examples.COLUMNS), matched by the sample's index.

    An attack that asks the model is crafted on each evaluated model itself, so rows need not share who they were
    crafted on: only rows that belong together may be given. Those of other evaluated models are left out.

    Args:
        keyed, controls: ids of evaluated models; controls[k] is held against keyed[k].

    Raises:
        ValueError: with a sentence, if the ids are no pairs of different models; if rows are missing, of several
            attacks or targeted; if some models were crafted on, but not each for itself; or if there is not one example
            a sample, of the same samples for all.
    """
    names = [*keyed, *controls]
    if not names or len(keyed) != len(controls):
        raise ValueError(f"each keyed classifier needs its control, but there are {len(keyed)} and {len(controls)}")
    if len(set(names)) < len(names):
        raise ValueError("a classifier is named twice: each key needs a control of its own, trained apart")
    rows = rows[rows["evaluated_on"].isin(names)].sort_values("index")
    for name in ALIKE:
        if rows[name].nunique() > 1:
            raise ValueError(f"the rows must share their {name}, but have {sorted(map(str, rows[name].unique()))}")
    if rows["target"].notna().any():
        raise ValueError("the rows must be untargeted: an attacked error counts any wrong class")
    if rows["crafted_on"].isin(names).any() and not (rows["crafted_on"] == rows["evaluated_on"]).all():
        raise ValueError("some were attacked themselves and some were not: the attacker has to see all or none of them")
    wrong, first = [], None
    for name in names:
        own = rows[rows["evaluated_on"] == name]
        seen = own[["index", "label"]].to_numpy(np.int64)
        if len(own) == 0:
            raise ValueError(f"no rows are evaluated on {name}")
        if own["index"].duplicated().any():
            raise ValueError(f"{name} has several examples of a sample: give those of one seed and crafted-on model")
        if first is not None and not np.array_equal(seen, first):
            raise ValueError(f"{name} was not shown the samples of {names[0]}")
        first = seen
        wrong.append(own["after"].to_numpy(np.int64) != seen[:, 1])
    return advantage(np.array(wrong[len(keyed) :]), np.array(wrong[: len(keyed)]), level)


def _interval(values: NDArray[np.float64], added: Sequence[float], level: float) -> tuple[float, float, float]:
    """The mean of values (K, S), keys and samples crossed, with the ends of its interval; `added` are samples beside.

    With the mean squares of keys, samples and both, the variance of the mean is estimated by
    (MS_K + max(MS_S - MS_KS, 0)) / (K S), MS_K with K - 1 degrees of freedom. Those of Satterthwaite for the sum
    (Hillis 2007) are too many whenever few keys happen to agree, and hold the truth as rarely as 85 times in 100 with
    two; so each part has its own quantile: t^2 MS_K + z^2 max(MS_S - MS_KS, 0). Of normal means and independent
    parts this never holds less than the level (Banerjee 1960). It is at least z^2 MS_S, what the samples leave open
    when the keys are fixed.
    """
    value = float(values.mean())
    padded = np.hstack([values, np.tile(np.array(added, dtype=np.float64), (len(values), 1))])
    keys, samples = padded.shape
    sums, column_sums = padded.sum(1), padded.sum(0)
    middle = float(sums.sum()) / padded.size
    square = padded.size * middle**2
    of_keys = float(sums @ sums) / samples - square  # the sums of squares, of keys, samples and all
    of_samples = float(column_sums @ column_sums) / keys - square
    of_all = float(np.vdot(padded, padded)) - square
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    by_sample = of_samples / (samples - 1)
    wide = z2 * by_sample
    if keys > 1:
        from scipy.special import stdtrit  # slow, and one key does without

        t2 = float(stdtrit(keys - 1, (1 + level) / 2)) ** 2
        by_both = (of_all - of_keys - of_samples) / ((keys - 1) * (samples - 1))
        wide = max(wide, t2 * of_keys / (keys - 1) + z2 * max(by_sample - by_both, 0.0))
    half = sqrt(wide / padded.size)
    # The added samples pull the middle inwards; at low levels an extreme mean would lie outside.
    return value, min(middle - half, value), max(middle + half, value)


def _checked(wrong: NDArray[np.bool_], level: float, name: str) -> NDArray[np.bool_]:
    wrong = np.asarray(wrong)
    if wrong.dtype != np.bool_ or wrong.ndim != 2 or wrong.size == 0:
        raise ValueError(f"{name} must be bool (keys, samples), neither of them 0, but is {wrong.dtype} {wrong.shape}")
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, but is {level}")
    return wrong
