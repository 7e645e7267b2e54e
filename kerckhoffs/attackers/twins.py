"""Those who train networks of their own without a key: from the data alone, from data and design, and in the same way.

A classical twin is the paper's attacker (section 2.2). A defence is public, its key and seeds are not: so a twin may
be trained as the defended classifier was, and against training on other networks' examples that makes the difference.
"""

from kerckhoffs.attackers.base import Attacker, Options, Part, Target, trained
from kerckhoffs.attackers.classifiers import ALL, SAMPLES, classifier
from kerckhoffs.attacks import Option

OTHERS = {"mlp": ("mlp", "mlp"), "linear": ("linear", "linear"), "cnn": ("half", "table1")}
"""For each choice a network, and the one that is taken where that is the defended classifier's own."""


def _network(target: Target, options: Options) -> str:
    first, second = OTHERS[options["network"]]
    return second if target.network == first else first


def _other(target: Target, options: Options) -> tuple[Part, ...]:
    return (classifier(target, "classical", network=_network(target, options)),)


def _twin(target: Target, options: Options) -> tuple[Part, ...]:
    return (classifier(target, "classical", samples=options["samples"]),)


def _alike(target: Target, options: Options) -> tuple[Part, ...]:
    return (classifier(target, target.entry.training),)


DATA_SUMMARY = (
    "The attacker has the training data and not the design, and trains a network of another kind. A fully connected "
    "one does not care about the order of pixels, nor does noise."
)
DATA = Attacker(
    id="data",
    name="Data: another network",
    summary=DATA_SUMMARY,
    without_key=("Data: another network", DATA_SUMMARY),
    hidden=("transform", "key", "network", "weights"),
    model=lambda target, options: trained(target, "classical", _network(target, options)),
    parts=_other,
    options=(Option("network", str, "mlp", "What the attacker trains instead.", choices=tuple(OTHERS)),),
    takes="from under a minute to some minutes, by the machine",
)

TWIN_WORDS = (
    "The attacker knows the architecture and the data, not the {}, and attacks an undefended twin: the paper's case."
)
TWIN = Attacker(
    id="twin",
    name="Gray box: classical twin",
    summary=TWIN_WORDS.format("key"),
    without_key=("Gray box: classical twin", TWIN_WORDS.format("weights")),
    hidden=("key", "weights"),
    model=lambda target, options: trained(target, "classical") if options["samples"] == ALL else None,
    parts=_twin,
    options=(SAMPLES,),
    takes="a minute on a fast machine, some minutes on others",
)

ALIKE_SUMMARY = (
    "The attacker knows how the classifier was trained, too, and trains a twin in the same way, with other seeds and "
    "without a key."
)
TWIN_ALIKE = Attacker(
    id="twin-alike",
    name="Gray box: twin trained alike",
    summary=ALIKE_SUMMARY,
    without_key=("Gray box: twin trained alike", ALIKE_SUMMARY.replace(" and without a key", "")),
    hidden=("key", "weights"),
    model=lambda target, options: None,
    parts=_alike,
    against=lambda defence: defence.training != "clean",
    takes="as long as the defended classifier's training: half an hour, or more",
)
