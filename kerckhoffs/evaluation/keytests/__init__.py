"""How good a key is: guessing it, wrong keys, exchanged places, parts of it, others' keys, its worth and its price.

subjects.py puts a trained network behind any key, lines.py makes all tests, report.py says what they show.
"""

from kerckhoffs.evaluation.keytests.absorbing import absorbed
from kerckhoffs.evaluation.keytests.entropy import Effective, effective
from kerckhoffs.evaluation.keytests.guesses import Guesses, guess
from kerckhoffs.evaluation.keytests.lines import TESTS, Line, examine, work
from kerckhoffs.evaluation.keytests.prices import Price, price, twin_of
from kerckhoffs.evaluation.keytests.subjects import Subject, fellows

__all__ = [
    "TESTS",
    "Effective",
    "Guesses",
    "Line",
    "Price",
    "Subject",
    "absorbed",
    "effective",
    "examine",
    "fellows",
    "guess",
    "price",
    "twin_of",
    "work",
]
