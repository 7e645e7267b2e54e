"""A user's own models in the app: beside the shipped ones, and with a private key of which nothing is seen."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from kerckhoffs import data, zoo
from kerckhoffs.keys import Key
from kerckhoffs.ui import models
from kerckhoffs.ui.play.experiment import compare, craft, seen
from kerckhoffs.ui.play.figure import figure
from tests.pages import choose_attack, html, opened, run_and_wait, verdicts, words
from tests.ui.play.test_words import CLASSICAL, KEYED, experiment

OWN = f"own/{KEYED}"


@pytest.fixture
def own(fresh_caches, kerckhoffs_home):
    """The shipped keyed model once more as a user's own, with its key in the user's folder: returns that key."""
    card = zoo.card(KEYED)
    [key] = zoo.find_keys(card)
    key.save(zoo.user_key_path(key.fingerprint))
    zoo.save(dataclasses.replace(card, key_files=()), zoo.load(KEYED).network, zoo.own_folder())
    return key


def test_it_stands_in_every_menu_marked_as_yours(own):
    app = opened(right=OWN)
    assert app.selectbox(key="right_mnist_table1").value == OWN
    assert any("evaluated on the keyed classifier of your own" in each for each in verdicts(app))
    assert "keyed, yours" in app.selectbox(key="right_mnist_table1").options
    assert "Table 1, keyed, yours" in opened("batch").multiselect(key="batch_crafted_mnist").options
    assert "MNIST, Table 1, keyed, yours" in list(opened("defences").dataframe[0].value["Classifier"])


@pytest.mark.parametrize("dial", ["twin", "own-key", "key"])
def test_every_attacker_can_attack_it(own, dial, monkeypatch):
    if dial == "key":
        monkeypatch.setenv(models.SHOW, "1")  # its gradients tell of the key: tests/ui/test_private_key.py
    said = verdicts(opened(right=OWN, dial=dial))
    assert any("evaluated on the keyed classifier of your own: " in each for each in said)


def test_it_can_be_asked(own):
    app = opened(right=OWN, dial="scores")
    run_and_wait(app)
    assert any("Crafted on the keyed classifier of your own" in each for each in verdicts(app))


def probes(count):
    """Images that would read a permutation off its view: the numbers of rows and columns, and random ones."""
    places = torch.arange(784)
    coded = torch.stack([places // 28, places % 28]).float().view(2, 1, 28, 28) / 255
    noise = torch.rand(count - 2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    return torch.cat([coded, noise])


def test_nothing_is_seen_behind_a_private_key(own):
    assert models.card(OWN).private
    assert not models.card(KEYED).private
    for image in probes(20):
        assert torch.equal(seen(OWN, image[None]), image[None])
    assert not torch.equal(seen(KEYED, probes(3)[:1]), probes(3)[:1])


@pytest.mark.parametrize("knowledge", ["twin", "own-key"])
def test_pictures_and_figures_of_a_private_key_are_those_of_the_images_as_they_came(own, knowledge):
    made = experiment(right=OWN, left=CLASSICAL, knowledge=knowledge)
    adversarial = craft(made)(None)
    readings = compare(made, adversarial)
    assert torch.equal(readings[OWN].clean_view, made.image)
    assert torch.equal(readings[OWN].adversarial_view, adversarial)
    drawn = figure(made, adversarial, readings)
    assert drawn.count("<image") == 3 * len(made.columns)
    with_public_key = compare(experiment(right=KEYED, knowledge=knowledge), adversarial)
    assert not torch.equal(with_public_key[KEYED].clean_view, made.image)


def test_the_page_says_why_nothing_is_shown(own):
    app = opened(right=OWN)
    assert "The key of the keyed classifier of your own is private" in words(app.info)
    assert "behind a private key; here they are as they came" in words(app.markdown)
    assert "behind a private key" in html(app)
    assert "Behind the defender's key" not in words(app.markdown)


def test_the_owner_can_switch_it_on(own, monkeypatch):
    monkeypatch.setenv(models.SHOW, "1")
    image = data.load("mnist", indices=[0])[0]
    assert torch.equal(seen(OWN, image)[0].flatten(), image.flatten()[torch.from_numpy(own.permutation().copy())])
    assert "Behind the defender's key" in words(opened(right=OWN).markdown)


def damage_the_manifest(folder):
    (folder / zoo.MANIFEST).write_text("{")


def remove_all(folder):
    shutil.rmtree(folder)


def remove_the_weights(folder):
    (folder / f"{KEYED}.safetensors").unlink()


@pytest.mark.parametrize("damage", [damage_the_manifest, remove_all, remove_the_weights])
def test_a_removed_or_damaged_one_is_one_sentence_and_the_shipped_ones_work(own, damage):
    app = opened(right=OWN)
    damage(zoo.own_folder())
    models._loaded.clear()
    app.run()
    assert not app.exception
    said = [*app.error, *app.warning]
    if damage is remove_the_weights:
        assert [each.value for each in app.error] == [each.value for each in app.error if "cannot read" in each.value]
    if damage is damage_the_manifest:
        assert any("Your own models are left out" in each.value for each in said)
    assert all("\n" not in each.value for each in said)
    choose_attack(opened(), "fgsm")
    assert len(verdicts(opened())) >= 2


def test_a_lost_key_is_one_sentence(own):
    zoo.user_key_path(own.fingerprint).unlink()
    app = opened(right=OWN)
    assert len(app.error) == 1
    assert "cannot read the key" in app.error[0].value


def test_a_model_that_is_trained_while_the_app_runs_appears(fresh_caches, kerckhoffs_home):
    assert OWN not in opened().selectbox(key="right_mnist_table1").options
    key = Key.generate(784)
    key.save(zoo.user_key_path(key.fingerprint))
    card = dataclasses.replace(zoo.card(KEYED), keys=(key.fingerprint,), key_files=())
    zoo.save(card, zoo.load(KEYED).network, zoo.own_folder())
    app = opened(right=OWN)
    assert app.selectbox(key="right_mnist_table1").value == OWN
    view = models.model(OWN).view(data.load("mnist", indices=[0])[0])
    assert np.array_equal(
        view.flatten().numpy(), data.load("mnist", indices=[0])[0].flatten().numpy()[key.permutation()]
    )
