"""The screen and the speaker over the routes: who steers, what is live, and what is left when nothing is computed."""

import json
import re
import threading

import pytest
from starlette.applications import Starlette
from streamlit import config

from kerckhoffs import data, zoo
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluation import ladder
from kerckhoffs.evaluation.judge import predictions
from kerckhoffs.room import Shown, limits, phones, rooms, talk
from kerckhoffs.ui.play.experiment import OPENING_SAMPLE, compare, craft
from kerckhoffs.ui.stage import blocks, examples, experiment, live, routes, rungs, show
from tests import ROOT
from tests.rooms import SEVEN, TALK, Client, phone

APP = Starlette(routes=routes.ROUTES)
PLAY = "set=mnist&network=table1&sample=0&dial=twin&attack=fgsm&epsilon=0.15"
SLIDER = f"""
[[scene]]
show = "example"
heading = "One"
play = "{PLAY}"
slider = true
[[scene]]
show = "example"
heading = "Two"
play = "{PLAY}"
known = ["left"]
slider = true
[scene.question]
ask = "Fooled?"
truth = "fooled"
"""


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(phones, "ASKING", limits.Bucket(1500, 500))
    yield
    for job in list(routes._preparing.values()):
        job.exception()
    routes._preparing.clear()
    rooms().let_go()


@pytest.fixture
def room():
    """A room with all that it shows prepared."""
    made = rooms().create(SLIDER)
    show.prepare(made)
    return made


def speaker(room):
    return Client(APP, room.code, room.token)


def outcomes(said):
    return [each.get("outcome") for each in said["view"]["blocks"][1]["cards"]]


def test_only_who_has_the_token_steers(room):
    for token in ("", "x", room.token[:-1], room.token + "x", "ä"):
        if token != "ä":
            other = Client(APP, room.code, token)
            assert other.ask("do", {"do": "go", "scene": 1})[0] == 403
            assert "speaker" not in other.get("scene")
    assert room.state.scene == 0
    assert room.token not in Client(APP, room.code).ask("scene")[2] + speaker(room).ask("scene")[2]
    assert speaker(room).do("go", scene=1)["scene"] == 1


def test_the_slider_is_live_and_after_a_panic_it_is_not(room):
    said = speaker(room).do("epsilon", scene=0, value=0.0)
    assert said["view"]["source"] == blocks.LIVE
    assert outcomes(said) == ["no evidence", "no evidence"]
    said = speaker(room).do("epsilon", scene=0, value=0.37)
    assert (said["view"]["epsilon"], said["view"]["source"]) == (0.37, blocks.LIVE)
    assert outcomes(said)[0] == "fooled"
    said = speaker(room).do("calm", on=True)
    assert (said["view"]["epsilon"], said["view"]["source"]) == (0.35, blocks.PRECOMPUTED)
    said = speaker(room).do("epsilon", scene=0, value=0.11)
    assert (said["view"]["epsilon"], said["view"]["source"]) == (0.1, blocks.PRECOMPUTED)


def test_the_slider_waits_for_the_reveal(room):
    speaker(room).do("go", scene=1)
    before = speaker(room).do("epsilon", scene=1, value=0.4)
    assert before["view"]["epsilon"] == 0.15
    assert outcomes(before) == ["fooled", None]
    speaker(room).do("phase", scene=1, round=0, phase="revealed")
    after = speaker(room).do("epsilon", scene=1, value=0.4)
    assert after["view"]["epsilon"] == 0.4
    assert None not in outcomes(after)
    assert after["moved"]


def test_a_question_that_is_asked_again_hides_shows_and_slides_as_the_first_time(room):
    speaker(room).do("go", scene=1)
    rounds = []
    for round_ in range(3):
        asked = speaker(room).do("epsilon", scene=1, value=0.4)
        revealed = speaker(room).do("phase", scene=1, round=round_, phase="revealed")
        rounds.append([asked["view"], revealed["view"], revealed["question"]["truth"]])
        speaker(room).do("calm", on=True)
        assert speaker(room).do("epsilon", scene=1, value=0.4)["view"]["epsilon"] == 0.4
        speaker(room).do("calm", on=False)
        speaker(room).do("again", scene=1, round=round_)
    assert rounds[0][0] != rounds[0][1]
    assert rounds == [rounds[0]] * 3


def test_what_is_slow_is_shown_as_it_was_computed_before(room, monkeypatch):
    go_on = threading.Event()
    monkeypatch.setattr(live, "PATIENCE", 0.05)
    monkeypatch.setattr(examples, "at", lambda *given: go_on.wait(10))
    said = speaker(room).do("epsilon", scene=0, value=0.21)
    assert (said["view"]["epsilon"], said["view"]["source"]) == (0.2, blocks.PRECOMPUTED)
    said = speaker(room).do("epsilon", scene=0, value=0.29)
    assert said["view"]["epsilon"] == 0.3
    go_on.set()


def test_a_drawing_is_attacked_and_named_once_the_speaker_says_so():
    room = rooms().create(TALK)
    show.prepare(room)
    room.go(2)
    room.draw(phone(1), SEVEN)
    room.call(phone(1), "Ada")
    desk = speaker(room).get("scene")["speaker"]
    [drawing], [name] = desk["drawings"], desk["names"]
    said = speaker(room).do("take", scene=2, id=drawing["id"])
    assert said["view"]["source"] == blocks.DRAWN
    assert outcomes(said) == [None, None]
    assert said["drawn_by"] == ""
    assert speaker(room).do("name", **name, approved=True)["drawn_by"] == "Ada"
    said = speaker(room).do("phase", scene=2, round=1, phase="revealed")
    assert outcomes(said) == ["still right", "fooled"]
    assert said["question"]["truth"] == 0


def test_a_drawing_scene_has_a_picture_when_nothing_is_computed():
    room = rooms().create(TALK)
    show.prepare(room)
    speaker(room).do("go", scene=2)
    said = speaker(room).do("calm", on=True)
    assert said["view"]["source"] == blocks.PRECOMPUTED
    room.draw(phone(1), SEVEN)
    [drawing] = said = speaker(room).get("scene")["speaker"]["drawings"]
    said = speaker(room).do("take", scene=2, id=drawing["id"])
    assert "Nothing is computed now" in said["trouble"]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"do": "fly"},
        {"do": ["go"]},
        {"do": "go"},
        {"do": "go", "scene": "1"},
        {"do": "go", "scene": 10**12},
        {"do": "phase", "scene": 0, "round": 0, "phase": "over"},
        {"do": "black", "on": 1},
        {"do": "epsilon", "scene": 0, "value": "x"},
        {"do": "epsilon", "scene": 0, "value": 2},
        {"do": "epsilon", "scene": 0, "value": None},
        {"do": "take", "scene": 0},
        {"do": "name", "phone": 1},
    ],
)
def test_what_is_no_step_is_refused(room, said):
    before = room.state
    assert speaker(room).ask("do", said)[0] == 400
    assert room.state == before


def test_two_windows_that_press_at_once_go_one_scene(room):
    speaker(room).do("go", scene=1)
    speaker(room).do("go", scene=1)
    assert room.state.scene == 1
    speaker(room).do("phase", scene=1, round=0, phase="revealed")
    speaker(room).do("phase", scene=1, round=0, phase="locked")
    assert room.state.phase == "revealed"


def test_a_closed_room_is_none(room):
    assert speaker(room).ask("do", {"do": "close"})[0] == 404
    assert speaker(room).ask("scene")[0] == 404


def test_where_phones_join_is_told_or_how_to_let_them(room, monkeypatch):
    monkeypatch.setattr(config, "get_option", lambda name: "127.0.0.1")
    link = speaker(room).get("scene")["link"]
    assert link["url"] == link["qr"] == ""
    assert "kerckhoffs app --address 0.0.0.0" in link["how"]
    monkeypatch.setattr(config, "get_option", lambda name: "0.0.0.0")
    monkeypatch.setattr(routes.network, "local_address", lambda: "192.168.1.5")
    link = speaker(room).get("scene")["link"]
    assert link["url"] == f"http://192.168.1.5:8501/room/{room.code}"
    assert link["qr"].startswith("data:image/svg+xml")


def test_a_machine_without_a_network_says_so(room, monkeypatch):
    monkeypatch.setattr(config, "get_option", lambda name: "0.0.0.0")
    monkeypatch.setattr(routes.network, "local_address", lambda: None)
    assert "no address in a network" in speaker(room).get("scene")["link"]["how"]


def test_a_restarted_server_prepares_what_is_missing(room):
    room._file.execute("DELETE FROM shown WHERE scene = 1")
    rooms().let_go()
    client = Client(APP, room.code, room.token)
    client.get("scene")
    routes._preparing[room.code].result(timeout=60)
    assert client.do("go", scene=1)["view"]["blocks"][0]["kind"] == "sum"


def test_a_scene_that_cannot_be_shown_says_why_and_is_refused_before():
    text = SLIDER.replace("sample=0", "sample=99999", 1)
    with pytest.raises(ValueError, match="scene 1: '99999' is no whole number"):
        show.check(talk.read(text))
    room = rooms().create(text)
    show.prepare(room)
    assert "cannot be shown: '99999'" in json.dumps(speaker(room).get("scene")["view"], ensure_ascii=False)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("attack=fgsm&epsilon=0.15", "attack=pgd", "scene 1: the slider moves epsilon of an attack in one step"),
        ('truth = "fooled"', 'truth = "fooled"\nof = "control"', "scene 2: no control is shown; add control=true"),
        ("dial=twin", "dial=substitute", "scene 1: the model that it is crafted on, .* has to be made first"),
    ],
)
def test_what_a_scene_lacks_is_said_before_the_room_opens(old, new, words):
    with pytest.raises(ValueError, match=words):
        show.check(talk.read(SLIDER.replace(old, new)))


def test_the_shipped_talk_can_be_shown_and_none_of_its_verdicts_leaks():
    found = talk.read(talk.shipped()["key"])
    show.check(found)
    for scene in found.scenes:
        if scene.question is None or scene.show == "draw":
            continue
        shown: Shown = show.SHOWN[scene.show](scene)
        assert shown.truth in range(len(shown.options))
        before, after = (json.dumps(each) for each in (shown.before, shown.after))
        if scene.show == "rungs":
            assert '"value"' in after
            assert '"value"' not in before
            assert "advantage" not in before
        else:
            assert before.count('"outcome"') == len(scene.known)
            assert after.count('"outcome"') == len(scene.who)


def test_the_shipped_talk_stays_with_the_digit_that_play_opens_on_and_tells_its_story():
    scenes = [each for each in talk.read(talk.shipped()["key"]).scenes if each.play]
    assert {experiment.read(each.play).value for each in scenes} == {str(OPENING_SAMPLE)}
    alone, keyed, noise, leaked = (each for each in scenes if each.question)
    for scene, story in (
        (alone, ["fooled"]),
        (keyed, ["fooled", "still right"]),
        (noise, ["no evidence"] * 3),
        (leaked, ["still right", "fooled"]),  # shown where the room has drawn nothing and nothing can be computed
    ):
        assert outcomes({"view": examples.shown(scene).after}) == story
    for scene in (alone, leaked):
        made = experiment.read(scene.play)
        assert max(compare(made, craft(made)(None))[made.crafted_on].after) > 0.95


def test_the_share_of_digits_in_the_notes_of_the_shipped_talk_is_what_comes_out():
    [scene] = [each for each in talk.read(talk.shipped()["key"]).scenes if "seven digits in ten" in each.notes]
    made = experiment.read(scene.play)
    model, (images, labels) = zoo.load(made.left), data.load(made.dataset)
    example = ATTACKS[made.attack].run(model, images, labels, **dict(made.options))
    assert 0.65 < float((predictions(model, example) != labels).float().mean()) < 0.75


def test_the_scene_in_the_manual_can_be_shown():
    [text] = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "stage.md").read_text(), re.DOTALL)
    found = talk.read(text)
    show.check(found)
    label = experiment.read(found.scenes[0].play).label
    assert DATASETS["fashion-mnist"].classes[label].lower() in found.scenes[0].heading.lower()


def test_figures_are_those_of_the_results():
    [scene] = [
        each for each in talk.read(talk.shipped()["key"]).scenes if each.question and each.question.truth == "helps"
    ]
    point = ladder.top(ladder.read_points(ROOT / "results" / "ladder" / f"{scene.ladder}.csv"), "twin", scene.epsilon)
    shown = rungs.shown(scene)
    [bars] = shown.after["blocks"]
    assert [each["value"] for each in bars["rows"][0]["values"]] == [point["error"], point["control_error"]]
    low, high = point["advantage_low"], point["advantage_high"]
    assert shown.options[shown.truth] == rungs.HELPS[0 if low > 0 else 2 if high < 0 else 1]


@pytest.mark.parametrize(
    ("play", "words"),
    [
        ("set=cifar", "is none of"),
        ("network=table9", "is none of"),
        ("dial=god", "attacker"),
        ("attack=fgsm&epsilon=7", "epsilon must be between"),
        ("attack=fgsm&epsilon=x", "epsilon is 'x'"),
        ("dial=noise&attack=fgsm", "no attack of the attacker noise"),
        ("image=drawing&drawing=", "nothing is drawn"),
        ("image=upload&upload=AAAA", "picture"),
        ("sample=0&target=7", "the target 7 is what the image shows"),
    ],
)
def test_an_address_that_cannot_be_read_is_refused(play, words):
    with pytest.raises(ValueError, match=words):
        experiment.read(play)
