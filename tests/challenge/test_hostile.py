"""Some hundreds of the hostile requests of benchmarks/challenge.py."""

from benchmarks import challenge
from benchmarks.hostile_requests import heads


def test_hostile_requests_break_nothing_cost_what_they_say_and_learn_nothing(kerckhoffs_home, tmp_path, monkeypatch):
    monkeypatch.setattr(challenge, "BUDGET", 60)  # so that some teams use theirs up
    kinds = tuple(each for each in challenge.KINDS if each is not heads)  # some of which the server waits for
    monkeypatch.setattr(challenge, "KINDS", kinds)
    found = challenge.run(20 * len(kinds), 1, 2, tmp_path)
    assert found.wrong == []
    assert found.races == {"200": 2 * challenge.LAST, "403": 2 * (2 * challenge.RACERS - challenge.LAST)}
    assert max(found.spent.values()) == 60
