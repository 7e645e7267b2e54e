"""What to be wary of in results: flags, in the manner of AutoAttack's checks (Croce and Hein 2020; flags_doc.md).

Each says when it is raised and what it means, and looks at the rows alone. To add one, write its function and its
entry in FLAGS; docs/warnings.md lists them.

Attacks are compared by the samples that both were tried on: in how many the one did what it was to do and the other
not, against how many the other way round. Several seeds and targets of a sample count as one, by their mean. A
difference counts if it is at least LEAST of the samples, and if chance gives as uneven a split with a probability of
at most LEVEL over all comparisons that a flag makes (McNemar's exact test, one-sided, with Bonferroni's correction).
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from kerckhoffs.attacks import ATTACKS, Attack
from kerckhoffs.evaluation import summaries
from kerckhoffs.evaluation.metrics import wilson
from kerckhoffs.evaluation.probes import TINY

LEVEL = 0.01
LEAST = 0.01
VANISHING = 0.1  # the share of samples
ROUNDING = 1e-3  # of the largest logit: far above what two calls of a model that repeats itself differ by
UNBOUNDED = 0.9  # epsilon from which on nearly every image can be reached
REACHED = 0.99  # what success has to reach there

NEEDED = (*summaries.GROUP, "index", "target", "success", "crafted_gradient", "call_difference")
"""The columns that `raised` reads; rows may lack the last two."""

WITH_SUMMARY = tuple(dict.fromkeys((*summaries.NEEDED, *NEEDED)))
"""The columns that `raised` and `summaries.summarise` read."""

TRIED = ("dataset", "split", "attack", "options", "targets", "crafted_on", "evaluated_on")

Line = Mapping[str, str]
"""Columns of a summary with their values: it stands for the lines that have these."""


@dataclass(frozen=True)
class Seen:
    """What a flag has found.

    Args:
        template: one or two sentences with what was measured, and {} for each of the names.
        names: of models, and attacks with their options.
        lines: of the summary, those that it is about.
    """

    template: str
    names: tuple[str, ...]
    lines: tuple[Line, ...]

    def words(self, quote: Callable[[str], str] = str) -> str:
        """The sentences, each name as `quote` gives it."""
        return self.template.format(*map(quote, self.names))


@dataclass(frozen=True, eq=False)
class Tried:
    """An attack with its options, crafted on one model and evaluated on one.

    Args:
        hits: by sample and target, the share of seeds with which it did what it was to do on the evaluated model.
    """

    hits: pd.Series
    dataset: str
    split: str
    attack: str
    options: str
    targets: str
    crafted_on: str
    evaluated_on: str

    @property
    def entry(self) -> Attack:
        """The attack in the registry."""
        return ATTACKS[self.attack]

    @cached_property
    def chosen(self) -> dict[str, Any]:
        """All its options, the defaults too."""
        defaults = {option.name: option.default for option in self.entry.options}
        return {**defaults, **json.loads(self.options)}

    @property
    def budget(self) -> float:
        """Its epsilon; infinite for an attack without a limit, NaN for one whose limit is of another kind."""
        return math.inf if self.entry.kind == "minimal" else float(self.chosen.get("epsilon", math.nan))

    @property
    def white(self) -> bool:
        """Whether it climbs the gradients of the model that it is evaluated on."""
        return self.entry.access == "gradients" and self.crafted_on == self.evaluated_on

    @property
    def one_step(self) -> bool:
        """Whether it takes one gradient an image."""
        return self.entry.cost == 1

    @property
    def share(self) -> float:
        """The share of its examples that did what they were to do."""
        return float(self.hits.mean())

    @property
    def words(self) -> str:
        """What was tried: "pgd epsilon=0.3"."""
        aimed = "" if self.targets == "untargeted" else f" ({self.targets} targets)"
        return summaries.named(self.attack, self.options) + aimed

    @property
    def line(self) -> Line:
        """Its lines in a summary."""
        return {name: getattr(self, name) for name in TRIED}


class Evidence:
    """The rows, and what was tried in them, each once and in the same order however the rows lie."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.rows = rows

    @cached_property
    def tried(self) -> list[Tried]:
        """Every attack on every pair of models."""
        rows = self.rows[[*TRIED, "seed", "index", "target", "success"]]
        rows = rows.assign(target=rows["target"].astype("Float64").fillna(-1).astype(int)).drop_duplicates()
        found = [
            Tried(part.groupby(["index", "target"])["success"].mean(), *map(str, key))
            for key, part in rows.groupby(list(TRIED), observed=True, sort=False)
        ]
        return sorted(found, key=lambda each: tuple(each.line.values()))

    def groups(self, key: Callable[[Tried], Hashable | None]) -> list[list[Tried]]:
        """What was tried by something that it shares; without what has None there."""
        found: dict[Hashable, list[Tried]] = defaultdict(list)
        for each in self.tried:
            if (of := key(each)) is not None:
                found[of].append(each)
        return list(found.values())

    def measured(self, column: str, role: str) -> Iterator[tuple[str, pd.Series]]:
        """What was measured of each model in a role: a value a sample; nothing where it is empty or not there."""
        if column not in self.rows:
            return
        rows = self.rows[["dataset", "split", role, "index", column]].dropna(subset=[column])
        found = rows.groupby(["dataset", "split", role], observed=True, sort=False)
        for key, part in sorted(((tuple(map(str, key)), part) for key, part in found), key=lambda each: each[0]):
            yield key[-1], part.groupby("index")[column].max()


@dataclass(frozen=True)
class Pair:
    """Two things that were tried on the same samples, of which the first is not to be the better one.

    Args:
        samples: that both have; alone, the samples in which each did better than the other; shares, of successes.
    """

    better: Tried
    worse: Tried
    samples: int
    alone: tuple[int, int]
    shares: tuple[float, float]

    @property
    def lead(self) -> float:
        """By what share of the samples the first does better."""
        return self.shares[0] - self.shares[1]

    def beyond_chance(self, comparisons: int) -> bool:
        """Whether the lead counts (see this module)."""
        from scipy.special import bdtr  # slow

        more, less = self.alone
        return self.lead >= LEAST and float(bdtr(less, more + less, 0.5)) <= LEVEL / comparisons

    @property
    def figures(self) -> str:
        """The shares, and where they come from."""
        one, other = (f"{100 * share:.1f} %" for share in self.shares)
        more, less = self.alone
        return f"{one} against {other} of {self.samples} samples: {more} by the first alone, {less} by the other alone"


def compare(better: Tried, worse: Tried) -> Pair | None:
    """Both on the samples and targets that they share; None if there are none."""
    both = pd.concat([better.hits, worse.hits], axis=1, join="inner", keys=["better", "worse"])
    if both.empty:
        return None
    by_sample = both.groupby(level="index").mean()
    lead = by_sample["better"] - by_sample["worse"]
    shares = float(by_sample["better"].mean()), float(by_sample["worse"].mean())
    return Pair(better, worse, len(lead), (int((lead > 0).sum()), int((lead < 0).sum())), shares)


def _strongest(tried: Iterable[Tried]) -> Tried | None:
    return max(tried, key=lambda each: each.share, default=None)


def _leads(groups: Iterable[Sequence[tuple[Tried, Tried]]]) -> Iterator[Pair]:
    """Of each group of pairs the one with the largest lead, if that is beyond chance."""
    compared = [[pair for each in group if (pair := compare(*each))] for group in groups]
    comparisons = sum(len(group) for group in compared)
    for group in filter(None, compared):
        pair = max(group, key=lambda each: each.lead)
        if pair.beyond_chance(comparisons):
            yield pair


def _vanishing(evidence: Evidence) -> Iterator[Seen]:
    for model, size in evidence.measured("crafted_gradient", "crafted_on"):
        tiny, none = (100 * float(where.mean()) for where in (size < TINY, size == 0))
        if tiny >= 100 * VANISHING:
            found = f"On {{}} it is below {TINY:g} at {tiny:.1f} % of {len(size)} samples, and 0 at {none:.1f} %."
            climbing = tuple(dict.fromkeys(each.words for each in evidence.tried if _climbs(each, model)))
            follows = (
                f"Crafted along it: {', '.join('{}' for _ in climbing)}; what these do not fool says nothing."
                if climbing
                else "No attack here climbs it in the arithmetic of float32."
            )
            yield Seen(f"{found} {follows}", (model, *climbing), ({"crafted_on": model},))


def _climbs(each: Tried, model: str) -> bool:
    """Whether it climbs the cross-entropy of this model as float32 has it."""
    rounded = each.chosen.get("arithmetic") == "float32"
    return rounded and each.crafted_on == model and each.targets == "untargeted"


def _random(evidence: Evidence) -> Iterator[Seen]:
    for model, difference in evidence.measured("call_difference", "evaluated_on"):
        if differs := int((difference > ROUNDING).sum()):
            yield Seen(
                f"On {{}} two calls of the same image differ at {differs} of {len(difference)} samples, by up to "
                f"{100 * float(difference.max()):.3g} % of the largest logit.",
                (model,),
                ({"evaluated_on": model},),
            )


def _one_step(evidence: Evidence) -> Iterator[Seen]:
    def key(each: Tried) -> Hashable | None:
        if (each.entry.kind, each.entry.access) != ("budget", "gradients") or math.isnan(each.budget):
            return None
        return _where(each), each.crafted_on, each.entry.norm, each.budget

    groups = []
    for group in evidence.groups(key):
        if many := _strongest(each for each in group if not each.one_step):
            groups.append([(each, many) for each in group if each.one_step])
    for pair in _leads(groups):
        yield _better(pair)


def _black_box(evidence: Evidence) -> Iterator[Seen]:
    def key(each: Tried) -> Hashable | None:
        return None if math.isnan(each.budget) else (_where(each), each.entry.norm, each.budget)

    groups = []
    for group in evidence.groups(key):
        if white := _strongest(each for each in group if each.white and each.entry.kind != "universal"):
            groups.append([(each, white) for each in group if not each.white])
    for pair in _leads(groups):
        better, worse = pair.better, pair.worse
        yield Seen(
            f"Evaluated on {{}}, {{}}, which reads {better.entry.access} of {{}}, does better than {{}} on the "
            f"gradients of {{}}: {pair.figures}.",
            (better.evaluated_on, better.words, better.crafted_on, worse.words, worse.crafted_on),
            (better.line, worse.line),
        )


def _falling(evidence: Evidence) -> Iterator[Seen]:
    def key(each: Tried) -> Hashable | None:
        others = {name: value for name, value in each.chosen.items() if name != "epsilon"}
        return _where(each), each.crafted_on, each.attack, json.dumps(others, sort_keys=True)

    groups = []
    for group in evidence.groups(key):
        below = [(_strongest(each for each in group if each.budget < larger.budget), larger) for larger in group]
        groups.append([(smaller, larger) for smaller, larger in below if smaller])
    for pair in _leads(groups):
        yield _better(pair)


def _unbounded(evidence: Evidence) -> Iterator[Seen]:
    def key(each: Tried) -> Hashable | None:
        strong = each.white and not each.one_step and each.entry.kind != "universal"
        return (_where(each), each.entry.norm) if strong and each.budget >= UNBOUNDED else None

    for group in evidence.groups(key):
        best = _strongest(group)
        assert best is not None
        by_sample = best.hits.groupby(level="index").mean()
        _, high = wilson(round(float(by_sample.sum())), len(by_sample))
        if high < REACHED:
            share = f"{100 * float(by_sample.mean()):.1f} % of {len(by_sample)} samples"
            yield Seen(
                f"Crafted and evaluated on {{}}, {{}} is the strongest in {best.entry.norm} and did what it was to do "
                f"in {share}, at most {100 * high:.1f} % by the interval.",
                (best.crafted_on, best.words),
                (best.line,),
            )


def _where(each: Tried) -> Hashable:
    return each.dataset, each.split, each.targets, each.evaluated_on


def _better(pair: Pair) -> Seen:
    """Of two that were crafted and evaluated on the same models."""
    better, worse = pair.better, pair.worse
    return Seen(
        f"Crafted on {{}}, evaluated on {{}}, {{}} does better than {{}}: {pair.figures}.",
        (better.crafted_on, better.evaluated_on, better.words, worse.words),
        (better.line, worse.line),
    )


@dataclass(frozen=True)
class Flag:
    """An entry of the registry.

    Args:
        title: for people; raised_if and means: one or two sentences each.
        look: finds it in the evidence.
    """

    id: str
    title: str
    raised_if: str
    means: str
    look: Callable[[Evidence], Iterator[Seen]]


@dataclass(frozen=True)
class Raised:
    """A flag that was raised, with everything it has seen."""

    flag: Flag
    seen: tuple[Seen, ...]


_BEYOND_CHANCE = (
    f"by at least {100 * LEAST:g} % of the samples that both were tried on, and beyond chance (McNemar's exact test, "
    f"one-sided, level {100 * LEVEL:g} % over all such comparisons)"
)

FLAGS: dict[str, Flag] = {
    flag.id: flag
    for flag in (
        Flag(
            "vanishing-gradients",
            "Vanishing gradients",
            "The largest entry of the cross-entropy's gradient, for the true class and in float32, is below "
            f"{TINY:g} at {100 * VANISHING:g} % of the clean samples or more, on the model that was crafted on.",
            "Gradients are masked: the logits lie so far apart that the softmax rounds to 0 and 1, as after defensive "
            "distillation, whose logits are multiplied by the temperature. Untargeted attacks with arithmetic=float32, "
            "and those of libraries that compute so, stand still where it is 0 and climb a rest of it where it is not: "
            "that they fail is no robustness. With arithmetic=exact, the default here, attacks climb an objective of "
            "the same direction that does not vanish; towards a target the cross-entropy does not vanish either.",
            _vanishing,
        ),
        Flag(
            "random-answers",
            "Different answers to the same image",
            f"Two calls of the same clean image give logits that differ by more than {100 * ROUNDING:g} % of the "
            "largest one, at a sample or more, on the model that was evaluated on: beyond rounding.",
            "The defence draws random numbers. That one call is fooled, or is not, says little, and a gradient of one "
            "call points nowhere in particular: judge by the mean over draws, and attack the mean (EOT).",
            _random,
        ),
        Flag(
            "one-step-wins",
            "One step does better than many",
            "A gradient attack of one step does better than the strongest one of many steps at the same epsilon, "
            f"crafted and evaluated on the same models, {_BEYOND_CHANCE}.",
            "The many steps are too small or too few for this epsilon, the attack is not made to be the strongest "
            "(ILLC aims at one class), or gradients are masked. Where the example is evaluated on another model than "
            "it was crafted on, many steps also fit the crafted-on one too closely. Either way the error with many "
            "steps is too low: take the higher one.",
            _one_step,
        ),
        Flag(
            "black-box-wins",
            "Black box does better than white box",
            "An attack that reads scores or labels alone, or that was crafted on another model, does better than the "
            "strongest attack on the evaluated model's own gradients, in the same norm and at the same epsilon, or "
            f"both without one, {_BEYOND_CHANCE}.",
            "Gradients are masked, or the gradient attack is too weak: whoever knows more must not do worse. The "
            "white-box error is too low: take the higher one, and an attack with more or larger steps.",
            _black_box,
        ),
        Flag(
            "error-falls",
            "More epsilon does worse",
            f"An attack does better at a smaller epsilon than at a larger one, all else equal, {_BEYOND_CHANCE}.",
            "What is allowed at the smaller epsilon is allowed at the larger one. The attack is too weak there, its "
            "steps too few or too small or its one step too long, or gradients are masked: the error at the larger "
            "epsilon is too low.",
            _falling,
        ),
        Flag(
            "unbounded-fails",
            "Unlimited attack fails",
            f"Of the attacks of many steps on the evaluated model's own gradients with epsilon from {UNBOUNDED:g} on, "
            "or with none, the strongest in a norm does what it was to do in so few samples that the upper end of "
            f"Wilson's 95 % interval is below {100 * REACHED:g} %.",
            "With nearly every image allowed, nearly every image must be fooled. Gradients are masked, or the attack "
            "is too weak: what it found at smaller sizes is too little too.",
            _unbounded,
        ),
    )
}


def raised(rows: pd.DataFrame) -> list[Raised]:
    """The flags that rows raise, in the order of FLAGS; the same however the rows lie and how often each is there.

    Args:
        rows: with the columns NEEDED.
    """
    if rows.empty:
        return []
    evidence = Evidence(rows)
    found = ((flag, tuple(flag.look(evidence))) for flag in FLAGS.values())
    return [Raised(flag, seen) for flag, seen in found if seen]


def marked(summary: pd.DataFrame, found: Sequence[Raised]) -> pd.DataFrame:
    """A summary with a column `warnings`: the ids of the flags that are about each line."""
    lines = summary.to_dict("records")
    return summary.assign(warnings=["; ".join(each.flag.id for each in found if _about(each, line)) for line in lines])


def _about(found: Raised, line: Mapping[Hashable, Any]) -> bool:
    return any(all(line[name] == value for name, value in of.items()) for each in found.seen for of in each.lines)


def markdown(found: Sequence[Raised]) -> str:
    """The flags for people, in Markdown; "" if there are none."""
    lines = ["## Warnings"] if found else []
    for each in found:
        lines.append(f"**{each.flag.title}.** {each.flag.means}")
        lines.append("\n".join(f"- {seen.words('`{}`'.format)}" for seen in each.seen))
        lines.append(f"Raised if: {each.flag.raised_if}")
    return "\n\n".join(lines) + "\n" * bool(lines)
