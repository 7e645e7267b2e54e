"""The classifiers and samples that pages show: read once for all sessions, and again when a user's own change."""

import os
from collections.abc import Mapping
from typing import Any

import streamlit as st
from torch import Tensor

from kerckhoffs import data, zoo
from kerckhoffs.attackers import ATTACKERS, offered
from kerckhoffs.checks import FileRefused, check_choice
from kerckhoffs.defences import DEFENCES, Defence, DefendedClassifier
from kerckhoffs.zoo import ModelCard

SHOW = "KERCKHOFFS_SHOW_PRIVATE_VIEWS"
"""The switch with which the owner of a private key lets the app show what a network sees behind it. Permuted views of
chosen images give the whole permutation away, so it is off."""

KEPT = 64  # models in memory: as many as ship, and some more

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
    """The cards of all models, by id: the shipped ones, and the user's own if their manifest can be read."""
    own, _ = _own()
    return {**_shipped(), **own}


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
    """The card of a model.

    Raises:
        ValueError: on an unknown id.
    """
    known = cards()
    check_choice(model_id, known, "model")
    return known[model_id]


def model(model_id: str) -> DefendedClassifier:
    """A model, loaded once for all sessions; it is frozen, so they can share it.

    Raises:
        ValueError: on an unknown id.
        FileRefused: if its weights or its key are missing or are not what the manifest says.
    """
    return _loaded(model_id, card(model_id).sha256)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _loaded(model_id: str, sha256: str) -> DefendedClassifier:
    return zoo.load(model_id)


@st.cache_resource(max_entries=len(data.DATASETS), show_spinner=False)
def samples(dataset: str) -> tuple[Tensor, Tensor]:
    """The bundled samples, read once for all sessions, who must not write into them."""
    return data.load(dataset)


def shows_view(entry: ModelCard) -> bool:
    """Whether pages may show what a model's network sees: always, but behind a private key only with the switch."""
    return not entry.private or os.environ.get(SHOW) == "1"


def attackers(entry: ModelCard) -> tuple[str, ...]:
    """The attackers (ATTACKERS) whose examples pages may show against a defended classifier.

    With a private key none that reads gradients through it. A network reads places together that lie side by side
    behind P, so the changes that its gradients make of a few hundred uploads tell which do; benchmarks/private_key.py
    counts the places whose neighbours they name.
    """
    found = offered(entry, cards())
    return tuple(name for name in found if shows_view(entry) or not _reads_through_key(name, entry))


def _reads_through_key(knowledge: str, entry: ModelCard) -> bool:
    return "gradients" in ATTACKERS[knowledge].reads and "key" not in ATTACKERS[knowledge].hidden


def need_view(model_id: str) -> None:
    """Refuse to show what a network sees behind a private key.

    Raises:
        ValueError: saying so.
    """
    if not shows_view(card(model_id)):
        raise ValueError(f"this shows what is behind the key of {model_id}, and here that key is private; {RESTORE}")


def title(entry: ModelCard) -> str:
    """What a model is called in a menu, where the data set is known: "Table 2, keyed"."""
    return entry.title.partition(", ")[2]


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
        said = f"{entry.entry.name} classifier" + " of your own" * entry.own
        others = [card(other) for other in ids if other not in (name, control)]
        if name == control:
            said = "control without a key"
        elif any((other.defence, other.own) == (entry.defence, entry.own) for other in others):
            said += f", {zoo.NETWORKS[entry.network].name}"
        found[name] = said
    return found
