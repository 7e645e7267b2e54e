"""The page on which a speaker opens a room, who may, and the entry that Play gives for a talk."""

import pytest
from streamlit import config

from kerckhoffs.room import rooms, talk
from kerckhoffs.ui.keylab import owner
from kerckhoffs.ui.stage import experiment, opening, routes, show, snippet, speaker
from tests.foreign import SEEDS
from tests.pages import html, opened, words
from tests.rooms import TALK


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """The app listens to its own machine alone."""
    monkeypatch.setattr(owner, "LOCAL", (*owner.LOCAL, config.get_option("server.address")))
    yield
    for job in list(routes._preparing.values()):
        job.exception()
    routes._preparing.clear()
    rooms().let_go()


def links(app):
    return [each.proto.url for each in app.get("link_button")]


def test_a_speaker_opens_a_room_finds_its_windows_and_closes_it():
    app = opened("stage")
    assert "No room is open." in words(app.caption)
    app.button(key="open_room").click().run()
    assert not app.exception
    [room] = rooms().all()
    assert room.talk.title == "A key before the network"
    assert links(app) == [f"./room/{room.code}/stage?view=presenter#{room.token}", f"./room/{room.code}/stage"]
    again = opened("stage")
    assert links(again) == links(app), "another session of the same owner finds it"
    app.button(key=f"close_{room.code}").click().run()
    assert rooms().all() == []
    assert links(app) == []


def test_a_talk_that_cannot_be_shown_opens_no_room(monkeypatch):
    monkeypatch.setattr(talk, "shipped", lambda: {"own": TALK.replace("epsilon=0.2", "epsilon=7")})
    app = opened("stage")
    assert "scene 3: epsilon must be between" in words(app.error)
    assert "open_room" not in {each.key for each in app.button}


def test_a_file_that_is_no_talk_is_refused():
    with pytest.raises(ValueError, match="no text in UTF-8"):
        opening._text(b"\xff")
    assert talk.read(opening._text("\ufeff".encode() + TALK.encode())).title == "A test"


def test_titles_from_elsewhere_are_shown_as_code():
    for seed in SEEDS[:6]:
        text = TALK.replace('"A test"', snippet._text(seed[:90].strip() or "x"))
        try:
            room = rooms().create(text)
        except ValueError:
            continue
        app = opened("stage")
        assert not app.exception
        rooms().close(room)


class Context:
    """What Streamlit knows of a visitor."""

    def __init__(self, address, **headers):
        self.ip_address = address
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


LAPTOP = {"Host": "localhost:8501", "Origin": "http://localhost:8501"}


@pytest.mark.parametrize(
    ("listens", "address", "headers", "may"),
    [
        ("0.0.0.0", None, LAPTOP, True),
        (None, None, {"Host": "127.0.0.1:8501", "Origin": "http://127.0.0.1:8501"}, True),
        ("0.0.0.0", "192.168.1.9", LAPTOP, False),
        ("0.0.0.0", None, LAPTOP | {"Host": "192.168.1.5:8501"}, False),
        ("0.0.0.0", None, LAPTOP | {"Origin": "https://lecture.example"}, False),
        ("0.0.0.0", None, {"Host": "localhost:8501"}, False),
        ("0.0.0.0", None, LAPTOP | {"X-Forwarded-For": "10.0.0.7"}, False),
        ("0.0.0.0", None, LAPTOP | {"Via": "1.1 proxy"}, False),
        ("0.0.0.0", None, {}, False),
    ],
)
def test_who_may_open_a_room_where_the_app_is_open_to_others(listens, address, headers, may, monkeypatch):
    monkeypatch.setattr(owner, "LOCAL", ("127.0.0.1", "localhost", "::1"))
    monkeypatch.setattr(owner.config, "get_option", lambda name: listens)
    monkeypatch.setattr(speaker.st, "context", Context(address, **headers))
    assert speaker.may_open() is may


def test_nobody_else_sees_rooms_or_opens_one(monkeypatch):
    room = rooms().create(TALK)
    monkeypatch.setattr(speaker, "may_open", lambda: False)
    app = opened("stage")
    assert "Rooms are opened on the machine" in words(app.info)
    assert room.code not in html(app) + words(app.markdown)
    assert links(app) == []
    assert not app.button


def test_play_gives_an_entry_that_shows_the_same():
    app = opened(sample="8", dial="key", attack="fgsm", epsilon="0.2", control="true")
    [text] = [each.value for each in app.code if each.value.startswith("[[scene]]")]
    [scene] = talk.read(text).scenes
    assert scene.slider
    assert scene.who == ("left", "defended", "control")
    made = experiment.read(scene.play)
    assert (made.value, made.knowledge, made.attack, dict(made.options)["epsilon"]) == ("8", "key", "fgsm", 0.2)
    assert made.control
    show.check(talk.read(text))
