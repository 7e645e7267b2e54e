"""What the page concludes: a true sentence for every combination of what can come out, and none that flatters."""

from itertools import product

import pytest

from kerckhoffs import zoo
from kerckhoffs.attackers import kept, offered
from kerckhoffs.evaluation.judge import Verdict, succeeded
from kerckhoffs.ui.play import consequences
from kerckhoffs.ui.play.consequences import consequence
from kerckhoffs.ui.play.experiment import NoiseVerdict, Reading
from tests.ui.play.test_words import CLASSICAL, KEYED, experiment

LABEL, WRONG, TARGET = 7, 3, 0
CONTROL = "mnist-table2-classical"
NOTHING, MERIT = "says nothing about the defence", "no merit of a key"
FAILED = (
    "the defence failed",
    "The defence failed",
    "With its key known, the defence is none",
    "Queries were enough",
    "could help",
)
KEPT = "does not carry over"


def reading(before, after, of, experiment, there):
    """A column's reading, from its class of the clean image and of the example, and the crafted-on model's."""
    wanted = LABEL, experiment.target
    verdict = Verdict(
        crafted_on=experiment.names[experiment.crafted_on],
        evaluated_on=experiment.names[of],
        label=LABEL,
        target=experiment.target,
        before=before,
        after=after,
        confidence=0.9,
        crafted_success=succeeded(there[1], *wanted),
        nothing_to_attack=succeeded(there[0], *wanted),
    )
    return Reading(experiment.image, experiment.image, [], [], verdict)


CLASSES = [(before, after) for before in (LABEL, WRONG, TARGET) for after in (LABEL, WRONG, TARGET)]
BESIDE = [(LABEL, LABEL), (LABEL, WRONG), (WRONG, LABEL)]


ADVERSARIAL = "mnist-table1-adversarial"
LADDER = [
    (right, name)
    for right in (KEYED, CLASSICAL, ADVERSARIAL)
    for name in offered(zoo.card(right), zoo.models())
    if name != "noise"
]


@pytest.fixture
def all_made(monkeypatch):
    """Whatever an attacker has to make is there; nothing of it is read."""
    monkeypatch.setattr(kept, "there", lambda part: True)
    monkeypatch.setattr(kept, "digest", lambda parts: "")
    monkeypatch.setattr(consequences, "_gradient", lambda *of_image: 1.0)


@pytest.mark.parametrize("target", [None, TARGET])
@pytest.mark.parametrize(("right", "knowledge"), LADDER)
def test_every_combination_of_outcomes_has_its_own_true_sentence(target, knowledge, right, all_made):
    made = experiment(target=target, knowledge=knowledge, left=CONTROL, right=right, control=False)
    itself = made.crafted_on == made.right
    sentences = {}
    for there, defended, beside in product(CLASSES, CLASSES, BESIDE):
        if itself and there != defended:
            continue
        outcome = {CONTROL: beside, right: defended, made.crafted_on: there}
        words = consequence(made, {name: reading(*outcome[name], name, made, there) for name in made.columns})
        worked = succeeded(there[1], LABEL, target) and not succeeded(there[0], LABEL, target)
        fooled = defended[0] == LABEL != defended[1]
        right_before = defended[0] == LABEL
        case = (target, there, defended, beside, words)
        assert made.names[made.crafted_on] in words, case
        assert (NOTHING in words) <= (not fooled and not worked), case
        if not worked and right_before and not fooled and not (itself and succeeded(there[0], LABEL, target)):
            assert NOTHING in words, case
        if fooled and "stayed secret" in words:
            assert (made.crafted_on == right) <= (knowledge in ("labels", "scores")), case
            assert knowledge not in ("key", "part-of-key"), case
        if fooled:
            assert any(each in words for each in (*FAILED, "nothing was there to stop it")), case
        if KEPT in words:
            assert worked, case
            assert right_before, case
            assert not fooled, case
        assert (f"misleads the {made.names[CONTROL]} as well" in words) == (beside[0] == LABEL != beside[1]), case
        if not worked and not itself and right_before and fooled:
            assert "Even so it misleads" in words, case
        sentences.setdefault(words.split(" Try this")[0], []).append(case)
    assert len(sentences) > 10


@pytest.mark.parametrize(("share", "said"), [
    (0.0, "though its key stayed secret"),
    (0.5, "though only a part of its key was known"),
    (1.0, "with its key known"),
])  # fmt: skip
def test_how_much_of_the_key_was_known_is_said(share, said, all_made):
    made = experiment(knowledge="part-of-key", given=(("share", share),))
    outcome = {made.crafted_on: (LABEL, WRONG), KEYED: (LABEL, WRONG), CLASSICAL: (LABEL, LABEL)}
    words = consequence(made, {name: reading(*outcome[name], name, made, (LABEL, WRONG)) for name in made.columns})
    assert f"the defence failed {said}." in words


@pytest.mark.parametrize(("knowledge", "enough"), [
    ("substitute", "its answers were enough"),
    ("bypass", "its weights were enough"),
    ("recovery", "its weights were enough"),
])  # fmt: skip
def test_what_was_enough_without_the_key_is_said(knowledge, enough, all_made):
    made = experiment(knowledge=knowledge)
    outcome = {made.crafted_on: (LABEL, WRONG), KEYED: (LABEL, WRONG), CLASSICAL: (LABEL, LABEL)}
    words = consequence(made, {name: reading(*outcome[name], name, made, (LABEL, WRONG)) for name in made.columns})
    assert f"the defence failed though its key stayed secret: {enough}." in words


def of_noise(outcome, **changes):
    """What is concluded of noise, and the verdicts."""
    options = (("epsilon", 0.15), ("distribution", "sign"), ("tries", 1), ("perturb_all", True))
    made = experiment(**({"knowledge": "noise", "attack": "noise", "options": options} | changes))
    readings = {}
    for name in made.columns:
        before, after = outcome[name]
        verdict = NoiseVerdict(
            made.crafted_words, made.names[name], LABEL, made.target, before, after, 0.9, crafted_success=False
        )
        readings[name] = Reading(made.image, made.image, [], [], verdict)
    return consequence(made, readings), {name: each.verdict for name, each in readings.items()}


@pytest.mark.parametrize("target", [None, TARGET])
@pytest.mark.parametrize("knowledge", ["noise", "twin", "key"])
def test_noise_is_crafted_on_nothing_and_its_every_outcome_has_a_true_sentence(target, knowledge):
    for keyed, classical in product(CLASSES, CLASSES):
        outcome = {KEYED: keyed, CLASSICAL: classical}
        words, verdicts = of_noise(outcome, target=target, knowledge=knowledge)
        case = (keyed, classical, words)
        assert "crafted on nothing" in words, case
        for never in ("Crafted on the", "works there", "failed", "carry", "With its key", "Queries", "secret"):
            assert never not in words, case
        assert (NOTHING in words) == (not keyed[0] == LABEL != keyed[1]), case
        for name, called in ((KEYED, "the keyed classifier"), (CLASSICAL, "the classical classifier")):
            before, after = outcome[name]
            fooled = before == LABEL != after
            assert (f"misleads {called}" in words) == fooled, case
            assert (f"{called} was wrong before any noise" in words.replace("The ", "the ")) == (before != LABEL), case
            said = verdicts[name].sentence(tuple("0123456789"))
            assert said.startswith(f"Noise, crafted on nothing, evaluated on {called}: "), case
            assert verdicts[name].outcome() == (
                "was wrong before" if before != LABEL else "fooled" if fooled else "no evidence"
            )
            assert ("Noise is no attack" in said) == (verdicts[name].outcome() == "no evidence")


def test_noise_that_is_drawn_until_it_misleads_says_whom_it_asked():
    words, _ = of_noise({KEYED: (LABEL, LABEL), CLASSICAL: (LABEL, LABEL)}, options=(("epsilon", 0.15), ("tries", 9)))
    assert "crafted on nothing and drawn until it misled the keyed classifier, at most 9 times" in words


@pytest.mark.parametrize(("there", "beside", "said"), [
    ((LABEL, WRONG), (LABEL, LABEL), True),  # worked, and the control withstands: no merit of the key
    ((LABEL, LABEL), (LABEL, LABEL), False),  # a failed attack: nothing was withstood
    ((LABEL, WRONG), (LABEL, WRONG), False),
    ((LABEL, WRONG), (WRONG, WRONG), False),
])  # fmt: skip
def test_what_the_control_withstands_is_no_merit_of_a_key(there, beside, said):
    made = experiment(control=True)
    assert made.columns == (CLASSICAL, KEYED, CONTROL)
    outcome = {CLASSICAL: there, KEYED: (LABEL, LABEL), CONTROL: beside}
    words = consequence(made, {name: reading(*outcome[name], name, made, there) for name in made.columns})
    assert (MERIT in words) == said


def test_an_unchanged_image_is_no_success_of_the_defence():
    """The crafted-on model misreads the clean image: the attack has nothing to do, and the keyed one reads it right."""
    made = experiment()
    there = (WRONG, WRONG)
    readings = {CLASSICAL: reading(*there, CLASSICAL, made, there), KEYED: reading(LABEL, LABEL, KEYED, made, there)}
    verdict = readings[KEYED].verdict
    assert verdict.outcome() == "no evidence"
    assert "There was nothing to attack on the classical classifier" in verdict.sentence(tuple("0123456789"))
    assert NOTHING in consequence(made, readings)
