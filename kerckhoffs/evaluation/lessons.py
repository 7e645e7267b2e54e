"""What each rung of the ladder shows, in two sentences: one that holds anywhere, and one with what was measured."""

import pandas as pd

from kerckhoffs.evaluation import ladder

LESSONS: dict[str, str] = {
    "noise": "Random noise of the same size knows nothing and aims at nothing, so what it misleads is a weakness of "
    "the classifier and no work of an attacker.",
    "labels": "A key does not hide the answers: whoever may ask often enough walks along the border between two "
    "classes, as near as patience allows.",
    "scores": "Probabilities say in which direction the classifier gives way, so a few hundred questions do what "
    "gradients do, with the key where it is.",
    "data": "Networks that learn the same digits learn some of the same mistakes: not even the design has to be known.",
    "twin": "This is the paper's attacker, who has all but the key and attacks a network without one.",
    "twin-alike": "A defence is public, its seeds are not: a twin that is trained as the classifier was shows how much "
    "of a defence is only that the attacker's network was another one.",
    "own-key": "Whoever draws a key of their own and trains behind it attacks a network that has to live with a "
    "permutation too, and shares what follows from that.",
    "own-key-alike": "With a key of their own and the same way of training, the attacker lacks nothing but the "
    "defender's key: what is left is what the key itself is worth.",
    "own-keys": "What several networks behind several keys have in common does not depend on the key, so an example "
    "against their mean carries over further than one against any of them.",
    "substitute": "The answers to enough questions teach a network to give the same answers, and it is attacked in "
    "place of the one that gave them.",
    "bypass": "With the weights the attacker can learn a map that makes the network right again without the key; but "
    "it is another function, and attacking it is attacking one more surrogate.",
    "recovery": "Weights that were trained behind a key tell of the key: a search under which order they read the "
    "data best finds a part of it.",
    "part-of-key": "Whoever guesses the rest of a key that leaked in part gets as far as the curve over the leaked "
    "share says, and has better ways to use little of it: those of the rungs above.",
    "key": "With the key the classifier is an ordinary one, and nothing about it was made to withstand an attack.",
}
"""The first sentence of each attacker's."""


def lesson(attacker: str, points: pd.DataFrame, epsilon: float) -> str:
    """Both sentences for an attacker at a budget; the first alone where nothing was measured.

    Args:
        points: as evaluation.ladder.points gives them; of an attacker with several options the strongest counts.
    """
    best = ladder.top(points, attacker, epsilon)
    if best is None:
        return LESSONS[attacker]
    said = f"{LESSONS[attacker]} Here, at ε {epsilon:g}, it leaves {ladder.share(best)} % wrong"
    if pd.isna(best["advantage"]):
        return f"{said}."
    control = f"{ladder.share(best, 'control_error')} % of the control without a key"
    return f"{said}, and {control}; the key advantage is {ladder.share(best, 'advantage')} points."
