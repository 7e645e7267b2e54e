"""A talk is read whatever is in it, and what is wrong is said with its scene."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerckhoffs.room import talk
from tests import ROOT

SCENE = '[[scene]]\nshow = "words"\nheading = "A"\n'
RUNGS = '[[scene]]\nshow = "rungs"\nheading = "A"\nladder = "mnist-table1-keyed"\nepsilon = 0.2\n'


def test_the_shipped_talk_is_read():
    [text] = talk.shipped().values()
    found = talk.read(text)
    assert {each.show for each in found.scenes} == set(talk.SHOWS)
    assert sum(each.question is not None for each in found.scenes) >= 5
    assert found.source == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = 1", "1 to 60 entries"),
        ("=", "no TOML"),
        ('[[scene]]\nshow = "film"', "show of scene 1 is 'film', which is none of words"),
        ('[[scene]]\nshow = "words"', "scene 1 has no heading"),
        (SCENE + 'play = "x"', "scene 1 has an entry 'play', which is none of"),
        (SCENE + SCENE + "join = 3", "join of scene 2 is '3'"),
        ('[[scene]]\nshow = "example"\nheading = "A"', "needs play"),
        ('[[scene]]\nshow = "example"\nheading = "A"\nplay = "x"\nwho = ["me"]', "'me' is none of left"),
        (SCENE + f'heading2 = "{"x" * 200}"', "heading2"),
        (SCENE.replace('"A"', f'"{"x" * 101}"'), "101 characters"),
        (SCENE + "question = 3", "write \\[scene.question\\]"),
        (SCENE + '[scene.question]\nask = "?"\ntruth = "fooled"', "which a scene that shows words does not have"),
        (SCENE + '[scene.question]\nask = "?"\ntruth = "option"\noptions = ["a"]', "at least two"),
        (SCENE + '[scene.question]\ntruth = "option"\noptions = ["a", "b"]', "has no ask"),
        (SCENE + '[scene.question]\nask = "?"\ntruth = "option"\noptions = ["a", "b"]\nanswer = 3', "from 1 to 2"),
        (RUNGS + '[scene.question]\nask = "?"\ntruth = "error"\nsteps = [50, 20]', "percents that rise"),
        (RUNGS + '[scene.question]\nask = "?"\ntruth = "error"\nsteps = [0]', "no percent between 0 and 100"),
        (RUNGS + '[scene.question]\nask = "?"\ntruth = "helps"\noptions = ["a", "b"]', "has 2 options"),
        (RUNGS + 'rungs = [""]', "no text of 1 to 60 characters"),
    ],
)
def test_what_is_wrong_is_said(text, words):
    with pytest.raises(ValueError, match=words):
        talk.read(text)


@given(st.text(max_size=300))
def test_any_text_is_a_talk_or_a_sentence(text):
    with contextlib.suppress(ValueError):
        talk.read(text)


def test_a_long_text_is_not_read():
    with pytest.raises(ValueError, match="at most 200000 characters"):
        talk.read("#" * 200_001)


def test_an_address_of_play_may_be_a_whole_one():
    text = '[[scene]]\nshow = "pixels"\nheading = "A"\nplay = "http://localhost:8501/?set=mnist&sample=3"'
    assert talk.read(text).scenes[0].play == "set=mnist&sample=3"


def test_the_manual_names_every_entry():
    said = (ROOT / "docs" / "stage.md").read_text()
    entries = set(talk.EVERY).union(*talk.SHOWS.values(), *talk.TRUTHS.values(), {"title", "ask", "truth", "options"})
    for name in (*entries, *talk.SHOWS, *talk.TRUTHS, *talk.SIDES):
        assert f"`{name}`" in said or f"`{name} = " in said, name
