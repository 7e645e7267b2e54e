"""No defence: the paper's "classical" classifier."""

from kerckhoffs.defences.base import Defence, DefendedClassifier

CLASSICAL = Defence(
    id="classical",
    name="classical",
    family="none",
    what="The network alone, with no defence.",
    cost="It costs nothing.",
    known="Any attack that reads its gradients fools it nearly always.",
    trained="on clean images",
    source="Taran et al. 2018, equation 2",
    key_lengths=lambda shape: (),
    build=lambda network, shape, keys: DefendedClassifier(network(), shape),
)
