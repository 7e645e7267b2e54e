"""The ladder: the attacked error at every rung of an attacker's knowledge, and what of it is the key's merit.

A rung is an attacker (attackers.ATTACKERS). `plan` says what to make and to judge: at each rung the same samples, the
same budget in linf, and the attacks below; the attacker takes the one that does best, and the figure is that one's. For
those who craft on models of their own all classifiers are shown the same examples; who asks a classifier, or has
something of it, attacks each for itself.

`lines` reads the figure off the rows of any evaluation. Beside each error stands the key advantage (advantage.py): what
the same attacker, with the same budget, does to a control that has no key. Against who has the weights or the key a
control has nothing to hide: it is attacked as one that is known.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kerckhoffs import attackers
from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluation import advantage
from kerckhoffs.evaluation.experiments import Experiment
from kerckhoffs.evaluation.summaries import named, percent
from kerckhoffs.zoo import NETWORKS, ModelCard

EPSILONS = {"mnist": (0.1, 0.2, 0.3), "fashion-mnist": (0.05, 0.1)}
QUERIES = (100, 300, 1000)
KEYS = (2, 4, 8)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
ALL: dict[str, Any] = {"perturb_all": True}
CARRIED: tuple[tuple[str, dict[str, Any]], ...] = (("fgsm", ALL), ("mi_fgsm", ALL))
"""By gradients of another model, or of the mean of several: one step, and ten with momentum; what fails where it was
crafted counts too. Forty steps follow that model more closely and carry over no better, at four times the price: PGD
beat both in 1 of 30 such cases of the first ladder that was climbed, by a point, and never behind own keys by more."""
GRADIENTS = (*CARRIED, ("pgd", ALL))
"""By gradients of what is attacked itself: forty steps from a random start, too."""
CONTROL = "control without a key"
HIDDEN = ("epsilon", "perturb_all")  # options of an attack that a table need not repeat
KNOWN = ("bypass", "recovery", "part-of-key", "key")
"""Who has the weights: their like against a control, which has no key, has everything."""


@dataclass(frozen=True)
class Rung:
    """An attacker with options and attacks, each an id with its options but epsilon."""

    attacker: str
    attacks: tuple[tuple[str, Mapping[str, Any]], ...] = CARRIED
    options: Mapping[str, Any] = field(default_factory=dict)

    def against(self, card: ModelCard) -> bool:
        """Whether it makes sense against a classifier."""
        return ATTACKERS[self.attacker].against(card.entry)


def asking(attack: str, queries: Iterable[int]) -> tuple[tuple[str, dict[str, Any]], ...]:
    """An attack by queries at each of these budgets."""
    return tuple((attack, {"max_queries": each}) for each in queries)


def rungs(
    *,
    queries: Sequence[int] = QUERIES,
    keys: Sequence[int] = KEYS,
    shares: Sequence[float] = SHARES,
    samples: Sequence[int] = (),
) -> tuple[Rung, ...]:
    """All rungs, from noise to the key, with the curves along queries, own keys, the leaked share and own data.

    Args:
        queries: budgets of the black boxes and of the substitute.
        keys: how many of their own an attacker has.
        shares: of the key.
        samples: training samples of the attacker with one own key, beside all.
    """
    return (
        Rung("noise", (("noise", ALL),)),
        Rung("labels", asking("rays", queries)),
        Rung("scores", asking("square", queries)),
        *(Rung("data", options={"network": each}) for each in ("linear", "mlp", "cnn")),
        Rung("twin"),
        Rung("twin-alike"),
        *(Rung("own-key", options={"samples": each}) for each in samples),
        Rung("own-key"),
        Rung("own-key-alike"),
        *(Rung("own-keys", options={"number": each}) for each in keys),
        *(Rung("substitute", options={"queries": each}) for each in queries),
        Rung("bypass"),
        Rung("recovery"),
        *(Rung("part-of-key", GRADIENTS if each == 1 else CARRIED, {"share": each}) for each in shares),
        Rung("key", GRADIENTS),
    )


def plan(
    keyed: Sequence[ModelCard],
    controls: Sequence[ModelCard],
    ladder: Sequence[Rung],
    *,
    epsilons: Sequence[float],
    samples: int,
    start: int = 0,
    seed: int = 0,
) -> tuple[Experiment, ...]:
    """What to evaluate.

    Args:
        keyed: the defended classifiers, of one set, network and defence: one for each key.
        controls: classifiers without a key.
        epsilons: linf budgets. An attack for the smallest change runs once for all of them.

    Raises:
        ValueError: if there is nothing to do.
    """
    found: dict[Experiment | tuple[Any, ...], Experiment] = {}
    everyone = (*keyed, *controls)
    for rung in ladder:
        pairs: list[tuple[str, tuple[str, ...]]] = []
        if ATTACKERS[rung.attacker].alone:
            pairs = [(_of(rung, card), (card.id,)) for card in everyone if _of(rung, card)]
        elif rung.against(keyed[0]):
            crafted = attackers.crafted_on(rung.attacker, keyed[0], rung.options)
            pairs = [(crafted, tuple(card.id for card in everyone if card.id != crafted))]
        for crafted, evaluated in pairs:
            for attack, options in rung.attacks:
                budgets = [{}] if ATTACKS[attack].kind == "minimal" else [{"epsilon": each} for each in epsilons]
                for budget in budgets:
                    made = Experiment(
                        attack, crafted, evaluated, {**options, **budget}, seed=seed, start=start, stop=start + samples
                    )
                    found[(attack, crafted, evaluated, made.named_options())] = made
    if not found:
        raise ValueError("there is nothing to evaluate: name rungs that make sense against these classifiers")
    return tuple(found.values())


def _of(rung: Rung, card: ModelCard) -> str:
    """What an attacker who attacks each classifier for itself crafts on; "" if nothing. A control's weights and its all
    are the same."""
    if not card.keyed and rung.attacker in KNOWN:
        return card.id if rung.attacker == "key" else ""
    return attackers.crafted_on(rung.attacker, card, rung.options) if rung.against(card) else ""


def to_make(what: Iterable[Experiment], folder: str | Path | None = None) -> list[str]:
    """The ids of what attackers have to make first."""
    made = dict.fromkeys(each.crafted_on for each in what if attackers.is_made(each.crafted_on))
    return [id_ for id_ in made if not attackers.read(id_, folder).made]


# Reading it off rows

NEEDED = (
    *("dataset", "split", "attack", "options", "targets", "seed", "crafted_on", "evaluated_on"),
    *("index", "label", "before", "after", "linf", "forwards"),
)
"""The columns of rows that `lines` reads."""

LINES = (
    *("epsilon", "attacker", "options", "crafted_on", "attack", "attack_options", "evaluated_on", "keys", "samples"),
    *("error", "error_low", "error_high", "queries"),
    *("advantage", "advantage_low", "advantage_high", "best"),
)
"""The columns of `lines`."""


@dataclass(frozen=True)
class Group:
    """Classifiers that differ in their keys and seeds alone, under a name; and their network, a key of zoo.NETWORKS,
    to which an attacker's is a twin or another one."""

    name: str
    ids: tuple[str, ...]
    network: str = ""


def lines(rows: pd.DataFrame, groups: Sequence[Group], controls: Group, epsilons: Sequence[float]) -> pd.DataFrame:
    """A line for each epsilon, attacker, attack and group, in the order of the ladder.

    Args:
        rows: with the columns NEEDED, of untargeted attacks.
        groups: the defended classifiers.
        controls: those without a key; controls.ids[i] is held against the i-th of each group.

    Returns:
        LINES: errors and advantages in [0, 1] with the ends of their 95 % intervals; crafted_on of the first of a
        group; queries: forwards an example; best: whether no other attack of this rung, with the same budget of
        queries, does better on this group. The advantage is NaN where the control was not attacked likewise, and for
        the control itself.
    """
    rows = rows[rows["targets"] == "untargeted"].astype({"crafted_on": str, "evaluated_on": str})
    named = {id_: group.name for group in (*groups, controls) for id_ in group.ids}
    rows = rows[rows["evaluated_on"].isin(named)]
    networks = {id_: group.network for group in groups for id_ in group.ids}
    first = groups[0].network if groups else controls.network  # a control's rung is that of those it stands beside
    together = rows.groupby(["crafted_on", "attack", "options", "evaluated_on"], observed=True, sort=False)
    tried = [
        _Tried(str(crafted), str(attack), str(options), str(evaluated), networks.get(str(evaluated), first), part)
        for (crafted, attack, options, evaluated), part in together
    ]
    found = []
    for epsilon in epsilons:
        at = [each for each in tried if each.counts_at(epsilon)]
        known = {each.key: each for each in at}
        for group in (*groups, controls):
            ones: dict[tuple[str, ...], _Tried] = {}
            for each in at:
                if each.evaluated in group.ids:
                    ones.setdefault(each.key[:-1], each)
            for key, one in ones.items():
                members = [known[(*key, id_)] for id_ in group.ids if (*key, id_) in known]
                found.append(_line(epsilon, group, controls, one, members, known))
    table = pd.DataFrame(found, columns=list(LINES[:-1]))
    if table.empty:
        return table.assign(best=pd.Series(dtype=bool))
    highest = table.groupby(_points(table), sort=False)["error"].transform("max")
    order = {name: number for number, name in enumerate(ATTACKERS)}
    table = table.assign(best=table["error"] == highest, place=table["attacker"].map(order))
    sorted_ = table.sort_values(["epsilon", "place"], kind="stable").drop(columns="place").reset_index(drop=True)
    return sorted_[list(LINES)]


def read_lines(path: Path) -> pd.DataFrame:
    """The lines of a CSV file that was made of them.

    Raises:
        OSError, ValueError, KeyError: if it cannot be read, or is none.
    """
    found = pd.read_csv(path, dtype={"options": "string"})
    return found.assign(options=found["options"].fillna("").astype(str))[list(LINES)]


def measured(folder: Path) -> dict[str, Path]:
    """The files of lines in a folder, by the model that they are named after; the sets in the order of DATASETS."""

    def place(path: Path) -> tuple[int, str]:
        sets = [number for number, name in enumerate(DATASETS) if path.stem.startswith(f"{name}-")]
        return (*sets, len(DATASETS))[0], path.stem

    return {path.stem: path for path in sorted(folder.glob("*.csv"), key=place)}


def like(lines: pd.DataFrame, line: pd.Series) -> pd.Series | None:
    """The line of the controls that a line is held against: the same attack with the same options and budgets, by the
    same attacker; None if they were not attacked so."""
    attacker, options = _against_control(line["attacker"], line["options"])
    same = (lines["evaluated_on"] == CONTROL) & (lines["attacker"] == attacker) & (lines["options"] == options)
    for name in ("epsilon", "attack", "attack_options"):
        same &= lines[name] == line[name]
    return lines[same].iloc[0] if same.any() else None


def share(line: pd.Series, name: str = "error") -> str:
    """An error or advantage of a line with its interval, in percent, without the sign."""
    return percent(*(line[f"{name}{end}"] for end in ("", "_low", "_high")))


def strongest(lines: pd.DataFrame) -> pd.DataFrame:
    """One line for each budget, of epsilon and of queries, each rung and group: that of the attack which does best."""
    best = lines[lines["best"]]
    first = ~pd.concat(_points(best), axis=1).duplicated() if len(best) else best["best"]
    return best[first]


def asked(attack_options: str) -> int | None:
    """How many queries an attack may ask, by its options as JSON; None if it is not said."""
    found: int | None = json.loads(attack_options).get("max_queries")
    return found


def _points(lines: pd.DataFrame) -> list[pd.Series]:
    """What lines share that are of one point of the ladder, tried with several attacks."""
    names = ("epsilon", "attacker", "options", "evaluated_on")
    return [*(lines[name] for name in names), lines["attack_options"].map(asked).fillna(0).rename("queries")]


@dataclass(frozen=True)
class _Tried:
    """One attack on one model to craft on, shown to one classifier."""

    crafted_on: str
    attack: str
    attack_options: str
    evaluated: str
    network: str
    rows: pd.DataFrame

    @cached_property
    def rung(self) -> tuple[str, str]:
        """The attacker, and its options as they stand in an id."""
        return _rung(self.crafted_on, self.attack, self.crafted_on == self.evaluated, self.network)

    @property
    def key(self) -> tuple[str, ...]:
        return *self.rung, self.attack, self.attack_options, self.evaluated

    @property
    def chosen(self) -> dict[str, Any]:
        chosen: dict[str, Any] = json.loads(self.attack_options)
        return chosen

    def counts_at(self, epsilon: float) -> bool:
        """Whether it is an attack with this budget, or one for the smallest change, which counts at all of them."""
        entry = ATTACKS[self.attack]
        if entry.kind == "minimal":
            return entry.norm == "linf"
        defaults = {each.name: each.default for each in entry.options}
        return bool(np.isclose(self.chosen.get("epsilon", defaults.get("epsilon", np.nan)), epsilon))

    def wrong(self, epsilon: float) -> "pd.Series[bool]":
        """What is wrong after it within epsilon, by sample."""
        rows = self.rows
        wrong = rows["after"] != rows["label"]
        if ATTACKS[self.attack].kind == "minimal":
            within = rows["linf"] <= epsilon + 1e-6
            wrong = (rows["before"] != rows["label"]) | (wrong & within)
        return wrong.set_axis(rows["index"]).sort_index()


def _line(
    epsilon: float,
    group: Group,
    controls: Group,
    one: _Tried,
    members: Sequence[_Tried],
    known: Mapping[tuple[str, ...], _Tried],
) -> tuple[Any, ...]:
    wrong = [each.wrong(epsilon) for each in members]
    shared = wrong[0].index
    for each in wrong[1:]:
        shared = shared.intersection(each.index)
    error = advantage.error_over_keys(_matrix(wrong, shared))
    gained: tuple[float, float, float] = (np.nan, np.nan, np.nan)
    if group != controls:
        pairs = [
            (each, against)
            for each in members
            if (against := known.get(_control_of(each, group, controls))) is not None
        ]
        if pairs:
            gained = _gained(pairs, epsilon)
    queries = float(np.mean([each.rows["forwards"].mean() for each in members]))
    return (
        *(epsilon, *one.rung, members[0].crafted_on, one.attack, one.attack_options, group.name),
        *(len(members), len(shared), *error, queries, *gained),
    )


def _control_of(each: _Tried, group: Group, controls: Group) -> tuple[str, ...]:
    """The key of what is held against it: the same attacker on the control that is its pair."""
    number = group.ids.index(each.evaluated)
    control = controls.ids[number] if number < len(controls.ids) else ""
    return *_against_control(*each.rung), each.attack, each.attack_options, control


def _against_control(attacker: str, options: str) -> tuple[str, str]:
    """The rung of a control that a rung is held against: who has the weights of one that has no key has everything."""
    return ("key", "") if attacker in KNOWN else (attacker, options)


def _gained(pairs: Sequence[tuple[_Tried, _Tried]], epsilon: float) -> tuple[float, float, float]:
    keyed, control = ([each[side].wrong(epsilon) for each in pairs] for side in (0, 1))
    shared = keyed[0].index
    for each in (*keyed, *control):
        shared = shared.intersection(each.index)
    found = advantage.advantage(_matrix(control, shared), _matrix(keyed, shared))
    return found.value, found.low, found.high


def _matrix(wrong: Sequence["pd.Series[bool]"], shared: pd.Index) -> NDArray[np.bool_]:
    """Of samples that all have, (K, S)."""
    return np.array([each[shared].to_numpy(bool) for each in wrong])


def _rung(crafted_on: str, attack: str, itself: bool, network: str) -> tuple[str, str]:
    """The attacker who crafts so, and its options as they stand in an id, "" for none.

    Args:
        itself: whether it is evaluated on what it was crafted on.
        network: of the defended classifier.
    """
    if attackers.is_made(crafted_on):
        name, _, options = crafted_on.partition(attackers.AGAINST)[0].partition(":")
        return name, options
    if itself:
        access = ATTACKS[attack].access
        return {"nothing": "noise", "labels": "labels", "scores": "scores", "gradients": "key"}[access], ""
    if crafted_on.endswith("-surrogate"):
        return "own-key", ""
    own = next((each for each in sorted(NETWORKS, key=len, reverse=True) if f"-{each}-" in crafted_on), "")
    if own == network:
        return "twin", ""
    return "data", f"network={own if own in ('mlp', 'linear') else 'cnn'}"


def groups(cards: Sequence[ModelCard]) -> tuple[Group, ...]:
    """Cards as groups: those of the same set, network and defence together."""
    found: dict[str, list[ModelCard]] = {}
    for card in cards:
        found.setdefault(card.title, []).append(card)
    return tuple(Group(name, tuple(card.id for card in those), those[0].network) for name, those in found.items())


def sides(what: Iterable[Experiment], cards: Mapping[str, ModelCard]) -> tuple[tuple[Group, ...], Group]:
    """The defended classifiers of experiments as groups, and the controls: those that have no key."""
    found = [cards[name] for name in dict.fromkeys(name for each in what for name in each.evaluated_on)]
    controls = tuple(card for card in found if not card.keyed)
    network = controls[0].network if controls else ""
    return groups([card for card in found if card.keyed]), Group(CONTROL, tuple(card.id for card in controls), network)


def lines_of(rows: pd.DataFrame, what: Sequence[Experiment], cards: Mapping[str, ModelCard]) -> pd.DataFrame:
    """The lines of a run's rows at the budgets of its experiments; at EPSILONS where all look for the smallest change.

    Args:
        cards: of all its models.
    """
    usual = EPSILONS.get(cards[what[0].crafted_on].dataset, ())
    return lines(rows, *sides(what, cards), budgets(what) or usual)


def budgets(what: Iterable[Experiment]) -> tuple[float, ...]:
    """The epsilons of experiments, the smallest first."""
    return tuple(sorted({float(each.options["epsilon"]) for each in what if "epsilon" in each.options}))


def report(lines: pd.DataFrame) -> pd.DataFrame:
    """Lines for people: percent with intervals."""
    shown = lines[["epsilon", "attacker", "options", "attack", "evaluated_on", "keys", "samples"]].copy()
    shown["attack"] = [
        named(attack, json.dumps({name: value for name, value in json.loads(options).items() if name not in HIDDEN}))
        for attack, options in zip(lines["attack"], lines["attack_options"], strict=True)
    ]
    for title, name in (("attacked error %", "error"), ("key advantage %", "advantage")):
        values = zip(lines[name], lines[f"{name}_low"], lines[f"{name}_high"], strict=True)
        shown[title] = [percent(*each) for each in values]
    shown["queries"] = lines["queries"].round(1)
    shown["crafted on"] = lines["crafted_on"]
    shown["best"] = lines["best"]
    return shown.rename(columns={"evaluated_on": "evaluated on"})


def brief(lines: pd.DataFrame) -> pd.DataFrame:
    """The best attack of each rung on each defence, and what the same attack does to the control: for where there is
    little room. Of lines of the control alone, its own."""
    best = strongest(lines)
    defended = best[best["evaluated_on"] != CONTROL]
    best = best if defended.empty else defended
    beside = [like(lines, line) for _, line in best.iterrows()]
    shown = report(best)
    shown["attacker"] = (shown["attacker"] + " " + shown["options"]).str.strip()
    shown["control %"] = ["-" if line is None else share(line) for line in beside]
    shown["keys, samples"] = [f"{line.keys}, {line.samples}" for line in best.itertuples()]
    names = ("epsilon", "attacker", "attack", "evaluated on", "attacked error %", "control %", "key advantage %")
    return shown[[*names, "keys, samples"]]
