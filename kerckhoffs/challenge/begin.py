"""Open a challenge: on a classifier of one's own, whose key nobody else has, and of images that it reads rightly."""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kerckhoffs import keys, zoo
from kerckhoffs.challenge.judge import Judge
from kerckhoffs.challenge.rules import Rules
from kerckhoffs.challenge.service import Challenge, file_of, find, listed
from kerckhoffs.challenge.store import Store
from kerckhoffs.data import DATASETS

HOW_TO_TRAIN = "train one under a fresh key first: kerckhoffs train mnist-table1-keyed --quick --name NAME"


def new(
    model: str,
    *,
    images: int = 20,
    invitation: bool = False,
    note: str = "",
    clock: Callable[[], float] = time.time,
    **rules: Any,
) -> tuple[Challenge, str | None]:
    """Open a challenge; returns it, and its invitation if it has one, which is kept nowhere.

    Args:
        model: the id of an own classifier with one private key.
        images: the first so many test samples that it reads rightly.
        invitation: whether joining needs one.
        note: is committed to as well.
        rules: norm, budget, answers, queries, rate, at_once, teams and end.

    Raises:
        ValueError: on a classifier that is none such, or rules that are none.
        FileRefused: if it, or its key, cannot be read.
    """
    card = zoo.card(model)
    public = {key for each in zoo.models().values() if each.key_files for key in each.keys}
    if not card.private or len(card.keys) != 1 or card.keys[0] in public:
        several = card.private and len(card.keys) > 1
        why = "has no key" if not card.keyed else "has several keys" if several else "has a public key"
        raise ValueError(f"{model} {why}, and a challenge hides one: {HOW_TO_TRAIN}")
    if others := [name for name in zoo.used_by(card.keys[0]) if name != model]:
        raise ValueError(f"{model} shares its key with {', '.join(others)}, who would tell of it: {HOW_TO_TRAIN}")
    for each in listed():
        if each.fingerprint == card.keys[0]:
            why = "has revealed the key of" if each.state == "revealed" else "is a challenge already with"
            raise ValueError(f"{each.id} {why} {model}: {HOW_TO_TRAIN}")
    there = DATASETS[card.dataset].sizes["test"]
    if not 1 <= images <= there:
        raise ValueError(f"images must be between 1 and {there}, but is {images}")
    twin = zoo.model_id(card.dataset, card.network, "classical")
    made = Rules(
        model=model,
        dataset=card.dataset,
        network=zoo.NETWORKS[card.network].name,
        defence=card.entry.name,
        twin=twin if twin in zoo.models(zoo.shipped_folder()) else "",
        samples=tuple(range(images)),
        **rules,
    )
    if made.end.timestamp() <= clock():
        raise ValueError(f"end must lie ahead, but is {made.end.isoformat()}")
    read = _read_rightly(made)
    if len(read) < images:
        raise ValueError(f"{model} reads only {len(read)} of {there} images rightly, fewer than {images}")
    made = replace(made, samples=tuple(read[:images]))
    [key] = zoo.find_keys(card)
    commitment, opening = zoo.commit(key, model, note)
    opening.save(keys.kept_at(commitment))
    id_, word = secrets.token_hex(4), secrets.token_urlsafe(9) if invitation else None
    bound = commitment, opening.fingerprint, opening.weights
    Store.create(file_of(id_), made, *bound, now=clock(), invitation=word).close()
    return find(id_), word


def _read_rightly(rules: Rules) -> list[int]:
    """The first samples that the classifier reads rightly, as many as the rules have, or fewer if there are no more."""
    found: list[int] = []
    for start in range(0, DATASETS[rules.dataset].sizes["test"], 100):
        few = range(start, min(start + 100, DATASETS[rules.dataset].sizes["test"]))
        right = Judge.load(replace(rules, samples=tuple(few))).right
        found += [few[place] for place in right.nonzero().flatten().tolist()]
        if len(found) >= len(rules.samples):
            break
    return found
