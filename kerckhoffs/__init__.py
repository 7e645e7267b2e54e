"""Kerckhoffs: classifiers defended by a secret key, the attacks on them, and their honest evaluation.

The idea is from Taran, Rezaeifar and Voloshynovskiy, "Bridging machine learning and
cryptography in defence against adversarial attacks" (2018), called "the paper" everywhere here.
"""

from kerckhoffs.places import lazily

__version__ = "0.1.0"

__getattr__ = lazily(__name__, images="kerckhoffs.data.images")  # a public name, whose file data/ holds
