"""For a lesson: a sample that tells something, a replay as a file, and a link that hides what is not needed."""

import dataclasses
import io
import random
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageSequence

from kerckhoffs.attacks import ATTACKS
from kerckhoffs.evaluation.judge import predict
from kerckhoffs.ui.models import model, samples
from kerckhoffs.ui.play import animation, surprise
from kerckhoffs.ui.play.experiment import compare, opening
from kerckhoffs.ui.play.panels import stay
from tests.pages import address, html, labels, opened, words


def outcome(played, index):
    """Whether FGSM works on the classical classifier, and carries over."""
    every, truth = samples(played.dataset)
    image, label = every[index : index + 1], truth[index : index + 1]
    made = ATTACKS["fgsm"].run(model(played.left), image, label, epsilon=0.15, perturb_all=True)
    return tuple(int(predict(model(name), made).argmax()) != int(label) for name in (played.left, played.right))


def test_a_surprise_works_where_it_is_crafted_and_carries_over_or_not():
    played = opening()
    found = [surprise.told(played, random.Random(seed)) for seed in range(12)]
    outcomes = [outcome(played, index) for index in found]
    assert all(works for works, _ in outcomes)
    assert {carries for _, carries in outcomes} == {True, False}, "neither side is flattered"


def test_where_nothing_works_there_is_no_surprise():
    played = dataclasses.replace(opening(), options=(("epsilon", 0.0), ("perturb_all", True)))
    assert surprise.told(played, random.Random(0)) is None


def test_the_button_shows_another_sample_and_its_class():
    app = opened()
    before = address(app)["sample"]
    app.button(key="surprise").click().run()
    assert not app.exception
    index = address(app)["sample"]
    assert index != before
    assert app.session_state["mnist_class"] == int(samples("mnist")[1][int(index)])
    assert "works there" in words(app.markdown)


def test_there_is_no_surprise_for_a_drawing():
    assert "Surprise me" not in labels(opened(image="drawing").button)


def test_the_opening_example_fools_by_a_clear_margin():
    played = opening()
    every, truth = samples("mnist")
    index = int(played.value)
    image, label = every[index : index + 1], truth[index : index + 1]
    made = ATTACKS["fgsm"].run(model(played.left), image, label, epsilon=0.15, perturb_all=True)
    said = compare(played, made)[played.left].verdict
    assert said.fooled
    assert said.confidence > 0.95


def steps_of(played, count=5):
    """An attack's steps."""
    found = []
    every, truth = samples("mnist")
    image, label = every[int(played.value)][None], truth[int(played.value)][None]
    attack = ATTACKS["bim"]
    made = attack.run(
        model(played.left), image, label, iterations=count, epsilon=0.1, on_step=lambda step: found.append(step)
    )
    return found, made


def test_the_replay_as_a_file_has_all_kept_steps_and_the_result():
    played = dataclasses.replace(opening(), attack="bim")
    steps, made = steps_of(played)
    file = animation.animation(played, steps, compare(played, made))
    frames = [frame.convert("RGB").copy() for frame in ImageSequence.Iterator(Image.open(io.BytesIO(file)))]
    assert len(frames) == len(steps) + 1
    durations = [frame.info["duration"] for frame in ImageSequence.Iterator(Image.open(io.BytesIO(file)))]
    assert durations == [animation.FRAME_MS] * len(steps) + [animation.LAST_MS]
    rows = [np.asarray(frame)[: animation.MARGIN + animation.LINE] for frame in frames]
    assert all((before != after).any() for before, after in pairwise(rows)), "each says its step"


def test_a_link_hides_what_a_lesson_does_not_need():
    app = opened(hide="navigation,key,image")
    assert "st-key-navigation, .st-key-panel_key, .st-key-panel_image { display: none" in html(app)
    assert address(app)["hide"] == "navigation,key,image"
    app.button(key="show_all").click().run()
    assert "display: none !important" not in html(app)
    assert "hide" not in address(app)


@pytest.mark.parametrize("said", ["everything", "image,<script>", ",", "key,key"])
def test_what_a_link_hides_is_checked(said):
    app = opened(hide=said)
    if said == "key,key":
        assert address(app)["hide"] == "key"
        return
    assert "The address's hide was refused" in words(app.warning)
    assert "<script>" not in html(app)
    assert "hide" not in address(app)


def test_a_phone_has_the_verdicts_in_a_line_that_stays():
    played = opening()
    readings = compare(played, played.image)
    line = stay(played, readings)
    assert 'aria-hidden="true"' in line
    assert "classical: 7" in line
    assert "keyed: 7" in line
    assert "classical: 7 → 2 ✗ · keyed: 7 ✓" in html(opened())
