"""What stands around a network, or how it is trained. To add a defence, write its file and list its entry here.

Menus, the command line and the contract tests walk the registry. defences/base.py says what a defence is.
"""

from kerckhoffs.defences.base import Defence, DefendedClassifier
from kerckhoffs.defences.classical import CLASSICAL
from kerckhoffs.defences.keyed import KEYED, SURROGATE, KeyedClassifier

__all__ = ["DEFENCES", "Defence", "DefendedClassifier", "KeyedClassifier"]

DEFENCES: dict[str, Defence] = {defence.id: defence for defence in (CLASSICAL, KEYED, SURROGATE)}
