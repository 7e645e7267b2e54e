"""What a challenge remembers: no query beyond the budget, no token on the disk, and the order of the leaderboard."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from kerckhoffs.challenge.judge import Judged
from kerckhoffs.challenge.refusals import Refused
from kerckhoffs.challenge.store import JOINS, NAME, Store
from kerckhoffs.checks import FileRefused
from tests import ROOT
from tests.challenge.test_rules import GOOD
from tests.commands import mode
from tests.foreign import hostile

NOW = GOOD.end.timestamp() - 1000
COMMITMENT, FINGERPRINT, WEIGHTS = "ab" * 32, "cd" * 16, "ef" * 32


@pytest.fixture
def make(tmp_path):
    def create(invitation=None, **rules):
        path = tmp_path / "challenges" / "0badcafe.sqlite"
        return Store.create(
            path, replace(GOOD, **rules), COMMITMENT, FINGERPRINT, WEIGHTS, now=NOW, invitation=invitation
        )

    return create


@pytest.fixture
def store(make):
    return make()


def status(function, *arguments):
    with pytest.raises(Refused) as refused:
        function(*arguments)
    return refused.value.status


def test_its_files_are_for_their_owner_alone(store):
    store.join("team", "", NOW)
    files = sorted(store.path.parent.iterdir())
    assert [path.suffix for path in files] == [".sqlite", ".sqlite-shm", ".sqlite-wal"]
    assert [mode(path) for path in files] == [0o600] * 3
    assert mode(store.path.parent) == 0o700


def test_a_file_is_never_overwritten_and_another_file_is_refused(make, tmp_path):
    store = make()
    with pytest.raises(FileRefused, match="File exists"):
        make()
    with pytest.raises(FileRefused, match="there is no challenge"):
        Store(tmp_path / "nothing.sqlite")
    other = tmp_path / "other.sqlite"
    other.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(FileRefused, match="is no challenge"):
        Store(other)
    assert Store(store.path).rules == GOOD


def test_a_token_is_its_teams_alone_and_only_its_hash_is_kept(store):
    tokens = [store.join(name, "", NOW) for name in ("one", "two")]
    assert [store.team(token).name for token in tokens] == ["one", "two"]
    assert status(store.team, tokens[0][:-1]) == 401
    assert status(store.team, "\ud83d") == 401
    seen = b"".join(path.read_bytes() for path in store.path.parent.iterdir())
    assert not any(token.encode() in seen for token in tokens)


@pytest.mark.parametrize(
    "name", ["", "  ", "x" * (NAME + 1), "a\nb", "a\tb", "\ud83d", "\u202eabc", "a\x00", "\x1b[31m"]
)
def test_a_name_that_cannot_be_printed_is_refused(store, name):
    assert status(store.join, name, "", NOW) == 422


def test_hostile_names_are_names_or_refused(make):
    store, taken, refused = make(teams=1000, end=GOOD.end + timedelta(days=9)), [], set()
    for number, name in enumerate(hostile()):
        try:
            store.join(name, "", NOW + 61 * number)
            taken.append(name.strip())
        except Refused as error:
            refused.add(error.status)
    assert len(taken) > 100
    assert refused == {409, 422}
    assert {each.name for each in store.leaderboard()} == set(taken)


@pytest.mark.parametrize("other", ["team", " TEAM ", "ｔｅａｍ"])
def test_a_name_that_looks_like_another_is_taken(store, other):
    store.join("Team", "", NOW)
    assert status(store.join, other, "", NOW) == 409


def test_there_is_room_for_so_many_teams_and_not_for_all_in_one_minute(make):
    store = make(teams=JOINS + 1)
    for number in range(JOINS):
        store.join(f"team {number}", "", NOW)
    assert status(store.join, "another", "", NOW) == 429
    store.join("another", "", NOW + 61)
    assert status(store.join, "one more", "", NOW + 122) == 403


def test_where_there_is_an_invitation_who_has_it_joins(make):
    store = make(invitation="open sesame")
    assert store.invited
    assert status(store.join, "team", "", NOW) == 403
    assert status(store.join, "team", "open", NOW) == 403
    assert store.join("team", "open sesame", NOW)
    assert b"open sesame" not in store.path.read_bytes()


def test_queries_are_spent_whole_and_never_beyond_the_budget(make):
    store = make(queries=10)
    team = store.team(store.join("team", "", NOW)).id
    assert store.spend(team, 7, NOW) == (7, 3)
    assert status(store.spend, team, 4, NOW) == 403
    assert store.spend(team, 3, NOW) == (10, 0)
    assert status(store.spend, team, 1, NOW) == 403
    with pytest.raises(sqlite3.IntegrityError):  # nor by any other hand
        sqlite3.connect(store.path).execute("UPDATE team SET spent = spent + 1")


def test_the_rate_is_an_allowance_that_fills_again(make):
    store = make(rate=60, at_once=60, queries=1000)
    team = store.team(store.join("team", "", NOW)).id
    store.spend(team, 60, NOW)
    with pytest.raises(Refused, match="at most 60 images a minute; try again in 5.0 s") as refused:
        store.spend(team, 5, NOW)
    assert (refused.value.status, refused.value.wait) == (429, 5)
    assert status(store.spend, team, 5, NOW - 100) == 429  # a clock that goes back gives nothing
    store.spend(team, 5, NOW + 5)
    store.spend(team, 60, NOW + 500)
    assert status(store.spend, team, 1, NOW + 500) == 429


def test_of_sixteen_who_race_for_the_last_query_one_gets_it(make):
    store = make(queries=3, rate=1000)
    others = [Store(store.path) for _ in range(4)]
    team = store.team(store.join("team", "", NOW)).id

    def one(number):
        try:
            return others[number % 4].spend(team, 1, NOW)
        except Refused:
            return None

    with ThreadPoolExecutor(16) as threads:
        got = [each for each in threads.map(one, range(64)) if each]
    assert sorted(got) == [(1, 2), (2, 1), (3, 0)]


PROGRAM = """
import sys
from pathlib import Path
from kerckhoffs.challenge.refusals import Refused
from kerckhoffs.challenge.store import Store
store, got = Store(Path(sys.argv[1])), 0
while True:
    try:
        store.spend(1, 1, float(sys.argv[2]))
    except Refused:
        break
    got += 1
print(got)
"""


def test_two_processes_share_one_budget(make):
    store = make(queries=100, rate=1000)
    store.join("team", "", NOW)
    command = [sys.executable, "-c", PROGRAM, str(store.path), str(NOW)]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sum(int(each.communicate(timeout=60)[0]) for each in both) == 100


def test_after_the_end_and_after_the_reveal_nobody_joins_or_asks(make):
    store = make()
    team = store.team(store.join("team", "", NOW)).id
    end = GOOD.end.timestamp()
    assert [store.state(NOW), store.state(end)] == ["open", "ended"]
    assert status(store.spend, team, 1, end) == 403
    assert status(store.join, "late", "", end) == 403
    store.mark_revealed(NOW)
    assert store.state(NOW) == "revealed"
    assert status(store.spend, team, 1, NOW) == 403


def judged(position, distance=0.1, counts=True):
    return Judged(position, distance, True, 3, counts)


def test_first_comes_who_fooled_more_then_who_asked_less_then_who_was_earlier(make):
    store = make(queries=1000, rate=1000)
    ids = {name: store.team(store.join(name, "", NOW)).id for name in ("late", "greedy", "best", "idle", "early")}

    def submit(name, positions, spent, now):
        store.record(ids[name], [judged(each) for each in positions], [b""] * len(positions), spent, now)

    submit("late", [0], 5, NOW + 9)
    submit("greedy", [0], 50, NOW + 1)
    submit("best", [0, 1], 100, NOW + 2)
    submit("early", [0], 5, NOW + 3)
    assert [each.name for each in store.leaderboard()] == ["best", "early", "late", "greedy", "idle"]
    submit("early", [0], 500, NOW + 10)  # nothing new: what it took stays what it was
    assert [(each.name, each.queries) for each in store.leaderboard()][:2] == [("best", 100), ("early", 5)]


def test_of_an_image_the_nearest_example_is_kept(store):
    team = store.team(store.join("team", "", NOW)).id
    for distance, image in ((0.2, b"far"), (0.1, b"near"), (0.15, b"between")):
        assert store.record(team, [judged(1, distance)], [image], 1, NOW) == 1
    assert store.record(team, [judged(2, counts=False)], [b"none"], 1, NOW) == 1
    [best] = store.best(team)
    assert (best.position, best.distance, best.image) == (1, 0.1, b"near")
