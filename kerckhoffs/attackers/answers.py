"""Those who have nothing but an image, or the classifier's answers: noise, labels, scores.

What the two latter craft on is the defended classifier itself, of which they see no more than `reads` says.
"""

from kerckhoffs.attackers.base import Attacker, itself

NOISE_SUMMARY = (
    "No attacker at all: random noise of the same size. What that misleads, any change misleads; no attack is needed."
)
NOISE = Attacker(
    id="noise",
    name="Noise: nothing is known",
    summary=NOISE_SUMMARY,
    without_key=("Noise: nothing is known", NOISE_SUMMARY),
    hidden=("transform", "key", "network", "weights"),
    model=itself,
    reads=("nothing",),
    alone=True,
)

LABELS = Attacker(
    id="labels",
    name="Black box: labels",
    summary="The attacker asks the keyed classifier and is told the class, nothing else: a key does not hide the "
    "answers.",
    without_key=(
        "Black box: labels",
        "The attacker asks the classifier and is told the class, nothing else.",
    ),
    hidden=("transform", "key", "network", "weights"),
    model=itself,
    reads=("labels",),
    alone=True,
)

SCORES = Attacker(
    id="scores",
    name="Black box: scores",
    summary="The attacker asks the keyed classifier and is told the probabilities of the classes: as many queries as "
    "there are pixels give the whole gradient, key or no key.",
    without_key=(
        "Black box: scores",
        "The attacker asks the classifier and is told the probabilities of the classes, never a gradient.",
    ),
    hidden=("transform", "key", "network", "weights"),
    model=itself,
    reads=("scores", "labels"),
    alone=True,
)
