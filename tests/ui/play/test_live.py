import threading

import pytest
import streamlit as st

from kerckhoffs.ui.jobs import Job, Jobs
from kerckhoffs.ui.play import live
from tests.pages import SECONDS
from tests.ui.play.test_words import experiment

pytestmark = pytest.mark.usefixtures("fresh_caches")


class View:
    """Remembers what is drawn, and lets the attack end while its second picture is."""

    def __init__(self, release, job):
        self.drawn, self._release, self._job = [], release, job

    def draw(self, adversarial, readings, stage):
        self.drawn.append(stage)
        if len(self.drawn) == 2:
            self._release.set()
            self._job.wait_for_end(SECONDS)

    def chart(self, readings):
        self.drawn.append("charts")


def drawn(work, frames, monkeypatch):
    """What a run of the fragment draws of an attack that ends with `work` while the second picture is drawn."""
    monkeypatch.setattr(live, "FRAME_SECONDS", 0.0)
    monkeypatch.setattr(live, "SETTLE_SECONDS", 0.0)
    made, release = experiment(attack="pgd"), threading.Event()

    def attack(job):
        assert release.wait(SECONDS)
        return work(made)

    job = Jobs().submit(Job(attack))
    view = View(release, job)
    live._run(view, st.empty(), made, job, frames)
    release.set()
    return view.drawn


def broken(made):
    raise ValueError("the model fell asleep")


def test_a_result_takes_the_place_of_the_next_picture(monkeypatch):
    assert drawn(lambda made: made.image, 5, monkeypatch) == ["running", "running", "done"]


def test_an_attack_that_breaks_off_between_two_pictures_has_no_result(monkeypatch):
    assert drawn(broken, 5, monkeypatch) == ["running", "running"]


def test_the_charts_come_with_the_last_picture_of_a_run(monkeypatch):
    assert drawn(lambda made: made.image, 1, monkeypatch) == ["running", "charts"]
    assert drawn(lambda made: made.image, 2, monkeypatch) == ["running", "running", "charts"]
