"""What the Play page says and draws of an experiment: the scheme, the consequence, the key at work."""

import re
from xml.etree import ElementTree

import pytest
import torch

from kerckhoffs import data, zoo
from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.ui.models import model
from kerckhoffs.ui.parts import followed, scheme
from kerckhoffs.ui.play import keywork
from kerckhoffs.ui.play.consequences import advice, consequence
from kerckhoffs.ui.play.experiment import Experiment, compare, craft
from tests.pages import choose_attack, opened, words

CLASSICAL, KEYED = "mnist-table1-classical", "mnist-table1-keyed"
SVG = "{http://www.w3.org/2000/svg}"


def experiment(**changes):
    values = dict(
        dataset="mnist",
        left=CLASSICAL,
        right=KEYED,
        source="sample",
        value="0",
        label=7,
        attack="fgsm",
        options=(("epsilon", 0.15), ("perturb_all", True)),
        target=None,
        knowledge="twin",
    )
    return Experiment(**(values | changes))


def said(**changes):
    made = experiment(**changes)
    return consequence(made, compare(made, craft(made)(None)))


@pytest.mark.parametrize("knowledge", ATTACKERS.values(), ids=ATTACKERS)
def test_the_scheme_is_well_formed_and_says_in_words_what_it_hides(knowledge):
    root = ElementTree.fromstring(scheme.svg(knowledge, zoo.card(KEYED)))
    title, words = (next(root.iter(name)).text for name in ("title", "desc"))
    assert knowledge.name in title
    assert ("the key k" in words) == ("key" in knowledge.hidden)
    boxes = [element for element in root.iter("rect") if "hidden" in element.get("class")]
    drawn = {"transform", "key", "network"} & set(knowledge.hidden) | (
        {"network"} if "weights" in knowledge.hidden else set()
    )
    assert len(boxes) == len(drawn)
    assert "crafted" in " ".join(element.text for element in root.iter("text"))


def test_an_attack_that_fails_on_its_own_model_says_nothing_and_the_page_says_what_to_try():
    words = said(options=(("epsilon", 0.01), ("perturb_all", True)))
    assert "failed there: still read as 7" in words
    assert "says nothing about the defence" in words
    assert "raise epsilon" in words
    assert "Carlini-Wagner l2" in words


def test_an_attack_that_does_not_carry_over_proves_nothing_for_others():
    words = said()
    assert "works there: 7 → 3" in words
    assert "does not carry over" in words
    assert "One example proves nothing" in words


def test_an_attack_that_carries_over_is_a_failure_of_the_defence():
    _, labels = data.load("mnist")
    for index in range(40):
        made = experiment(value=str(index), label=int(labels[index]), options=(("epsilon", 0.3), ("perturb_all", True)))
        readings = compare(made, craft(made)(None))
        if readings[KEYED].verdict.fooled and readings[CLASSICAL].verdict.fooled:
            assert "the defence failed" in consequence(made, readings)
            return
    pytest.fail("no example carries over")


def test_with_the_key_the_defence_is_none_and_queries_need_no_key():
    strong = (("epsilon", 0.3), ("perturb_all", True))
    assert "With its key known, the defence is none" in said(knowledge="key", options=strong)
    assert "Queries were enough" in said(knowledge="scores", attack="square", options=strong)


@pytest.mark.parametrize("knowledge", ["twin", "key"])
def test_a_clean_image_that_is_read_as_the_attack_wants_was_nothing_to_attack(knowledge):
    for target in (None, 7):
        words = said(label=3, target=target, knowledge=knowledge)
        assert "read the clean image as 7 already: there was nothing to attack" in words
        assert "works" not in words


def test_a_target_that_is_missed_is_named():
    words = said(target=0, options=(("epsilon", 0.01), ("perturb_all", True)))
    assert "not as 0" in words
    assert "aim at any wrong class" in words


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_has_advice_that_names_its_own_options(attack):
    entry = ATTACKS[attack]
    options = tuple((option.name, option.default) for option in entry.options)
    words = advice(experiment(attack=attack, options=options))
    for name in re.findall(r"raise ([a-z ]+)", words):
        assert name.replace(" ", "_") in dict(options)
    assert words, f"{attack} has no advice"


def test_a_black_box_attack_is_refused_gradients_whatever_the_page_does():
    with pytest.raises(ValueError, match="reads gradients"):
        craft(experiment(knowledge="scores"))


def test_only_a_few_pixels_are_followed_and_they_go_where_p_puts_them():
    image = data.load("mnist", indices=[0])[0]
    keyed = model(KEYED)
    pixels = followed.followed(image, keyed.view)
    assert len(pixels) == followed.FOLLOWED
    view = keyed.view(image)
    for row, column, to_row, to_column, grey in pixels:
        assert image[0, 0, row, column] == view[0, 0, to_row, to_column]
        assert grey == round(float(image[0, 0, row, column]) * 255)
    assert followed.followed(torch.zeros(1, 1, 28, 28), keyed.view) == []


def test_the_wrong_key_is_another_one():
    wrong = keywork.behind_a_wrong_key(KEYED, zoo.card(KEYED).sha256)
    assert wrong.transform.fingerprint != zoo.card(KEYED).fingerprint
    assert wrong.network is model(KEYED).network


@pytest.mark.usefixtures("fresh_caches")
def test_the_key_at_work_says_whether_and_where_the_image_was_crafted():
    app = opened()
    assert "reads the clean image as **7**" in words(app.markdown)
    app.segmented_control(key="key_picture").set_value("adversarial").run()
    assert "reads what was crafted on the classical classifier as **" in words(app.markdown)
    choose_attack(app, "cw_l2")
    assert "reads the clean image as **7**" in words(app.markdown), "there is no example yet"
