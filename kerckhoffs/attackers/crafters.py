"""The models that attackers craft on, by id: trained classifiers, and what an attacker makes against one.

    mnist-table1-classical                          a trained classifier
    own-keys:number=4@mnist-table1-keyed            made: <attacker>[:<option>=<value> ...]@<defended classifier>

`card` and `load` take both, so that whoever evaluates need not tell them apart.
"""

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import nn

from kerckhoffs import zoo
from kerckhoffs.attackers import kept, making
from kerckhoffs.attackers.base import Attacker, Options, Part, Target
from kerckhoffs.attackers.kept import Cost
from kerckhoffs.attackers.making import OnProgress
from kerckhoffs.attackers.registry import ALIASES, ATTACKERS
from kerckhoffs.attacks import Attack
from kerckhoffs.checks import FileRefused, check_choice
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import DEFENCES
from kerckhoffs.zoo import ModelCard

AGAINST = "@"


def attacker(name: str) -> Attacker:
    """An attacker by its id, or by the word that addresses had for it before there was a ladder.

    Raises:
        ValueError: on an unknown one.
    """
    name = ALIASES.get(name, name)
    check_choice(name, ATTACKERS, "attacker")
    return ATTACKERS[name]


def crafted_on(name: str, card: ModelCard, options: Options | None = None) -> str:
    """The id of the model that this attacker crafts on against the defended classifier that `card` is of.

    Raises:
        ValueError: on an unknown attacker or option, or one that makes no sense against this defence.
    """
    return _crafted_on(attacker(name), Target.of(card), options or {})


def _crafted_on(entry: Attacker, target: Target, options: Options) -> str:
    if not entry.against(target.entry):
        raise ValueError(f"the attacker {entry.id} makes no sense against a {target.entry.name} classifier")
    chosen = entry.chosen(options)
    there = entry.model(target, chosen)
    if there is not None and (entry.alone or (there in shipped() and there != target.id)):
        return there
    like = target.id if entry.alone else zoo.model_id(target.dataset, target.network, target.defence)
    said = "".join(f":{name}={value}" for name, value in chosen.items())
    return f"{entry.id}{said}{AGAINST}{like}"


def shipped() -> Collection[str]:
    """The ids of the shipped models; none where there are none."""
    folder = zoo.shipped_folder()
    try:
        return _shipped(folder, (folder / zoo.MANIFEST).stat().st_mtime_ns)
    except OSError:
        return frozenset()


@lru_cache(maxsize=4)
def _shipped(folder: Path, changed: int) -> Collection[str]:
    return frozenset(zoo.models(folder))


@dataclass(frozen=True)
class Crafter:
    """An attacker with options, against one defended classifier, or against any that is made like it."""

    entry: Attacker
    options: Mapping[str, Any]
    target: Target

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to be made for it."""
        return self.entry.parts(self.target, self.options)

    @property
    def made(self) -> bool:
        """Whether all of that is there."""
        return all(kept.there(part) for part in self.parts)


def is_made(id_: str) -> bool:
    """Whether an id is of something that an attacker makes."""
    return AGAINST in id_


def _parsed(id_: str, folder: str | Path | None) -> tuple[Attacker, Target, dict[str, Any]]:
    spec, _, defended = id_.partition(AGAINST)
    name, *given = spec.split(":")
    entry = attacker(name)
    target = Target.of(zoo.card(defended, folder)) if entry.alone else Target.like(defended)
    kinds = {each.name: each.type for each in entry.options}
    options: dict[str, Any] = {}
    for each in given:
        option, _, value = each.partition("=")
        check_choice(option, kinds, f"option of {entry.id}")
        try:
            options[option] = kinds[option](value)
        except ValueError:
            raise ValueError(f"{option} of {id_!r} must be of type {kinds[option].__name__}") from None
    return entry, target, options


def read(id_: str, folder: str | Path | None = None) -> Crafter:
    """What an id with an attacker in it means.

    Raises:
        ValueError: naming what is wrong with it.
        FileRefused: if a manifest is missing or malformed.
    """
    entry, target, options = _parsed(id_, folder)
    chosen = entry.chosen(options)
    if not is_made(there := _crafted_on(entry, target, chosen)):
        raise ValueError(f"{id_!r} need not be made: it is {there}")
    return Crafter(entry, chosen, target)


def resolve(id_: str, folder: str | Path | None = None) -> str:
    """The id of a model to craft on as everybody writes it: options that are left out are at their defaults, and who
    need not make anything, "twin@mnist-table1-keyed", has a trained classifier.

    Raises:
        ValueError, FileRefused: as `read` does.
    """
    if not is_made(id_):
        return id_
    entry, target, options = _parsed(id_, folder)
    return _crafted_on(entry, target, options)


@dataclass(frozen=True)
class MadeCard(ModelCard):
    """The card of what an attacker has made. Its errors were not measured: they are NaN, of 0 samples.

    Args:
        attacker: its name, for people.
        against: the defence of the classifier that it was made against.
    """

    attacker: str = ""
    against: str = "classical"

    @property
    def title(self) -> str:
        """A name for people, of whom it is made against and of the attacker with its options."""
        whom = DATASETS[self.dataset].name, zoo.NETWORKS[self.network].name, DEFENCES[self.against].name
        return f"{', '.join(whom)}, attacked by {self.id.partition(AGAINST)[0]}"


def card(id_: str, folder: str | Path | None = None) -> ModelCard:
    """The card of a model to craft on or to evaluate: of a folder of models, of the shipped ones, or made.

    Raises:
        ValueError: on an id that is none.
        FileRefused: if a manifest is missing or malformed, or the model has to be made first.
    """
    if not is_made(id_):
        return zoo.card(id_, _folder(id_, folder))
    crafter = read(id_, folder)
    if not crafter.made:
        raise FileRefused(f"{id_} has to be made first: python -m kerckhoffs attackers make {id_}")
    target = crafter.target
    whole = hashlib.sha256(f"{id_} {target.weights} {kept.digest(crafter.parts)}".encode()).hexdigest()
    return MadeCard(
        id=id_,
        dataset=target.dataset,
        network=target.network,
        defence="classical",
        options={},
        keys=(),
        key_files=(),
        file="",
        sha256=whole,
        validation_error=math.nan,
        test_error=math.nan,
        test_samples=0,
        command=f"python -m kerckhoffs attackers make {id_}",
        training={},
        versions=zoo.versions(),
        attacker=crafter.entry.name,
        against=target.defence,
    )


def load(id_: str, folder: str | Path | None = None) -> nn.Module:
    """A model to craft on or to evaluate, in eval mode, frozen.

    Raises:
        ValueError, FileRefused: as `card` does, and if its files are damaged.
    """
    if not is_made(id_):
        return zoo.load(id_, folder=_folder(id_, folder))
    crafter = read(id_, folder)
    where = Path(folder) if folder else None
    models = [part.build(kept.read(part), where) for part in crafter.parts]
    return crafter.entry.join(models, crafter.target, crafter.options, where).eval().requires_grad_(False)


def make(id_: str, folder: str | Path | None = None, on_progress: OnProgress | None = None) -> bool:
    """Make what an id names, as far as it is not there. See making.make.

    Raises:
        ValueError: on an id of nothing that is made, and what the making refuses.
        FileRefused: if it cannot be kept.
    """
    crafter = read(id_, folder)
    return making.make(crafter.parts, crafter.target, Path(folder) if folder else None, on_progress)


def cost(id_: str, folder: str | Path | None = None) -> Cost:
    """What a model to craft on has cost its attacker: what was made, and of a trained classifier its training.

    Raises:
        ValueError, FileRefused: as `card` does.
    """
    if is_made(id_):
        crafter = read(id_, folder)
        besides = crafter.entry.besides(crafter.target, crafter.options)
        return sum((cost(each) for each in besides), kept.cost(crafter.parts))
    seconds = zoo.card(id_, _folder(id_, folder)).training.get("seconds", 0.0)
    return Cost(float(seconds) if isinstance(seconds, int | float) else 0.0)


def _folder(id_: str, folder: str | Path | None) -> str | Path | None:
    """The folder of a trained classifier: the one that is named, if it is there, else the shipped ones."""
    return folder if folder is None or id_ in zoo.models(folder) or id_ not in shipped() else zoo.shipped_folder()


def offered(card: ModelCard, models: Collection[str]) -> tuple[str, ...]:
    """The ATTACKERS that there can be against a defended classifier.

    All that make sense against it; those who ask it, or have something of it, where it is there itself.

    Args:
        models: ids of the models that there are.
    """
    target = Target.of(card)
    return tuple(
        name
        for name, entry in ATTACKERS.items()
        if entry.against(target.entry) and (not entry.alone or card.id in models)
    )


def check_access(name: str, attack: Attack) -> None:
    """Refuse an attack that reads more of the model than this attacker has.

    Raises:
        ValueError: on an unknown attacker, or such an attack.
    """
    entry = attacker(name)
    if not attack.content_with(entry.reads):
        raise ValueError(
            f"{attack.name} reads {attack.access}, but this attacker has {' and '.join(entry.reads)} only; "
            "choose an attack that reads no more"
        )
