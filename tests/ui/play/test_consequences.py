"""What the page concludes: a true sentence for every combination of what can come out, and none that flatters."""

from itertools import product

import pytest

from kerckhoffs.evaluation.judge import Verdict, succeeded
from kerckhoffs.ui.play.consequences import consequence
from kerckhoffs.ui.play.experiment import Reading
from tests.ui.play.test_words import CLASSICAL, KEYED, experiment

LABEL, WRONG, TARGET = 7, 3, 0
CONTROL = "mnist-table2-classical"
NOTHING, MERIT = "says nothing about the defence", "no merit of a key"
FAILED = ("the defence failed", "With its key known, the defence is none", "Queries were enough", "could help")
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


@pytest.mark.parametrize("target", [None, TARGET])
@pytest.mark.parametrize("knowledge", ["twin", "own-key", "key", "scores"])
@pytest.mark.parametrize("right", [KEYED, CLASSICAL])
def test_every_combination_of_outcomes_has_its_own_true_sentence(target, knowledge, right):
    if right == CLASSICAL and knowledge == "twin":
        pytest.skip("the classical classifier is its own twin: not offered")
    made = experiment(target=target, knowledge=knowledge, left=CONTROL, right=right, control=False)
    itself = made.crafted_on == made.right
    sentences = {}
    for there, defended, beside in product(CLASSES, CLASSES, CLASSES):
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
