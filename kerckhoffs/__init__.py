"""Kerckhoffs: classifiers defended by a secret key, the attacks on them, and their honest evaluation.

The idea is from Taran, Rezaeifar and Voloshynovskiy, "Bridging machine learning and
cryptography in defence against adversarial attacks" (2018), called "the paper" everywhere here.
"""

from kerckhoffs import moved

__version__ = "0.1.0"

moved.install()
