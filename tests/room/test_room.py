"""A room as a state machine: no vote lost or doubled under any order of requests, and a restart at any time."""

import os
import stat
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kerckhoffs.room import Room, Rooms, Shown, State, rooms, store
from tests.rooms import SEVEN, TALK, phone

SHOWN = Shown({"before": 1}, {"after": 1}, ("Yes", "No"), 0)


class Votes(RuleBasedStateMachine):
    """Phones and windows that say things late, twice and in any order, against a model that is a few dicts."""

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "room"
        self.room = Room.create(self.path, TALK, "ABCDEF", "token")
        self.votes, self.phase, self.round, self.version = {}, "ask", 0, 0

    def teardown(self):
        self.room.delete()
        self.folder.cleanup()

    @rule(scene=st.integers(-1, 4))
    def go(self, scene):
        self.room.go(scene)

    @rule(phase=st.sampled_from(["ask", "locked", "revealed"]))
    def to_phase(self, phase):
        self.room.to_phase(1, phase)
        order = ["ask", "locked", "revealed"]
        if self.room.state.scene == 1 and order.index(phase) > order.index(self.phase):
            self.phase = phase

    @rule(late=st.booleans())
    def ask_again(self, late):
        self.room.ask_again(1, self.round - late)
        if self.room.state.scene == 1 and not late:
            self.round, self.phase = self.round + 1, "ask"

    @rule(number=st.integers(0, 3), turn=st.integers(0, 3), choice=st.integers(0, 3), late=st.integers(0, 1))
    def vote(self, number, turn, choice, late):
        round_ = self.round - late
        counted = self.room.vote(1, round_, phone(number), turn, choice)
        assert counted == (self.room.state.scene == 1 and self.phase == "ask" and not late and choice < 3)
        known = self.votes.get((round_, number))
        if counted and (known is None or turn > known[0]):
            self.votes[round_, number] = turn, choice

    @rule()
    def restart(self):
        before = self.room.state
        self.room.close()
        self.room = Room(self.path)
        assert self.room.state == before

    @invariant()
    def every_vote_counts_once(self):
        if self.room.state.scene == 1:
            wanted = Counter(choice for (round_, _), (_, choice) in self.votes.items() if round_ == self.round)
            assert self.room.tallies() == dict(wanted)
            assert (self.room.state.phase, self.room.state.round) == (self.phase, self.round)

    @invariant()
    def versions_never_fall(self):
        assert self.room.state.version >= self.version
        self.version = self.room.state.version


TestVotes = Votes.TestCase
TestVotes.settings = settings(max_examples=25, stateful_step_count=30)


@pytest.fixture
def room():
    return rooms().create(TALK)


@pytest.fixture(autouse=True)
def _let_go():
    yield
    rooms().let_go()


def test_a_room_is_found_again_by_another_process_with_all_that_was_said(room):
    room.go(1)
    assert room.vote(1, 0, phone(1), 1, 2)
    room.prepare(1, Shown({"a": [1]}, {"b": "ß"}, ("one", "two", "three"), 2))
    room.go(2)
    assert room.draw(phone(1), SEVEN)
    assert room.call(phone(1), "Ada")
    [waiting] = room.waiting()
    assert room.take(2, waiting.id, SHOWN)
    room.approve(phone(1), "Ada", True)
    again = Rooms().find(room.code.lower())
    assert again is not room
    assert (again.state, again.token, again.talk) == (room.state, room.token, room.talk)
    assert again.drawn_by() == "Ada"
    assert again.shown() == SHOWN
    again.go(1)
    assert again.tallies() == {2: 1}
    assert again.shown().truth == 2


def test_what_a_killed_process_had_said_is_there(room):
    """Nothing is closed and nothing is written at an end: another connection reads what is there."""
    room.go(1)
    for number in range(50):
        assert room.vote(1, 0, phone(number), 1, number % 3)
    assert Room(room.path).count() == 50


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_its_files_are_for_their_owner_and_gone_when_it_is_closed(room):
    room.go(1)
    files = list(room.path.parent.iterdir())
    assert len(files) == 3
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    rooms().close(room)
    assert list(room.path.parent.iterdir()) == []
    assert rooms().find(room.code) is None


def test_another_process_may_close_it(room):
    Rooms().close(Rooms().find(room.code))
    assert rooms().known(room.code) is None
    assert rooms().find(room.code) is None


def test_an_old_room_is_forgotten(room, monkeypatch):
    monkeypatch.setattr("kerckhoffs.room.registry.HOURS", 0)
    assert rooms().known(room.code) is None
    assert rooms().find(room.code) is None
    assert not room.path.exists()


def test_only_a_few_rooms_are_open(room):
    for _ in range(3):
        rooms().create(TALK)
    with pytest.raises(ValueError, match="4 rooms are open"):
        rooms().create(TALK)
    assert room in rooms().all()


def test_a_file_that_is_no_room_is_none(room):
    (room.path.parent / "ABCDEF.room").write_text("no room")
    assert rooms().find("ABCDEF") is None
    assert rooms().find("../../etc/passwd") is None


def test_a_scene_that_draws_asks_once_a_drawing_was_taken(room):
    room.go(2)
    assert not room.asks
    assert room.draw(phone(1), SEVEN)
    [waiting] = room.waiting()
    assert not room.take(1, waiting.id, SHOWN), "another scene"
    assert room.take(2, waiting.id, SHOWN)
    assert room.asks
    assert room.waiting() == []
    assert room.vote(2, 1, phone(2), 1, 0)
    room.to_phase(2, "revealed")
    assert room.draw(phone(2), SEVEN)
    [waiting] = room.waiting()
    assert room.take(2, waiting.id, SHOWN)
    assert room.asks
    assert room.count() == 0, "a question about another drawing"


def test_what_is_shown_stays_while_a_question_is_asked_again(room):
    """Its options come from what is shown, so without it no vote would count."""
    room.go(1)
    at = {
        step: Shown(f"before at {step}", f"after at {step}", ("one", "two", "three", "four"), 3) for step in (0.1, 0.3)
    }
    shown = Shown("before", "after", ("one", "two", "three", "four"), 3)
    room.prepare(1, shown)
    for step, each in at.items():
        room.prepare(1, each, step=step)
    for round_ in range(3):
        assert (room.state.round, room.shown(), room.options()) == (round_, shown, shown.options)
        assert [room.shown(step) for step in (0.0, 0.15, 0.25)] == [at[0.1], at[0.1], at[0.3]]
        assert room.vote(1, round_, phone(1), 1, 3)
        room.to_phase(1, "revealed")
        assert (room.shown(), room.tallies()) == (shown, {3: 1})
        room.ask_again(1, round_)


def test_the_newest_drawing_is_shown_in_its_round_and_those_after_it(room):
    inviting, shown = Shown("inviting", "inviting"), [Shown(number, number, ("Yes", "No"), 0) for number in range(2)]
    room.prepare(2, inviting)
    room.go(2)
    room.ask_again(2, 0)
    assert room.shown() == inviting
    for each in shown:
        assert room.draw(phone(1), SEVEN)
        assert room.take(2, room.waiting()[0].id, each)
        for _ in range(2):
            assert room.shown() == each
            room.ask_again(2, room.state.round)
    room.prepare(2, inviting)  # a server that was started again, and was not done with it
    assert room.shown() == shown[-1]


def test_a_scene_is_prepared_once_all_of_it_is(room):
    """A server that ends before that, or a drawing that is taken before, leaves the rest to be prepared."""
    room.go(2)
    room.prepare(2, SHOWN, step=0.0)
    assert room.draw(phone(1), SEVEN)
    assert room.take(2, room.waiting()[0].id, SHOWN)
    assert room.prepared() == frozenset()
    room.prepare(2, SHOWN)
    assert room.prepared() == {2}


def test_drawings_and_names_are_bounded(room, monkeypatch):
    monkeypatch.setattr(store, "MOST_WAITING", 3)
    room.go(2)
    assert all(room.draw(phone(1), SEVEN) for _ in range(5))
    assert len(room.waiting()) == 1, "the newest of a phone"
    assert [room.draw(phone(number), SEVEN) for number in range(2, 6)] == [True, True, False, False]
    assert [room.call(phone(number), f"name {number}") for number in range(5)] == [True, True, True, False, False]
    assert not room.draw(phone(1), "A" * 5001)
    room.refuse_all()
    assert room.waiting() == []
    room.go(1)
    assert not room.draw(phone(1), SEVEN), "this scene takes none"


def test_votes_are_bounded(room, monkeypatch):
    monkeypatch.setattr(store, "MOST_PHONES", 3)
    room.go(1)
    assert [room.vote(1, 0, phone(number), 1, 0) for number in range(5)] == [True, True, True, False, False]
    assert room.vote(1, 0, phone(1), 2, 1), "who is counted may change"


def test_phones_are_known_from_what_they_have_said_in_any_round(room):
    for number in (1, 2, 3):
        assert not room.knows(phone(number))
    room.go(1)
    assert room.vote(1, 0, phone(1), 1, 0)
    room.ask_again(1, 0)
    assert room.call(phone(2), "Ada")
    room.go(2)
    assert room.draw(phone(3), SEVEN)
    again = Rooms().find(room.code)
    assert [again.knows(phone(number)) for number in range(5)] == [False, True, True, True, False]


def test_a_name_that_changed_needs_the_speaker_again(room):
    room.call(phone(1), "Ada")
    room.approve(phone(1), "Grace", True)
    assert room.names() == [(phone(1), "Ada")], "another name by now"
    room.approve(phone(1), "Ada", True)
    assert room.names() == []
    room.call(phone(1), "Ada")
    assert room.names() == []
    room.call(phone(1), "Eve")
    assert room.names() == [(phone(1), "Eve")]


def test_an_error_in_a_change_changes_nothing(room):
    before = room.state
    with pytest.raises(TypeError):
        room.prepare(0, Shown(object(), {}))

    def fail():
        with room._changing():
            room.state = State(scene=3)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert room.state == before == Room(room.path).state
