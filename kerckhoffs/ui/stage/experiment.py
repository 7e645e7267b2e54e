"""An experiment from an address of Play, without the page: what the address does not say stands as Play opens on it."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from kerckhoffs.attackers import ALIASES, ATTACKERS
from kerckhoffs.attacks import ATTACKS, Option
from kerckhoffs.checks import check_choice
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluation.judge import predict
from kerckhoffs.ui import link, models
from kerckhoffs.ui.controls import BY, MAX_SEED
from kerckhoffs.ui.parts import pixels
from kerckhoffs.ui.play.experiment import OPENING_EPSILON, OPENING_KNOWLEDGE, OPENING_SAMPLE, Experiment, picture
from kerckhoffs.ui.stage.drawn import drawing

DEFAULT_ATTACK = {"gradients": "fgsm", "scores": "square", "labels": "rays", "nothing": "noise"}


def read(address: str) -> Experiment:
    """The experiment of an address, or of its query; each value is checked.

    Raises:
        ValueError: naming what is wrong with it.
    """
    said = dict(parse_qsl(address.rpartition("?")[2])[: link.MAX_VALUES])
    dataset = link.one_of(dict.fromkeys(models.sets()))(said.get("set", models.sets()[0]))
    there = {each.id: each for each in models.listed(dataset)}
    network = link.one_of({each.network: each for each in there.values()})(said.get("network", "table1"))
    left, right = (
        link.one_of(there)(said.get(side, usual))
        for side, usual in zip(("left", "right"), models.pair(dataset, network), strict=True)
    )
    knowledge = ALIASES.get(said.get("dial", OPENING_KNOWLEDGE), said.get("dial", OPENING_KNOWLEDGE))
    check_choice(knowledge, models.attackers(models.card(right)), "attacker on this classifier")
    attacker = ATTACKERS[knowledge]
    given = {each.name: _option(each, said, BY, each.default) for each in attacker.options}
    attack = ATTACKS[link.one_of(ATTACKS)(said.get("attack", _usual(attacker.reads)))]
    if not models.may_run(attack, knowledge, models.card(right)):
        raise ValueError(f"{attack.id} is no attack of the attacker {knowledge} on {right}")
    options = {
        each.name: _option(each, said, "", OPENING_EPSILON if each.name == "epsilon" else each.default)
        for each in attack.options
    }
    if "perturb_all" in options:
        options["perturb_all"] = True
    kept = {
        each.name: options[each.name]
        for each in attack.options
        if each.when is None or options.get(each.when[0]) == each.when[1]
    }
    source, value, label = _image(said, dataset, left)
    classes = len(DATASETS[dataset].classes)
    target = link.whole(0, classes - 1)(said["target"]) if attack.targeted and "target" in said else None
    if target == label:
        raise ValueError(f"the target {target} is what the image shows")
    return Experiment(
        dataset,
        left,
        right,
        source,
        value,
        label,
        attack.id,
        tuple(kept.items()),
        target,
        knowledge,
        link.whole(0, MAX_SEED)(said.get("seed", "0")) if attack.random else 0,
        said.get("control") == "true" and models.control(models.card(right)) is not None,
        tuple(given.items()),
    )


def _usual(reads: tuple[str, ...]) -> str:
    return next(DEFAULT_ATTACK[each] for each in ("gradients", "scores", "labels", "nothing") if each in reads)


def _option(choice: Option, said: Mapping[str, str], before: str, default: Any) -> Any:
    text = said.get(f"{before}{choice.name}")
    if text is None:
        return choice.type(default)
    try:
        value = {"true": True, "false": False}[text] if choice.type is bool else choice.type(text[:30])
    except (KeyError, ValueError):
        raise ValueError(f"{choice.name} is {text[:30]!r}") from None
    return choice.check(value)


def _image(said: Mapping[str, str], dataset: str, left: str) -> tuple[str, str, int]:
    """Where the image comes from, what names it, and its class: the true one, or what it is meant to be."""
    source = link.one_of(dict.fromkeys(("sample", "drawing", "upload")))(said.get("image", "sample"))
    if source == "sample":
        images, labels = models.samples(dataset)
        index = link.whole(0, len(images) - 1)(said.get("sample", str(OPENING_SAMPLE)))
        return source, str(index), int(labels[index])
    checked: Mapping[str, Callable[[str], str]] = {
        "drawing": drawing,
        "upload": lambda text: pixels.encode(pixels.decode(text, DATASETS[dataset].shape)),
    }
    value = checked[source](said.get(source, ""))
    if "meant" in said:
        return source, value, link.whole(0, len(DATASETS[dataset].classes) - 1)(said["meant"])
    return source, value, read_as(dataset, source, value, left)


def read_as(dataset: str, source: str, value: str, left: str) -> int:
    """What a classifier reads of an image that nobody has labelled."""
    return int(predict(models.model(left), picture(dataset, source, value))[0].argmax())
