"""What a batch is to evaluate: the panels of choice, as experiments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from kerckhoffs import attackers
from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.attacks import ATTACKS, Attack
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import Defence
from kerckhoffs.evaluation import experiments
from kerckhoffs.evaluation.examples import Samples
from kerckhoffs.evaluation.experiments import TARGETS, UPLOADED, Experiment
from kerckhoffs.plots.runs import BUDGETS
from kerckhoffs.ui import controls, foreign
from kerckhoffs.ui.batch.estimate import check_size
from kerckhoffs.ui.batch.zip import uploaded
from kerckhoffs.ui.models import card, crafter, crafters, listed, pair, sets, title
from kerckhoffs.ui.page import panel

MAX_SEEDS = 10
SOURCES = {"test": "Test samples", UPLOADED: "A zip of your own"}
KEPT: dict[str, Any] = {"persist_state": "session"}
MANY: dict[str, Any] = KEPT | {"filter_mode": "contains", "select_all": False}  # Enter takes the one that was meant

Attacks = list[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Chosen:
    """What was chosen: experiments, and the samples that they are about if they were uploaded."""

    experiments: tuple[Experiment, ...]
    uploaded: Samples | None


def choose() -> Chosen | None:
    """The panels; None while there is nothing to evaluate.

    Raises:
        ValueError: naming what does not go together.
    """
    first, second, third = st.columns([1, 1.25, 1], gap="small")
    with first, panel(1, "Models", "batch_models"):
        dataset, crafted_on, evaluated_on = _models()
    with second, panel(2, "Attacks", "batch_attacks"):
        attacks = _attacks()
    with third, panel(3, "Samples, targets, seeds", "batch_samples"):
        samples, split, start, stop = _samples(dataset)
        targets = st.multiselect("Targets", list(TARGETS), ["untargeted"], key="batch_targets", help=_rules(), **MANY)
        seed, seeds = st.columns(2, wrap=False)
        first_seed = seed.number_input("First seed", 0, controls.MAX_SEED, 0, key="batch_seed", **KEPT)
        number = seeds.number_input("Number of seeds", 1, MAX_SEEDS, 1, key="batch_seeds", **KEPT)
    if split == UPLOADED and samples is None:
        st.info("Upload a zip, or take the test samples.", icon=":material/folder_zip:")
        return None
    for words, missing in (
        ("a model to craft on", not crafted_on),
        ("a model to evaluate on", not evaluated_on),
        ("an attack", not attacks),
        ("a target rule", not targets),
    ):
        if missing:
            st.info(f"Choose {words}.", icon=":material/checklist:")
            return None
    if not {"untargeted"} & set(targets) and not any(ATTACKS[name].targeted for name, _ in attacks):
        st.info("None of these attacks can aim: add the targets untargeted.", icon=":material/checklist:")
        return None
    lines = len(attacks) * len(crafted_on) * number
    of_a_sample = sum(experiments.examples_of_a_sample(rule, dataset) for rule in targets)
    check_size(lines * len(targets), lines * of_a_sample * (stop - start))  # building it would take long
    what = experiments.grid(
        attacks,
        crafted_on,
        evaluated_on,
        targets=targets,
        seeds=range(first_seed, first_seed + number),
        split=split,
        start=start,
        stop=stop,
    )
    for name, rule in experiments.left_out([name for name, _ in attacks], targets):
        st.caption(f"{ATTACKS[name].name} cannot aim: it is left out of the targets **{rule}**.")
    return Chosen(what, samples)


def _models() -> tuple[str, list[str], list[str]]:
    """The set, the models to craft on and the models to evaluate on."""
    there = sets()
    dataset = st.segmented_control(
        "Data",
        there,
        default=there[0],
        format_func=lambda each: DATASETS[each].name,
        required=True,
        key="batch_dataset",
        **KEPT,
    )
    assert dataset is not None
    every = {card.id: card for card in listed(dataset)}
    classical, keyed = pair(dataset, next(iter(every.values())).network)

    made = crafters(dataset)

    def called(name: str) -> str:
        if name in made:
            return card(name).title.partition(", ")[2]
        return title(every[name]) if name in every else name

    crafted_on = st.multiselect(
        "Crafted on",
        [*every, *made],
        [classical],
        format_func=called,
        key=f"batch_crafted_{dataset}",
        help="The models whose gradients or answers the attack uses, each in turn. What an attacker has made can be "
        "typed, too: own-keys:number=8@mnist-table1-keyed.",
        accept_new_options=True,
        **MANY,
    )
    crafted_on = list(dict.fromkeys(attackers.resolve(name) for name in crafted_on))
    evaluated_on = st.multiselect(
        "Evaluated on",
        list(every),
        list(dict.fromkeys((classical, keyed))),
        format_func=called,
        key=f"batch_evaluated_{dataset}",
        help="The models that are then shown every example.",
        **MANY,
    )
    for defence in dict.fromkeys(every[name].entry for name in crafted_on if name in every):
        st.caption(f"Crafted on **{defence.name}**: {_knows(defence)}")
    for name in crafted_on:
        if name not in every:
            st.caption(f"Crafted on **{foreign.code(name)}**: {ATTACKERS[crafter(name).entry.id].summary}")
    return dataset, crafted_on, evaluated_on


def _knows(defence: Defence) -> str:
    """What an attacker knows who crafts on it."""
    if defence.by_attacker:
        return "the attacker trained it with a key of their own."
    if defence.keyed:
        return "attacks that read gradients know the key; those that read scores or labels only ask the model."
    if defence.id == "classical":
        return "the attacker has no key, only an undefended twin (the paper's case)."
    return "it has no key; attacks that read gradients know its weights, those that read answers only ask."


def _attacks() -> Attacks:
    """The attacks, each with its options, and once more for each further value of a budget."""
    chosen = st.multiselect(
        "Attacks",
        list(ATTACKS),
        ["fgsm"],
        format_func=lambda each: controls.title(ATTACKS[each]),
        key="batch_attacks",
        label_visibility="collapsed",
        **MANY,
    )
    found: Attacks = []
    for name in chosen:
        attack = ATTACKS[name]
        with st.expander(f"{attack.name}: options", expanded=len(chosen) == 1):
            options = _options(attack)
            found.append((name, options))
            found += [(name, each) for each in _further(attack, options)]
    return found


def _options(attack: Attack) -> dict[str, Any]:
    """Its options; failed examples are kept where it can, as the paper counts."""
    chosen: dict[str, Any] = {}
    for option in attack.options:
        if option.when is None or chosen[option.when[0]] == option.when[1]:
            opening = True if option.name == "perturb_all" else None
            chosen[option.name] = controls.option(option, f"batch_{attack.id}", opening)
    return chosen


def _further(attack: Attack, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Options that are the same but for a further value of a budget, for a curve."""
    found: list[dict[str, Any]] = []
    for option in attack.options:
        if option.name not in BUDGETS or option.name not in options:
            continue
        name = option.name.replace("_", " ")
        text = st.text_input(
            f"further values of {name}",
            key=f"batch_{attack.id}_further_{option.name}",
            placeholder="with commas between them",
            max_chars=200,
            help=f"The attack runs once more with each; a figure then shows the error against {name}.",
            **KEPT,
        )
        values = [options[option.name]]
        for part in filter(None, (each.strip() for each in text.split(","))):
            try:
                value = option.type(part)
            except ValueError:
                raise ValueError(f"further values of {name} are numbers with commas, but one is {part!r}") from None
            option.check(value)
            if value not in values:
                values.append(value)
        found += [dict(options) | {option.name: value} for value in values[1:]]
        if text.strip():
            st.caption(f"The values of {name}: {' · '.join(map(str, values))}")
    return found


def _samples(dataset: str) -> tuple[Samples | None, str, int, int]:
    """The uploaded samples, if they are, the split, and which of them."""
    split = st.segmented_control(
        "Samples",
        list(SOURCES),
        default="test",
        format_func=lambda each: SOURCES[each],
        required=True,
        key="batch_split",
        label_visibility="collapsed",
        **KEPT,
    )
    assert split is not None
    if split == UPLOADED:
        found = uploaded(dataset)
        return found, split, 0, len(found.names) if found else 1
    there = DATASETS[dataset].sizes["test"]
    low, many = st.columns(2, wrap=False)
    start = low.number_input("First sample", 0, there - 1, 0, key="batch_start", **KEPT)
    count = many.number_input("How many", 1, there, min(100, there), key="batch_count", **KEPT)
    if start + count > there:
        raise ValueError(f"there are {there} test samples: from {start} on, only {there - start} are left")
    return None, split, start, start + count


def _rules() -> str:
    return "\n".join(f"- **{name}**: {words}" for name, words in TARGETS.items())


def command(what: Sequence[Experiment]) -> str:
    """How the same is run on a command line, where `what` is a grid."""
    attacks = dict.fromkeys(
        ":".join([each.attack, *(f"{name}={str(value).lower()}" for name, value in each.options.items())])
        for each in what
    )
    lists = {
        "crafted-on": dict.fromkeys(each.crafted_on for each in what),
        "evaluated-on": dict.fromkeys(name for each in what for name in each.evaluated_on),
        "targets": dict.fromkeys(each.targets for each in what),
    }
    one = what[0]
    parts = ["python -m kerckhoffs evaluate", *(f"--attack {attack}" for attack in attacks)]
    parts += [f"--{name} {','.join(values)}" for name, values in lists.items()]
    parts += [f"--seed {seed}" for seed in dict.fromkeys(each.seed for each in what)]
    parts += ["--zip samples.zip"] if one.split == UPLOADED else [f"--start {one.start}", f"--stop {one.stop}"]
    return " ".join(parts)
