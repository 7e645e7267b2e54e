"""What the rows of any evaluation say of the ladder.

`lines`: what each attack did. `points`: what each rung comes to: the strongest of its attacks on the defended
classifiers, the strongest of its attacks on a control that has no key, and the difference, which is the key advantage
(advantage.py); with one attack for both, who chooses it for one side flatters the other. Against who has the weights or
the key a control has nothing to hide: it is attacked as one that is known. Rungs are ways of using what is known, and
who knows more may use them all: so `points` has LEVELS too, the strongest of all that can be done with some knowledge.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kerckhoffs import attackers
from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.evaluation import advantage
from kerckhoffs.evaluation.experiments import Experiment
from kerckhoffs.evaluation.rungs import EPSILONS, KNOWN
from kerckhoffs.zoo import NETWORKS, ModelCard

CONTROL = "control without a key"
_DESIGN = ("noise", "data", "twin", "twin-alike", "own-key", "own-key-alike", "own-keys")
LEVELS: dict[str, tuple[str, ...]] = {
    "nothing": ("noise",),
    "the data": ("noise", "data"),
    "data and design": _DESIGN,
    "data, design, answers": (*_DESIGN, "labels", "scores", "substitute"),
    "data, design, weights": (*_DESIGN, "bypass", "recovery"),
    "the key as well": tuple(ATTACKERS),
}
"""By what is known, the attackers that whoever knows it may be."""
NEEDED = (
    *("dataset", "split", "attack", "options", "targets", "seed", "crafted_on", "evaluated_on"),
    *("index", "label", "before", "after", "linf", "forwards"),
)
"""The columns of rows that `lines` reads."""

LINES = (
    *("epsilon", "attacker", "options", "crafted_on", "attack", "attack_options", "evaluated_on", "keys", "samples"),
    *("error", "error_low", "error_high", "queries"),
    *("advantage", "advantage_low", "advantage_high"),
)
"""The columns of `lines`."""

POINTS = (
    *("epsilon", "level", "attacker", "options", "queries", "crafted_on", "attack", "attack_options", "evaluated_on"),
    *("keys", "samples", "error", "error_low", "error_high"),
    *("control_attacker", "control_options", "control_attack", "control_error", "control_error_low"),
    *("control_error_high", "advantage", "advantage_low", "advantage_high", "advantage_keys", "advantage_samples"),
)
"""The columns of `points`."""


Point = tuple[str, str, int]
"""An attacker, its options as they stand in an id, and how many queries its attack may ask, 0 where that is not set."""


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
        LINES: errors in [0, 1], and advantages in [-1, 1], with the ends of their 95 % intervals; crafted_on of the
        first of a group; queries: forwards an example. The advantage is what the same attack does to the control, of an
        attacker who has the weights to a control that is known; NaN where the control was not attacked likewise, and
        for the control itself.
    """
    tried = _tried(rows, groups, controls)
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
    return _in_order(pd.DataFrame(found, columns=list(LINES)))


def points(rows: pd.DataFrame, groups: Sequence[Group], controls: Group, epsilons: Sequence[float]) -> pd.DataFrame:
    """What each rung comes to, and each of LEVELS at which more was tried than at those before, for each group.

    Args:
        rows, groups, controls: as `lines` takes them.

    Returns:
        POINTS: level: "" for a rung, which is an attacker with options and a budget of queries, 0 where none is set;
        else of LEVELS. The attack that does most to the group, in the mean over its keys, and its error; the one of the
        same rung or level that does most to the controls, and its error on those that are the keys' pairs; the
        advantage is their difference, paired by sample and key: of so many of both. Errors are in [0, 1], advantages in
        [-1, 1], with the ends of their 95 % intervals; NaN without controls. Where there are no groups the points are
        the controls'.
    """
    tried = _tried(rows, groups, controls)
    found = []
    for epsilon in epsilons:
        at = [each for each in tried if each.counts_at(epsilon)]
        for group in groups or (controls,):
            there = list(dict.fromkeys(each.point for each in at if each.evaluated in group.ids))
            found += [_point(epsilon, "", {each}, group, controls, at) for each in there]
            before: set[str] = set()
            for level, names in LEVELS.items():
                chosen = {each for each in there if each[0] in names}
                if {each[0] for each in chosen} - before:
                    found.append(_point(epsilon, level, chosen, group, controls, at))
                before |= set(names)
    return _in_order(pd.DataFrame(found, columns=list(POINTS)))


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    """By budget, and from knowing nothing to having the key; levels after all rungs."""
    order = {name: number for number, name in enumerate(ATTACKERS)}
    place = table["attacker"].map(order)
    if "level" in table:
        levels = {name: len(order) + number for number, name in enumerate(LEVELS)}
        place = table["level"].map(levels).fillna(place)
    ordered = table.assign(place=place).sort_values(["epsilon", "place"], kind="stable")
    return ordered.drop(columns="place").reset_index(drop=True)


@dataclass(frozen=True)
class _Tried:
    """One attack on one model to craft on, shown to one classifier."""

    crafted_on: str
    attack: str
    attack_options: str
    evaluated: str
    network: str
    rows: pd.DataFrame
    _wrong: dict[float, "pd.Series[bool]"] = field(default_factory=dict)

    @cached_property
    def rung(self) -> tuple[str, str]:
        """The attacker, and its options as they stand in an id."""
        return _rung(self.crafted_on, self.attack, self.crafted_on == self.evaluated, self.network)

    @property
    def key(self) -> tuple[str, ...]:
        return *self.rung, self.attack, self.attack_options, self.evaluated

    @cached_property
    def point(self) -> Point:
        """The rung, and how many queries the attack may ask."""
        return *self.rung, int(self.chosen.get("max_queries", 0))

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
        if epsilon not in self._wrong:
            rows = self.rows
            wrong = rows["after"] != rows["label"]
            if ATTACKS[self.attack].kind == "minimal":
                within = rows["linf"] <= epsilon + 1e-6
                wrong = (rows["before"] != rows["label"]) | (wrong & within)
            self._wrong[epsilon] = wrong.set_axis(rows["index"]).sort_index()
        return self._wrong[epsilon]


def _tried(rows: pd.DataFrame, groups: Sequence[Group], controls: Group) -> list[_Tried]:
    """Each untargeted attack of rows on each classifier of the groups; the rung of a control's is that of those it
    stands beside."""
    rows = rows[rows["targets"] == "untargeted"].astype({"crafted_on": str, "evaluated_on": str})
    rows = rows[rows["evaluated_on"].isin([id_ for group in (*groups, controls) for id_ in group.ids])]
    networks = {id_: group.network for group in groups for id_ in group.ids}
    first = groups[0].network if groups else controls.network
    together = rows.groupby(["crafted_on", "attack", "options", "evaluated_on"], observed=True, sort=False)
    found = [
        _Tried(str(crafted), str(attack), str(options), str(evaluated), networks.get(str(evaluated), first), part)
        for (crafted, attack, options, evaluated), part in together
    ]
    return [each for each in found if each.rung[0]]


def _line(
    epsilon: float,
    group: Group,
    controls: Group,
    one: _Tried,
    members: Sequence[_Tried],
    known: Mapping[tuple[str, ...], _Tried],
) -> tuple[Any, ...]:
    pairs = [
        (each, against)
        for each in members
        if group != controls and (against := known.get(_control_of(each, group, controls))) is not None
    ]
    queries = float(np.mean([each.rows["forwards"].mean() for each in members]))
    return (
        *(epsilon, *one.rung, members[0].crafted_on, one.attack, one.attack_options, group.name),
        *(*_error(members, epsilon), queries, *_gained(pairs, epsilon)[:3]),
    )


def _point(
    epsilon: float, level: str, those: Collection[Point], group: Group, controls: Group, at: Sequence[_Tried]
) -> tuple[Any, ...]:
    """Of several points together."""
    keyed = _strongest(at, group.ids, those, epsilon)
    first = next(iter(keyed.values()))
    said = (*first.rung, first.point[2], first.crafted_on, first.attack, first.attack_options, group.name)
    beside: dict[int, _Tried] = {}
    if group != controls:
        beside = _strongest(at, controls.ids, {_against_control(each) for each in those}, epsilon)
    pairs = [(each, beside[number]) for number, each in keyed.items() if number in beside]
    of_control: tuple[Any, ...] = ("", "", "", np.nan, np.nan, np.nan)
    if pairs:
        other = pairs[0][1]
        of_control = *other.rung, other.attack, *_error([each for _, each in pairs], epsilon)[2:]
    return epsilon, level, *said, *_error(list(keyed.values()), epsilon), *of_control, *_gained(pairs, epsilon)


def _strongest(at: Iterable[_Tried], ids: Sequence[str], those: Collection[Point], epsilon: float) -> dict[int, _Tried]:
    """Of the attacks at some points the one that does most to these classifiers, in the mean: on each of them, by its
    place. One that was shown to more of them comes first."""
    found: dict[tuple[str, ...], dict[int, _Tried]] = {}
    for each in at:
        if each.evaluated in ids and each.point in those:
            found.setdefault(each.key[:-1], {})[ids.index(each.evaluated)] = each

    def does(by_place: Mapping[int, _Tried]) -> tuple[int, float]:
        return len(by_place), float(np.mean([each.wrong(epsilon).mean() for each in by_place.values()]))

    return dict(sorted(max(found.values(), key=does, default={}).items()))


def _error(members: Sequence[_Tried], epsilon: float) -> tuple[int, int, float, float, float]:
    """How many keys and samples, and the error over them with its interval."""
    wrong = _matrix([each.wrong(epsilon) for each in members])
    return *wrong.shape, *advantage.error_over_keys(wrong)


def _control_of(each: _Tried, group: Group, controls: Group) -> tuple[str, ...]:
    """The key of the same attacker's same attack on the control that is its pair."""
    number = group.ids.index(each.evaluated)
    control = controls.ids[number] if number < len(controls.ids) else ""
    attacker, options, _ = _against_control(each.point)
    return attacker, options, each.attack, each.attack_options, control


def _against_control(point: Point) -> Point:
    """What a point is held against: who has the weights of a control, which has no key, has everything."""
    return ("key", "", 0) if point[0] in KNOWN else point


def _gained(pairs: Sequence[tuple[_Tried, _Tried]], epsilon: float) -> tuple[float, float, float, int, int]:
    """The advantage over pairs of a keyed classifier and its control, NaN without any; how many pairs and samples."""
    if not pairs:
        return np.nan, np.nan, np.nan, 0, 0
    both = _matrix([each.wrong(epsilon) for side in zip(*pairs, strict=True) for each in side])
    found = advantage.advantage(both[len(pairs) :], both[: len(pairs)])
    return found.value, found.low, found.high, found.keys, found.samples


def _matrix(wrong: Sequence["pd.Series[bool]"]) -> NDArray[np.bool_]:
    """Of the samples that all have, (K, S)."""
    shared = wrong[0].index
    for each in wrong[1:]:
        shared = shared.intersection(each.index)
    return np.array([each[shared].to_numpy(bool) for each in wrong])


def _rung(crafted_on: str, attack: str, itself: bool, network: str) -> tuple[str, str]:
    """The attacker who crafts so, and its options as they stand in an id, "" for none; no attacker where it is none of
    the ladder's: another defended classifier, for example.

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
    by_length = sorted(NETWORKS, key=len, reverse=True)
    own = next((each for each in by_length if crafted_on.endswith(f"-{each}-classical")), "")
    if own == network:
        return "twin", ""
    return ("data", f"network={own if own in ('mlp', 'linear') else 'cnn'}") if own else ("", "")


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
    return lines(rows, *sides(what, cards), budgets(what, cards))


def points_of(rows: pd.DataFrame, what: Sequence[Experiment], cards: Mapping[str, ModelCard]) -> pd.DataFrame:
    """The points of a run's rows, as `lines_of` has the lines."""
    return points(rows, *sides(what, cards), budgets(what, cards))


def budgets(what: Sequence[Experiment], cards: Mapping[str, ModelCard]) -> tuple[float, ...]:
    """The epsilons of experiments, the smallest first; the set's where none has one."""
    found = sorted({float(each.options["epsilon"]) for each in what if "epsilon" in each.options})
    return tuple(found) or EPSILONS.get(cards[what[0].crafted_on].dataset, ())
