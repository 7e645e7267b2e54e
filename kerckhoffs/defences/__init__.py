"""What stands around a network, or how it is trained. To add a defence, write its file and list its entry here.

Menus, the command line and the contract tests walk the registry. defences/base.py says what a defence is. Whatever
stands around one network can be trained in each way of retraining.py.
"""

from kerckhoffs.defences.base import Defence, DefendedClassifier
from kerckhoffs.defences.classical import CLASSICAL
from kerckhoffs.defences.ensembles import KDA, VOTING, EnsembleClassifier
from kerckhoffs.defences.keyed import KEYED, OTHERS, SURROGATE, KeyedClassifier
from kerckhoffs.defences.noise import NOISE
from kerckhoffs.defences.retraining import RETRAININGS, retrained
from kerckhoffs.defences.squeezing import SQUEEZED

__all__ = ["DEFENCES", "RETRAININGS", "Defence", "DefendedClassifier", "EnsembleClassifier", "KeyedClassifier"]

_AROUND_ONE = (CLASSICAL, KEYED, *OTHERS, *SQUEEZED)  # what can be retrained

DEFENCES: dict[str, Defence] = {
    defence.id: defence
    for defence in (
        CLASSICAL,
        KEYED,
        SURROGATE,
        *OTHERS,
        KDA,
        VOTING,
        *SQUEEZED,
        NOISE,
        *(retrained(structure, training) for training in RETRAININGS.values() for structure in _AROUND_ONE),
    )
}
