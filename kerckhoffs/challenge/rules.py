"""The rules of a challenge: what is attacked, how far an image may be moved, how often one may ask, until when."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from kerckhoffs.checks import check_choice
from kerckhoffs.data import DATASETS

Norm = Literal["linf", "l2"]
Answers = Literal["labels", "scores"]
RANGES = {"queries": 10_000_000, "rate": 1_000_000, "at_once": 1000, "teams": 10_000}
"""The most of each number; the least is 1."""


@dataclass(frozen=True)
class Rules:
    """What everybody is told before they begin.

    Args:
        model: the id of the classifier with the hidden key.
        dataset: its set, a key of DATASETS.
        network, defence: what it is, for people.
        twin: the id of the shipped classifier without a key, to craft on; "" if there is none.
        norm: in which the change of an image is measured.
        budget: the largest change: of linf in (0, 1], of l2 in (0, sqrt(C H W)].
        samples: numbers of the images in the set's bundled test split, each once; their places here are the positions.
        answers: what a query is told: the class, or the probabilities of all classes.
        queries: images that a team may have judged, submitted ones too.
        rate: of them in a minute, and in one go after a pause.
        at_once: of them in a request, at most `rate`.
        teams: how many may join.
        end: when it ends, with its time zone.

    Raises:
        ValueError: naming what is wrong.
    """

    model: str
    dataset: str
    network: str
    defence: str
    twin: str
    norm: Norm
    budget: float
    samples: tuple[int, ...]
    answers: Answers
    queries: int
    rate: int
    at_once: int
    teams: int
    end: datetime

    def __post_init__(self) -> None:
        check_choice(self.dataset, DATASETS, "dataset")
        check_choice(self.norm, get_args(Norm), "norm")
        check_choice(self.answers, get_args(Answers), "answers")
        most = 1.0 if self.norm == "linf" else math.sqrt(math.prod(self.shape))
        if not 0 < self.budget <= most:
            raise ValueError(f"budget must be above 0 and at most {most:g} in {self.norm}, but is {self.budget!r}")
        there = DATASETS[self.dataset].sizes["test"]
        whole = all(type(each) is int and 0 <= each < there for each in self.samples)
        if not self.samples or not whole or len(set(self.samples)) < len(self.samples):
            raise ValueError(f"samples must be whole numbers from 0 to {there - 1}, each once, at least one")
        for name, high in RANGES.items():
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= high:
                raise ValueError(f"{name} must be a whole number from 1 to {high}, but is {value!r}")
        if self.at_once > self.rate:
            raise ValueError(f"at_once must be at most rate, {self.rate}, but is {self.at_once}")
        if self.end.tzinfo is None:
            raise ValueError(f"end must say its time zone, but is {self.end.isoformat()}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""
        return DATASETS[self.dataset].shape

    @property
    def classes(self) -> tuple[str, ...]:
        """What the classes are called."""
        return DATASETS[self.dataset].classes

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self) | {"samples": list(self.samples), "end": self.end.astimezone(UTC).isoformat()}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Rules":
        """What `record` gave.

        Raises:
            ValueError, TypeError, KeyError: if it is not that.
        """
        given = {each.name: record[each.name] for each in fields(cls)}
        ends = datetime.fromisoformat(given["end"])
        return cls(**given | {"samples": tuple(given["samples"]), "end": ends})

    def words(self) -> str:
        """What is allowed, in a few sentences of Markdown."""
        told = "its class" if self.answers == "labels" else "the probabilities of all classes"
        return (
            f"Change **{len(self.samples)} images** of {DATASETS[self.dataset].name} by at most **{self.budget:g}** in "
            f"{self.norm}, so that the keyed classifier misreads them. A team has **{self.queries} queries**, at most "
            f"{self.rate} a minute and {self.at_once} in a request; each image asked or submitted is one, and is told "
            f"{told}. First comes who fooled it on the most images; then who needed fewer queries for that; then who "
            f"was earlier."
        )

    def dumps(self) -> str:
        """The record as text."""
        return json.dumps(self.record())
