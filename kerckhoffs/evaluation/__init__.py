"""Examples judged: experiments (what), judge and examine (how), runs and engines (where), summaries, flags."""

from kerckhoffs.evaluation.examples import COLUMNS, Samples, evaluate, examine, samples
from kerckhoffs.evaluation.experiments import Experiment
from kerckhoffs.evaluation.judge import Counted, Verdict, percent, predict, predictions, succeeded
from kerckhoffs.evaluation.metrics import Distances, distances, wilson

__all__ = [
    "COLUMNS",
    "Counted",
    "Distances",
    "Experiment",
    "Samples",
    "Verdict",
    "distances",
    "evaluate",
    "examine",
    "percent",
    "predict",
    "predictions",
    "samples",
    "succeeded",
    "wilson",
]
