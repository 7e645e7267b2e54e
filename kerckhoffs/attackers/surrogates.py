"""Those who train the defended classifier anew, behind keys of their own: one, several, or trained as it was.

Everything is known but the key: the attacker draws another, and what misleads the network behind that misleads the
one behind the defender's key more often than chance. What several such surrogates have in common carries over further:
expectation over keys (Athalye, Engstrom, Ilyas and Kwok 2018), ensembles (Liu et al. 2017; Dong et al. 2018).
"""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from kerckhoffs import zoo
from kerckhoffs.attackers.base import Attacker, Options, Part, Target, trained
from kerckhoffs.attackers.classifiers import ALL, SAMPLES, classifier
from kerckhoffs.attacks import Option
from kerckhoffs.attacks.averaged import MEANS, Averaged
from kerckhoffs.defences import DEFENCES

MOST = 8


def structure(target: Target) -> str:
    """What stands around the attacker's network: what stands around the target's; the permutation if that is no key."""
    found = DEFENCES[target.entry.structure]
    return "surrogate" if not found.keyed or found.id == "keyed" else found.id


def shipped(target: Target) -> str | None:
    """The id of the surrogate that comes with the program, which is there or is not."""
    return trained(target, "surrogate") if structure(target) == "surrogate" else None


def _one(target: Target, options: Options) -> tuple[Part, ...]:
    return (classifier(target, structure(target), samples=options["samples"]),)


def _alike(target: Target, options: Options) -> tuple[Part, ...]:
    of = DEFENCES[target.entry.structure]
    return (classifier(target, target.defence if of.keyed else f"keyed-{target.entry.training}"),)


def _several(target: Target, options: Options) -> tuple[Part, ...]:
    first = len(_first(target, options))
    return tuple(classifier(target, structure(target), number) for number in range(first, options["number"]))


def _first(target: Target, options: Options) -> tuple[str, ...]:
    """The surrogate that comes with the program, where it does."""
    name = shipped(target)
    return (name,) if name in zoo.models(zoo.shipped_folder()) else ()


def _averaged(models: Sequence[nn.Module], target: Target, options: Options, folder: Path | None) -> nn.Module:
    first = [zoo.load(name, folder=zoo.shipped_folder()) for name in _first(target, options)]
    return Averaged([*first, *models], of=options["of"])


WITHOUT = "The attacker attacks {} of their own behind a permutation, although the classifier has no key."

OWN_KEY = Attacker(
    id="own-key",
    name="Gray box: a key of their own",
    summary="The attacker knows the network and the data, makes up a key, trains the network with its pixels permuted "
    "by that key, and attacks this surrogate.",
    without_key=("Gray box: a keyed surrogate", WITHOUT.format("a network")),
    hidden=("key", "weights"),
    model=lambda target, options: shipped(target) if options["samples"] == ALL else None,
    parts=_one,
    options=(SAMPLES,),
    takes="a minute on a fast machine, some minutes on others",
)

OWN_KEY_ALIKE = Attacker(
    id="own-key-alike",
    name="Gray box: own key, trained alike",
    summary="The attacker makes up a key and trains behind it in the same way as the defended classifier was trained, "
    "with other seeds.",
    without_key=(
        "Gray box: keyed, trained alike",
        "The attacker trains a network behind a permutation in the same way, although the classifier has no key.",
    ),
    hidden=("key", "weights"),
    model=lambda target, options: None,
    parts=_alike,
    against=lambda defence: defence.training != "clean",
    takes="as long as the defended classifier's training: half an hour, or more",
)

OWN_KEYS = Attacker(
    id="own-keys",
    name="Gray box: several keys of their own",
    summary="The attacker has time, trains surrogates behind several keys of their own, and attacks their mean: what "
    "they have in common carries over further.",
    without_key=("Gray box: several keyed surrogates", WITHOUT.format("the mean of several networks")),
    hidden=("key", "weights"),
    model=lambda target, options: None,
    parts=_several,
    besides=_first,
    join=_averaged,
    options=(
        Option("number", int, 4, "Surrogates, each behind a key of its own.", low=2, high=MOST),
        Option("of", str, "logits", "What is averaged.", choices=MEANS),
    ),
    takes="for each surrogate a minute on a fast machine, some minutes on others",
)
