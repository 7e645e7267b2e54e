"""What was said of clean images is asked once for all attacks on them, and changes no row."""

from dataclasses import replace

import pandas as pd
import pytest
from torch import nn

from kerckhoffs import data, zoo
from kerckhoffs.evaluation import examples
from kerckhoffs.evaluation.experiments import Block, Experiment

MODEL = "mnist-half-classical"


class Asked(nn.Module):
    """A model that counts the images that it is asked about."""

    thread_safe = True

    def __init__(self, model):
        super().__init__()
        self.model, self.images = model, 0

    def forward(self, images):
        self.images += len(images)
        return self.model(images)


def rows(model, known=None, epsilon=0.1, start=0, **card):
    images, labels = data.load("mnist", indices=range(8))
    each = Experiment("fgsm", MODEL, (MODEL,), {"epsilon": epsilon, "perturb_all": True}, stop=8)
    samples = examples.Samples(images, labels, tuple(f"test {i}" for i in range(8)))
    cards = {MODEL: replace(zoo.card(MODEL), **card)}
    block = Block(0, 0, start, start + 4, 4)
    found = examples.examine(each, block, samples, {MODEL: model}, cards, known=known)
    return found.drop(columns="seconds")


def test_the_same_images_are_asked_about_once_and_the_rows_are_the_same():
    model, known = Asked(zoo.load(MODEL)), examples.Known()
    alone = [rows(model, epsilon=epsilon) for epsilon in (0.1, 0.2)]
    each = model.images // 2
    model.images = 0
    together = [rows(model, known, epsilon) for epsilon in (0.1, 0.2)]
    assert model.images < 2 * each
    for one, other in zip(alone, together, strict=True):
        pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize("change", [{"start": 4}, {"sha256": "another"}, {"defence": "noise"}])
def test_other_images_another_model_and_a_random_one_are_asked_anew(change):
    model, known = Asked(zoo.load(MODEL)), examples.Known()
    model.images = 0
    rows(model, known)
    first, model.images = model.images, 0
    rows(model, known, **change)
    assert model.images >= first


def test_no_more_is_kept_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(examples.Known, "MOST", 3)
    model, known = zoo.load(MODEL), examples.Known()
    for start in (0, 4):
        rows(model, known, start=start)
        assert len(known._kept) <= 3
