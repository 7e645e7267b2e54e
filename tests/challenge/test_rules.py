import dataclasses
from datetime import UTC, datetime, timedelta, timezone

import pytest

from kerckhoffs.challenge.rules import Rules

GOOD = Rules(
    model="own/mnist-linear-keyed",
    dataset="mnist",
    network="Linear",
    defence="keyed",
    twin="mnist-linear-classical",
    norm="linf",
    budget=0.2,
    samples=(3, 1, 2),
    answers="labels",
    queries=100,
    rate=60,
    at_once=16,
    teams=5,
    end=datetime(2030, 1, 2, 3, 4, tzinfo=UTC),
)


def test_they_survive_json():
    assert Rules.of_record(GOOD.record()) == GOOD


def test_an_end_in_another_time_zone_is_the_same_moment():
    zone = timezone(timedelta(hours=2))
    there = dataclasses.replace(GOOD, end=datetime(2030, 1, 2, 5, 4, tzinfo=zone))
    assert there.record() == GOOD.record()


@pytest.mark.parametrize("budget", [1.0, 0.5])
def test_the_largest_budget_is_the_norms(budget):
    assert dataclasses.replace(GOOD, budget=budget).budget == budget
    assert dataclasses.replace(GOOD, norm="l2", budget=28.0).budget == 28.0


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"dataset": "cifar"}, "unknown dataset 'cifar'"),
        ({"norm": "l0"}, "unknown norm 'l0'"),
        ({"answers": "gradients"}, "unknown answers 'gradients'"),
        ({"budget": 0}, "budget must be above 0 and at most 1 in linf, but is 0"),
        ({"budget": 1.1}, "at most 1 in linf, but is 1.1"),
        ({"budget": float("nan")}, "but is nan"),
        ({"norm": "l2", "budget": 28.1}, "at most 28 in l2, but is 28.1"),
        ({"samples": ()}, "at least one"),
        ({"samples": (1, 1)}, "each once"),
        ({"samples": (1000,)}, "from 0 to 999"),
        ({"samples": (True,)}, "whole numbers"),
        ({"queries": 0}, "queries must be a whole number from 1 to 10000000, but is 0"),
        ({"rate": 1.5}, "rate must be a whole number"),
        ({"at_once": 61}, "at_once must be at most rate, 60, but is 61"),
        ({"teams": 10_001}, "teams must be"),
        ({"end": datetime(2030, 1, 1)}, "end must say its time zone"),
    ],
)
def test_what_is_none_is_refused_with_its_value(changed, reason):
    with pytest.raises(ValueError, match=reason):
        dataclasses.replace(GOOD, **changed)
