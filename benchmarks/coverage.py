"""How often the interval of a key advantage holds the truth, by simulation.

    python -m benchmarks.coverage --draws 2000

Each draw makes K keyed classifiers, K controls and S samples, all anew. A classifier is wrong on a sample where

    c + a + b + d + e > 0:    a ~ N(0, s^2), b ~ N(0, 0.5), d ~ N(0, 0.2), e ~ N(0, 0.3),

a the classifier's own, b the sample's for all classifiers, d the sample's for all keyed ones or all controls, e the
rest, of this classifier and sample; c so that the error over all classifiers is the one wanted (a crossed probit
model; an error of 90 % is one of 10 % seen from the other side). So all truths are known: with several keys the
difference of the wanted errors, with one the difference of this pair's errors over all samples. Prints Markdown, and
what is done so far to stderr.
"""

import argparse
import sys
from dataclasses import dataclass
from itertools import product
from math import sqrt
from statistics import NormalDist, fmean

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from kerckhoffs.evaluation.advantage import advantage, error_over_keys
from kerckhoffs.evaluation.summaries import markdown

ERRORS = ((0.01, 0.01), (0.1, 0.1), (0.5, 0.5), (0.1, 0.01), (0.9, 0.5))  # of controls, of keyed
SPREADS = (0.0, 0.05, 0.25)  # s: nothing, or +-2 and +-10 points between classifiers at an error of 50 %
SHARED, SIDE = 0.5, 0.2
AT_ONCE = 100


@dataclass(frozen=True)
class Setting:
    """A population and a study of it."""

    control_error: float
    keyed_error: float
    spread: float
    keys: int
    samples: int


def draw(setting: Setting, draws: int, generator: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Who is wrong on what, (draws, 2, K, S), controls first; and each classifier's error, (draws, 2, K)."""

    def normal(*shape: int, variance: float) -> NDArray[np.float32]:
        return np.float32(sqrt(variance)) * generator.standard_normal(shape, np.float32)

    errors = setting.control_error, setting.keyed_error
    centre = np.array([NormalDist().inv_cdf(error) for error in errors], np.float32) * sqrt(1 + setting.spread**2)
    classifier = centre[:, None] + normal(draws, 2, setting.keys, variance=setting.spread**2)
    latent = normal(draws, 2, setting.keys, setting.samples, variance=1 - SHARED - SIDE)
    latent += normal(draws, 1, 1, setting.samples, variance=SHARED)
    latent += normal(draws, 2, 1, setting.samples, variance=SIDE)
    return latent > -classifier[..., None], ndtr(classifier.astype(np.float64))


def measure(setting: Setting, draws: int, generator: np.random.Generator) -> dict[str, float]:
    """Coverage and mean width of the intervals of the advantage and of the keyed error."""
    held: list[bool] = []
    held_error, widths = [], []
    while len(held) < draws:
        wrong, truths = draw(setting, min(AT_ONCE, draws - len(held)), generator)
        for (control, keyed), (of_control, of_keyed) in zip(wrong, truths, strict=True):
            one = setting.keys == 1
            error = float(of_keyed[0]) if one else setting.keyed_error
            truth = float(of_control[0]) - error if one else setting.control_error - error
            found, (_, low, high) = advantage(control, keyed), error_over_keys(keyed)
            held.append(found.low <= truth <= found.high)
            held_error.append(low <= error <= high)
            widths.append(found.high - found.low)
    return {"coverage": fmean(held), "width": fmean(widths), "coverage of the keyed error": fmean(held_error)}


def between_keys(error: float, spread: float) -> float:
    """The standard deviation of the errors of classifiers, by the quantiles of theirs."""
    at = np.array([NormalDist().inv_cdf((i + 0.5) / 2000) for i in range(2000)])
    return float(ndtr(NormalDist().inv_cdf(error) * sqrt(1 + spread**2) + spread * at).std())


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--keys", type=int, nargs="+", default=[1, 2, 3, 5, 10])
    parser.add_argument("--samples", type=int, nargs="+", default=[200, 1000])
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    lines = []
    for errors, spread, samples in product(ERRORS, SPREADS, options.samples):
        line: dict[str, str | int] = {
            "error % of control, keyed": ", ".join(f"{100 * each:g}" for each in errors),
            "points between keys": f"{100 * between_keys(errors[1], spread):.1f}",
            "samples": samples,
        }
        for keys in options.keys:
            found = measure(Setting(*errors, spread, keys, samples), options.draws, generator)
            cells = [f"{100 * found['coverage']:.1f}", f"{100 * found['width']:.1f}"]
            line[f"K = {keys}"] = " / ".join([*cells, f"{100 * found['coverage of the keyed error']:.1f}"])
        lines.append(line)
        print(*line.values(), file=sys.stderr)
    print(markdown(pd.DataFrame(lines)))


if __name__ == "__main__":
    main()
