"""What Play says to be wary of with its one example: a gradient that vanishes, and answers at random."""

from dataclasses import replace

import pytest
import torch

from kerckhoffs import zoo
from kerckhoffs.evaluation.probes import TINY
from kerckhoffs.ui.play import consequences
from kerckhoffs.ui.play.consequences import consequence, random_answers, vanishing
from kerckhoffs.ui.play.experiment import compare, craft
from tests.ui.play.test_words import CLASSICAL, KEYED, experiment

VANISHING, RANDOM = "**Vanishing gradient:**", "**Random answers:**"


@pytest.fixture
def sizes(monkeypatch):
    """The gradient of every model, to be set; and how often it was measured."""
    consequences._gradient.cache_clear()
    measured = {"size": 0.0, "calls": []}

    def gradient_sizes(model, images, labels):
        measured["calls"].append(labels.tolist())
        return torch.full((len(images),), measured["size"])

    monkeypatch.setattr(consequences, "gradient_sizes", gradient_sizes)
    yield measured
    consequences._gradient.cache_clear()


@pytest.mark.parametrize(("size", "said"), [(0.0, True), (TINY / 2, True), (2 * TINY, False), (float("nan"), False)])
def test_a_gradient_that_vanishes_where_it_was_crafted_is_said(sizes, size, said):
    sizes["size"] = size
    made = experiment()
    words = consequence(made, compare(made, craft(made)(None)))
    much = "is 0 in" if size == 0 else "is all but 0 in"
    text = f"{VANISHING} on the classical classifier the gradient of the cross-entropy at this image {much} float32."
    assert (text in words) == (VANISHING in words) == said


def test_whether_the_attack_climbs_it_is_said(sizes):
    options = ("epsilon", 0.15), ("perturb_all", True)
    assert "does not climb it so; one with arithmetic=float32 would, and get nowhere" in vanishing(
        experiment(options=options)
    )
    assert "climbs it: that it fails is no robustness" in vanishing(
        experiment(options=(*options, ("arithmetic", "float32")))
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"target": 3},  # towards a target the cross-entropy does not vanish
        {"attack": "square", "knowledge": "scores", "options": (("epsilon", 0.15),)},
    ],
)
def test_nothing_is_measured_that_the_attack_does_not_need(sizes, changes):
    assert vanishing(experiment(**changes)) == ""
    assert sizes["calls"] == []


def test_one_image_is_measured_once_whatever_the_options(sizes):
    for epsilon in (0.1, 0.2, 0.3):
        assert VANISHING in vanishing(experiment(options=(("epsilon", epsilon),)))
    assert sizes["calls"] == [[7]]
    assert VANISHING in vanishing(experiment(value="1", label=2))
    assert sizes["calls"] == [[7], [2]]


def test_shipped_classifiers_have_a_gradient():
    for knowledge in ("twin", "key"):
        assert vanishing(experiment(knowledge=knowledge)) == ""


@pytest.mark.parametrize("left", [CLASSICAL, KEYED])
def test_a_classifier_that_answers_at_random_is_named(monkeypatch, left):
    noise = replace(zoo.card(left), defence="noise")
    known = consequences.card
    made = experiment()
    assert random_answers(made) == ""
    monkeypatch.setattr(consequences, "card", lambda name: noise if name == left else known(name))
    assert random_answers(made) == (
        f"{RANDOM} The {made.names[left]} may say something else at the next look; judge by many."
    )
