"""What phones ask for and say, over the routes: bounded, idempotent, and told nothing before the reveal."""

import json

import pytest
from starlette.applications import Starlette

from kerckhoffs.room import Shown, codes, limits, phones, rooms, store
from kerckhoffs.ui.stage import show
from kerckhoffs.ui.stage.routes import ROUTES, drawing
from tests import ROOT
from tests.foreign import SEEDS
from tests.rooms import SEVEN, TALK, Client, phone

APP = Starlette(routes=ROUTES)


@pytest.fixture
def room():
    yield rooms().create(TALK)
    rooms().let_go()


BUCKETS = ("ASKING", "SAYING", "JOINING", "DRAWING", "DRAWINGS")


def like(bucket, **options):
    """A full one of the same size."""
    return limits.Bucket(bucket._at_once, bucket._a_second, **options)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Buckets of each test's own."""
    for name in BUCKETS:
        monkeypatch.setattr(phones, name, like(getattr(phones, name)))


@pytest.fixture
def at_once(monkeypatch, fresh):
    """All that is said is said in the same moment."""
    for name in BUCKETS:
        monkeypatch.setattr(phones, name, like(getattr(phones, name), clock=lambda: 0.0))


@pytest.fixture
def client(room):
    return Client(APP, room.code)


def test_the_page_asks_for_nothing_from_elsewhere_and_runs_its_own_script_alone(client):
    for path in ("/room", f"/room/{client.code}", f"/room/{client.code}/stage"):
        status, headers, text = client.ask(path)
        assert status == 200
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "'unsafe-inline'" not in policy.partition("style-src")[0]
        assert "https://" not in text
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "").replace("'http://'", "")
        assert "innerHTML" not in text
        assert "cookie" not in text.lower()
        assert "set-cookie" not in headers


def test_no_other_room_is_told_apart_from_none(client):
    assert client.ask("/room/AAAAAA/state")[0] == 404
    assert client.ask("/room/..%2f..%2fetc/state")[0] == 404
    assert client.ask("/room/AAAAAA/vote", {"phone": phone(1)})[0] == 404


def test_what_is_known_is_not_sent_again(client, room):
    status, headers, text = client.ask("state")
    assert (status, json.loads(text)["version"]) == (200, room.state.version)
    known = [(b"if-none-match", headers["etag"].encode())]
    assert client.ask("state", headers=known)[0] == 304
    room.go(1)
    assert client.ask("state", headers=known)[0] == 200


def test_a_vote_said_twice_counts_once_and_the_last_turn_counts(client, room):
    room.go(1)
    assert [client.vote(1, 0), client.vote(1, 0), client.vote(1, 2, turn=3), client.vote(1, 1, turn=2)] == [200] * 4
    assert room.tallies() == {2: 1}
    assert client.vote(1, 0, scene=0) == 409
    assert client.vote(1, 0, round=1) == 409
    assert client.vote(1, 9) == 409
    room.to_phase(1, "locked")
    assert client.vote(2, 0) == 409
    assert room.count() == 1


@pytest.mark.parametrize("name", ["scene", "round", "turn", "choice"])
@pytest.mark.parametrize("value", [None, -1, 1.5, True, "1", 10**12, [1], {}])
def test_a_vote_that_is_none_is_refused(client, room, name, value):
    room.go(1)
    said = {"phone": phone(1), "scene": 1, "round": 0, "turn": 1, "choice": 0} | {name: value}
    assert client.ask("vote", said)[0] == 400
    assert room.count() == 0


def test_what_is_no_request_of_a_phone_is_refused(client):
    kind = [(b"content-type", b"application/json")]
    for body, headers, status in (
        (b"{}", [], 415),
        (b"{}", [(b"content-type", b"text/plain")], 415),
        (b"{", kind, 400),
        (b"[]", kind, 400),
        (b"[" * 5000, kind, 400),
        (b"\xff", kind, 400),
        (b'{"phone": "x"}', kind, 400),
        (b" " * 9000, kind, 413),
        (b" " * 10_000_000, kind, 413),
    ):
        for path in ("vote", "name", "drawing"):
            assert client.ask(path, body=body, headers=headers)[0] == status


def test_hostile_names_are_harmless_and_seen_by_the_speaker_alone(client, room):
    speaker = Client(APP, room.code, room.token)
    show.prepare(room)

    def seen():
        return [client.get(path) | {"version": 0} for path in ("state", "scene")]

    before = seen()
    for number, name in enumerate(SEEDS[:40]):
        status, _, text = client.ask("name", {"phone": phone(number), "name": name})
        assert status in (200, 400), text
    waiting = speaker.get("scene")["speaker"]["names"]
    assert waiting
    assert all(each["name"].isprintable() and not set(each["name"]) & set("<>&[]`") for each in waiting)
    assert seen() == before


def test_drawings_are_checked_and_wait(client, room):
    room.go(2)
    for wrong in ("", "A", "!!!!", "A" * 6000, "_wAA", None, 3):
        said = {"phone": phone(1), "strokes": wrong}
        assert client.ask("drawing", said)[0] in (400, 413, 429)
        phones.DRAWING = limits.Bucket(4, 0.5)
    assert client.ask("drawing", {"phone": phone(1), "strokes": SEVEN})[0] == 200
    assert [each.strokes for each in room.waiting()] == [drawing(SEVEN)]
    assert SEVEN not in client.ask("state")[2] + client.ask("scene")[2]


def test_too_much_is_refused(client, room):
    room.go(1)
    phones.SAYING = limits.Bucket(3, 0.001)
    assert [client.vote(number, 0) for number in range(5)] == [200, 200, 200, 429, 429]
    other = Client(APP, room.code, address="10.0.0.2")
    assert other.vote(9, 0) == 200, "another address"
    phones.ASKING = limits.Bucket(2, 0.001)
    assert [client.ask("state")[0] for _ in range(3)] == [200, 200, 429]
    room.go(2)
    phones.ASKING, phones.SAYING = limits.Bucket(99, 1), limits.Bucket(99, 1)
    said = {"phone": phone(1), "strokes": SEVEN}
    assert [client.ask("drawing", said)[0] for _ in range(6)] == [200] * 4 + [429] * 2


def test_a_hall_of_two_hundred_phones_behind_one_address_joins_and_votes_at_once(client, room, at_once):
    room.go(1)
    for number in range(200):
        assert [client.ask(path)[0] for path in (f"/room/{room.code}", "state")] == [200, 200]
        assert [client.vote(number, 0), client.vote(number, 0)] == [200, 200], "twice: the answer was lost"
    assert room.count() == 200


def test_one_client_is_no_more_voters_than_a_hall_and_keeps_nobody_else_out(client, room, at_once):
    room.go(1)
    assert client.vote(0, 1) == 200
    said = [client.vote(number, 0) for number in range(1, 490)]
    assert said == [200] * 299 + [429] * 190
    assert client.vote(0, 2, turn=2) == 200, "who has voted may change it"
    assert client.ask("name", {"phone": phone(0), "name": "Ada"})[0] == 200
    assert client.ask("name", {"phone": phone(10**6), "name": "Eve"})[0] == 429, "whatever it says first"
    assert Client(APP, room.code, address="10.0.0.2").vote(10**6, 0) == 200, "another address"
    assert room.count() == 301


def test_one_client_does_not_fill_the_queue_of_drawings(client, room, at_once):
    room.go(2)
    said = [client.ask("drawing", {"phone": phone(number), "strokes": SEVEN})[0] for number in range(60)]
    assert said == [200] * 40 + [429] * 20
    other = Client(APP, room.code, address="10.0.0.2")
    assert other.ask("drawing", {"phone": phone(99), "strokes": SEVEN})[0] == 200
    assert len(room.waiting()) == 41


def test_the_manual_says_what_an_address_may():
    said = " ".join((ROOT / "docs" / "stage.md").read_text(encoding="utf-8").split())
    joining, drawings = ((each._at_once, each._a_second) for each in (phones.JOINING, phones.DRAWINGS))
    assert (joining, drawings) == ((300, 1), (40, 0.5))
    assert "address 300 phones may say something for the first time at once, and one more each second" in said
    assert "40 drawings may come at once, and one more every two seconds" in said
    assert (
        f"the {store.MOST_WAITING} drawings that may wait after {(store.MOST_WAITING - 40) / 0.5:.0f} seconds" in said
    )
    assert f"the {store.MOST_PHONES} phones that a round counts after half an hour" in said
    assert 0.4 < (store.MOST_PHONES - 300) / 3600 < 0.6
    assert f"A message has {limits.SECONDS:.0f} seconds" in said


def test_nothing_tells_the_truth_or_the_split_before_the_reveal(monkeypatch):
    """All that phones and screens are told, at each step up to the reveal, for each truth and split there can be."""
    monkeypatch.setattr(codes, "code", lambda: "CODECD")
    told: dict[str, set[str]] = {}
    for truth in range(3):
        fresh = rooms().create(TALK)
        shown = Shown({"blocks": []}, {"blocks": [{"kind": "words", "text": "SECRET"}]}, ("one", "two", "three"), truth)
        show.prepare(fresh)
        fresh.prepare(1, shown)
        phone_, speaker = Client(APP, fresh.code), Client(APP, fresh.code, fresh.token)
        speaker.do("go", scene=1)
        for number in range(9):
            phone_.vote(number, truth if number else 0)
        for step in ("ask", "locked"):
            desk = speaker.do("phase", scene=1, round=0, phase=step)["speaker"]
            assert sum(desk["split"]) == (9 if step == "locked" else 0)
            for path in ("state", "scene", f"/room/{fresh.code}", "stage"):
                _, headers, text = phone_.ask(path)
                said = text + json.dumps(headers)
                assert "SECRET" not in said
                told.setdefault(f"{step} {path}", set()).add(said)
        vote = phone_.ask("vote", {"phone": phone(1), "scene": 1, "round": 0, "turn": 9, "choice": truth})[2]
        told.setdefault("vote", set()).add(vote)
        revealed = speaker.do("phase", scene=1, round=0, phase="revealed")["question"]
        assert revealed["truth"] == truth == phone_.get("state")["question"]["truth"]
        assert sum(revealed["split"]) == 9
        assert "SECRET" in phone_.ask("scene")[2]
        rooms().close(fresh)
    assert {name: len(answers) for name, answers in told.items()} == dict.fromkeys(told, 1), "whatever is true"
