"""The classifiers and samples that pages show: read once for all sessions, and again when a user's own change."""

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st
from torch import Tensor

from kerckhoffs import attackers as ladder
from kerckhoffs import data, places, zoo
from kerckhoffs.attackers import AGAINST, ATTACKERS, Cost, MadeCard, Target, is_made, kept
from kerckhoffs.attackers.base import Part
from kerckhoffs.attackers.crafters import Crafter
from kerckhoffs.attacks import Attack
from kerckhoffs.challenge.service import withheld
from kerckhoffs.checks import FileRefused, check_choice
from kerckhoffs.defences import DEFENCES, Defence, DefendedClassifier
from kerckhoffs.zoo import ModelCard

SHOW = "KERCKHOFFS_SHOW_PRIVATE_VIEWS"
"""The switch with which the owner of a private key lets the app show what a network sees behind it. Permuted views of
chosen images give the whole permutation away, so it is off."""

KEPT = 64  # models in memory: as many as ship, and some more

GRADIENTS_FROM_ANSWERS = ("finite_differences", "zoo", "hop_skip_jump", "hop_skip_jump_linf")
"""Attacks that read answers and put a gradient together from them; what they make follows it.

What finite differences change of 150 grey images on mnist-table2-keyed names neighbours of 182 of 784 places, FGSM with
the key of 136; Square and RayS, with 1500 queries for each, of none.
"""

GROUPS = {
    "none": "No defence",
    "keyed": "Keyed",
    "keyless": "Without a key",
    "retrained": "Retrained",
    "attackers": "Made by attackers",
}
"""The groups in which defences are shown, in order."""

RESTORE = (
    "start the app without KERCKHOFFS_MODELS to have the shipped ones, and name a folder of your own models with "
    "KERCKHOFFS_OWN_MODELS"
)
"""What to do where models are missing: most likely KERCKHOFFS_MODELS names a folder that was trained into."""


def cards() -> Mapping[str, ModelCard]:
    """The cards of all models, by id: the shipped ones, and the user's own if their manifest can be read.

    None whose key a challenge hides: who could ask it here would not be counted.
    """
    hidden = withheld()
    return {name: card for name, card in {**_shipped(), **_own()[0]}.items() if hidden.isdisjoint(card.keys)}


def problem() -> str:
    """Why the user's own models cannot be listed; "" if they can."""
    return _own()[1]


@st.cache_resource(show_spinner=False)
def _shipped() -> Mapping[str, ModelCard]:
    return zoo.models(zoo.shipped_folder())


def _own() -> tuple[Mapping[str, ModelCard], str]:
    """The user's own models as they are now, and why not."""
    path = zoo.own_folder() / zoo.MANIFEST
    try:
        state = path.stat()
    except OSError:
        return {}, ""
    return _own_as(str(path), state.st_mtime_ns, state.st_size)


@st.cache_resource(max_entries=8, show_spinner=False)
def _own_as(path: str, changed: int, size: int) -> tuple[Mapping[str, ModelCard], str]:
    try:
        return zoo.own_models(), ""
    except FileRefused as error:
        return {}, str(error)


def sets() -> tuple[str, ...]:
    """The data sets that there are models of.

    Raises:
        ValueError: if there are no models at all.
    """
    there = {each.dataset for each in cards().values()}
    if not there:
        raise ValueError(f"there are no models here; {RESTORE}")
    return tuple(name for name in data.DATASETS if name in there)


def need(*ids: str) -> None:
    """Refuse to go on without some of the shipped models.

    Raises:
        ValueError: naming those that are missing.
    """
    if missing := [name for name in ids if name not in cards()]:
        raise ValueError(f"this needs models that are not here, {', '.join(missing)}; {RESTORE}")


def card(model_id: str) -> ModelCard:
    """The card of a model, also of one that an attacker has made.

    Raises:
        ValueError: on an unknown id.
        FileRefused: if it has to be made first.
    """
    if is_made(model_id):
        if not there(model_id):
            return ladder.card(model_id)  # which says so
        return _made(model_id, crafter(model_id).target, tuple(part.name for part in parts(model_id)), places.home())
    known = cards()
    check_choice(model_id, known, "model")
    return known[model_id]


@lru_cache(maxsize=KEPT)
def _made(model_id: str, target: Target, names: tuple[str, ...], home: Path) -> ModelCard:
    return ladder.card(model_id)  # which reads all that was made


def crafters(dataset: str) -> tuple[str, ...]:
    """What attackers have made against the classifiers of a set, with the options that they have by default."""
    found = []
    for entry in listed(dataset):
        for name in () if entry.entry.by_attacker else attackers(entry):
            id_ = ladder.crafted_on(name, entry)
            if is_made(id_) and there(id_):
                found.append(id_)
    return tuple(dict.fromkeys(found))


def there(model_id: str) -> bool:
    """Whether a model is there, and need not be made by its attacker first."""
    return not is_made(model_id) or all(kept.there(part) for part in parts(model_id))


def begun(model_id: str) -> bool:
    """Whether the making of a model was begun and has not ended."""
    folders = (kept.unfinished(part).folder for part in parts(model_id))
    return any(folder is not None and folder.is_dir() and any(folder.iterdir()) for folder in folders)


def parts(model_id: str) -> tuple[Part, ...]:
    """What an attacker makes for a model."""
    return _crafter(model_id)[1]


def crafter(model_id: str) -> Crafter:
    """What the id of something made means.

    Raises:
        ValueError: naming what is wrong with it, or whom pages do not offer.
    """
    return _crafter(model_id)[0]


def _crafter(model_id: str) -> tuple[Crafter, tuple[Part, ...]]:
    """A page asks often, and a manifest would be read each time."""
    known = cards()
    defended = known.get(model_id.partition(AGAINST)[2])
    found, made = _crafter_as(model_id, defended.sha256 if defended else "", zoo.shipped_folder())
    if found.entry.alone:
        check_choice(found.target.id, known, "model")
        check_choice(found.entry.id, attackers(known[found.target.id]), "attacker on this classifier")
    return found, made


@lru_cache(maxsize=256)
def _crafter_as(model_id: str, sha256: str, shipped: Path) -> tuple[Crafter, tuple[Part, ...]]:
    found = ladder.read(model_id)
    return found, found.parts


def cost(model_id: str) -> Cost:
    """What a model to craft on has cost its attacker; see attackers.cost."""
    return _cost(model_id, card(model_id).sha256)


@lru_cache(maxsize=256)
def _cost(model_id: str, sha256: str) -> Cost:
    return ladder.cost(model_id)  # which reads all that was made


def model(model_id: str) -> DefendedClassifier:
    """A model, loaded once for all sessions; it is frozen, so they can share it.

    What an attacker made of several networks, or put before one, is a network of its own here: it sees images as they
    are.

    Raises:
        ValueError: on an unknown id.
        FileRefused: if its weights or its key are missing or are not what the manifest says, or it has to be made.
    """
    return _loaded(model_id, card(model_id).sha256)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _loaded(model_id: str, sha256: str) -> DefendedClassifier:
    loaded = ladder.load(model_id)
    return loaded if isinstance(loaded, DefendedClassifier) else DefendedClassifier(loaded).eval()


def forget() -> None:
    """Let go of all models, and so of keys that they were loaded with; what is at work keeps its own until its end."""
    _loaded.clear()


@st.cache_resource(max_entries=len(data.DATASETS), show_spinner=False)
def samples(dataset: str) -> tuple[Tensor, Tensor]:
    """The bundled samples, read once for all sessions, who must not write into them."""
    return data.load(dataset)


def shows_view(entry: ModelCard) -> bool:
    """Whether pages may show what a model's network sees: always, but behind a private key only with the switch.

    What was made against a classifier counts as that: it may hold what somebody found out of its key.
    """
    defended = cards().get(entry.id.partition(AGAINST)[2], entry) if is_made(entry.id) else entry
    return not defended.private or os.environ.get(SHOW) == "1"


def attackers(entry: ModelCard) -> tuple[str, ...]:
    """The attackers (ATTACKERS) whose examples pages may show against a defended classifier.

    With a private key none who has the weights: they read gradients through the key, or through what the weights tell
    of it. A network reads places together that lie side by side behind P, so the changes that its gradients make of a
    few hundred uploads tell which do; benchmarks/private_key.py counts the places whose neighbours they name.
    """
    found = ladder.offered(entry, cards())
    return tuple(name for name in found if shows_view(entry) or not _has_weights(name))


def _has_weights(knowledge: str) -> bool:
    return "gradients" in ATTACKERS[knowledge].reads and "weights" not in ATTACKERS[knowledge].hidden


def may_run(attack: Attack, knowledge: str, entry: ModelCard) -> bool:
    """Whether pages may show what an attack makes in this attacker's hands: all that read no more than they have.

    Of a private key's classifier none that puts its gradient together from the answers.
    """
    asks = "gradients" not in ATTACKERS[knowledge].reads
    gives_away = asks and not shows_view(entry) and attack.id in GRADIENTS_FROM_ANSWERS
    return attack.content_with(ATTACKERS[knowledge].reads) and not gives_away


def need_open(model_id: str, folder: Path | None = None) -> None:
    """Refuse a model of a run that pages may not ask, wherever it lies.

    Raises:
        ValueError: if a challenge hides its key, or it is of an attacker who has the weights behind a private one.
    """
    made = ladder.read(model_id, folder) if is_made(model_id) else None
    if made is not None and not made.entry.alone:
        return
    entry = ladder.card(made.target.id if made else model_id, folder)
    if not withheld().isdisjoint(entry.keys):
        raise ValueError(f"a challenge hides the key of {entry.id}, and answers that nobody counts would spoil it")
    if made is not None and _has_weights(made.entry.id) and not shows_view(entry):
        raise ValueError(f"{made.entry.name} is not offered on {entry.id}, whose key is private")


def need_view(model_id: str) -> None:
    """Refuse to show what a network sees behind a private key.

    Raises:
        ValueError: saying so.
    """
    if not shows_view(card(model_id)):
        raise ValueError(f"this shows what is behind the key of {model_id}, and here that key is private; {RESTORE}")


def title(entry: ModelCard) -> str:
    """What a model is called in a menu, where the data set is known: "Table 2, keyed"."""
    return made_by(entry) if isinstance(entry, MadeCard) else entry.title.partition(", ")[2] + labelled(entry)


def labelled(entry: ModelCard) -> str:
    """What tells a model from others of its kind, " (a1b2c3)"; "" for the usual one."""
    return f" ({entry.label})" * bool(entry.label)


def made_by(entry: MadeCard) -> str:
    """What an attacker's model is called, after its attacker."""
    _, _, what = entry.attacker.rpartition(": ")
    return f"attacker's model ({what[0].lower()}{what[1:]})".replace(" has leaked", "")


def group(defence: Defence) -> str:
    """The group of a defence, a key of GROUPS."""
    if defence.by_attacker:
        return "attackers"
    return defence.family if defence.training == "clean" else "retrained"


def listed(dataset: str | None = None, network: str | None = None) -> tuple[ModelCard, ...]:
    """The models of a set, or all, as people look for them: by set, network, group and defence, the user's own last.

    Args:
        network: the one whose models come first.
    """

    def place(entry: ModelCard) -> tuple[Any, ...]:
        return (
            list(data.DATASETS).index(entry.dataset),
            entry.network != network,
            list(zoo.NETWORKS).index(entry.network),
            list(GROUPS).index(group(entry.entry)),
            list(DEFENCES).index(entry.defence),
            entry.own,
        )

    return tuple(sorted((each for each in cards().values() if dataset in (None, each.dataset)), key=place))


def trained(entry: ModelCard) -> str:
    """How a model was trained, in words, with what it was trained against."""
    against = trained_against(entry)
    return f"{entry.entry.trained} ({against})" if against else entry.entry.trained


def trained_against(entry: ModelCard) -> str:
    """The norm, epsilon and steps of the attacks that it was trained against, or the temperature; "" without any."""
    known = {
        "distilled": {"temperature": "temperature {:g}"},
        "adversarial": {"epsilon": "linf, ε {:g}", "attack_steps": "{:g} steps"},
        "ensemble-adversarial": {"epsilon": "linf, ε {:g}"},
    }.get(entry.entry.training, {})
    return ", ".join(
        words.format(entry.training[name]) for name, words in known.items() if is_number(entry.training.get(name))
    )


def is_number(value: Any) -> bool:
    """Whether something of a manifest, which anybody may have written, is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def pair(dataset: str, network: str) -> tuple[str, str]:
    """The two classifiers of a network that are shown side by side at first: classical and keyed, if they are there."""
    ids = [each.id for each in listed(dataset, network)]
    of_network = [name for name in ids if card(name).network == network] or ids

    def first(defence: str, others: list[str]) -> str:
        return next((name for name in others if card(name).defence == defence), others[0])

    left = first("classical", of_network)
    return left, first("keyed", [name for name in of_network if name != left] or [left])


def control(entry: ModelCard) -> str | None:
    """A classifier without a key for the same set, of another network, so trained independently; None if none is."""
    for other in listed(entry.dataset):
        if other.network != entry.network and other.defence == "classical":
            return other.id
    return None


def names(ids: tuple[str, ...], control: str | None = None) -> dict[str, str]:
    """What models that stand side by side are called, each otherwise.

    "keyed classifier", "keyed classifier of your own", with the network behind it where two would be called the same.
    """
    found = {}
    for name in ids:
        entry = card(name)
        said = f"{entry.entry.name} classifier" + " of your own" * entry.own + labelled(entry)
        others = [card(other) for other in ids if other not in (name, control) and not is_made(other)]
        if isinstance(entry, MadeCard):
            said = made_by(entry)
        elif name == control:
            said = "control without a key"
        elif any(
            (other.defence, other.own, other.label) == (entry.defence, entry.own, entry.label) for other in others
        ):
            said += f", {zoo.NETWORKS[entry.network].name}"
        found[name] = said
    return found
