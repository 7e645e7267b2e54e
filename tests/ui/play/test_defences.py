"""Every defence in Play: chosen, shown as its network sees it, explained; nothing is said that holds of others only."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from kerckhoffs import zoo
from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.defences import DEFENCES, EnsembleClassifier
from kerckhoffs.ui import models
from kerckhoffs.ui.models import card, model
from kerckhoffs.ui.parts import scheme
from kerckhoffs.ui.play import keywork, panels, views
from kerckhoffs.ui.play.consequences import consequence
from kerckhoffs.ui.play.experiment import compare, craft
from kerckhoffs.ui.play.figure import figure
from tests.defended import CLASSICAL, KEYED, NETWORK, RETRAINED, STRUCTURES, model_of, write
from tests.leaks import pictures_in, traces
from tests.pages import html, opened, verdicts, words
from tests.ui.play.test_words import experiment
from tests.ui.test_private_key import sent

SVG = "{http://www.w3.org/2000/svg}"
DEFENDED = [*STRUCTURES[1:], *RETRAINED]
MOVING = {"keyed", "surrogate", "permutation-pixels", "permutation-channels", "shuffle-4"}
every_defence = pytest.mark.parametrize("defence", DEFENDED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("defences") / "models"
    write(path, [*STRUCTURES, *RETRAINED])
    return path


@pytest.fixture(autouse=True)
def shipped(folder, fresh_caches, monkeypatch):
    monkeypatch.setenv("KERCKHOFFS_MODELS", str(folder))


def against(defence, **changes):
    """FGSM crafted on the classical twin, or else as is said."""
    return experiment(**({"left": CLASSICAL, "right": model_of(defence)} | changes))


def compared(made):
    adversarial = craft(made)(None)
    return adversarial, compare(made, adversarial)


@every_defence
def test_it_can_be_chosen_and_the_page_says_what_it_is_costs_and_falls_to(defence):
    entry, app = DEFENCES[defence], opened(network=NETWORK, right=model_of(defence))
    assert app.selectbox(key=f"right_mnist_{NETWORK}").value == model_of(defence)
    assert len(verdicts(app)) >= 2
    said = words(app.markdown)
    assert f"sees the pixels {entry.sees}" in said
    assert entry.summary in said
    assert f"**Known against it.** {entry.known}" in said
    assert f", {entry.sees}, for the" in html(app), "what the pictures are called"
    keyed = [each for each in app.segmented_control if each.key == "key_whose"]
    assert bool(keyed) == entry.keyed
    assert ("4 · The key at work" in html(app)) == (entry.keyed or not entry.box)
    at_work = words(app.caption)
    assert ("P moves pixels" in at_work) == (defence.removesuffix("-adversarial") in MOVING)
    assert ("Nothing stands before any of these networks" in at_work) == (not entry.box)
    assert ("no key" in entry.summary) <= ("key, and is not shown" not in at_work)


@pytest.mark.parametrize("defence", ["keyed-adversarial", "adversarial"])
def test_what_it_was_trained_against_is_said(defence):
    assert "(linf, ε 0.2, 5 steps)" in words(opened(network=NETWORK, right=model_of(defence)).caption)


def test_a_distilled_one_says_its_temperature_and_a_manifest_may_say_anything(monkeypatch):
    assert "(temperature 100)" in models.trained(card(model_of("distilled")))
    odd = dict(card(model_of("distilled")).training) | {"temperature": "[a](http://evil.example)"}
    entry = zoo.ModelCard(**(vars(card(model_of("distilled"))) | {"training": odd}))
    assert models.trained(entry) == DEFENCES["distilled"].trained


@every_defence
def test_what_it_sees_is_shown_on_one_scale_which_is_said_where_it_is_not_that_of_images(defence):
    made = against(defence)
    adversarial, readings = compared(made)
    reading = readings[made.right]
    seen = torch.cat([reading.clean_view, reading.adversarial_view])
    low, high = views.scale(seen)
    shown = views.shown(reading, 1 / 0.15)
    leaves = bool(seen.min() < -views.ROUNDING or seen.max() > 1 + views.ROUNDING)
    assert ((low, high) != (0, 1)) == leaves
    assert (f"black is {views.number(low)} and white {views.number(high)}" in shown.note) == leaves
    extremes = [picture.max() for picture in (shown.clean, shown.adversarial)]
    if leaves:
        assert max(extremes) == 255
        assert min(picture.min() for picture in (shown.clean, shown.adversarial)) == 0
    drawn = panels.equation(reading, DEFENCES[defence].sees, 1 / 0.15)
    assert drawn.count("<img") == 3
    assert ("k-size" in drawn) == bool(shown.note)
    assert shown.note.rstrip(".") in figure(made, adversarial, readings).replace("</text>", " ")
    if card(made.right).entry.networks == 1:
        assert shown.clean.shape[:2] == (28, 28)


@every_defence
def test_the_perturbation_that_is_shown_is_the_perturbation(defence):
    made = against(defence)
    adversarial, readings = compared(made)
    delta = readings[made.right].adversarial_view - readings[made.right].clean_view
    entry = DEFENCES[defence]
    if entry.randomized or not entry.box:
        assert torch.allclose(delta, adversarial - made.image, atol=1e-6), "under the same draw"
    for norm, order in (("l2", 2), ("linf", torch.inf)):
        if norm in entry.keeps:
            size = torch.linalg.vector_norm(adversarial - made.image, order)
            assert torch.allclose(torch.linalg.vector_norm(delta, order), size, rtol=1e-4)


@every_defence
def test_distances_are_said_to_be_kept_only_where_they_are(defence):
    made = against(defence)
    entry = DEFENCES[defence]
    assert panels.kept(made) == tuple(norm for norm in panels.NORMS if entry.keyed and norm in entry.keeps)
    page = html(opened(network=NETWORK, right=model_of(defence)))
    assert ("the same behind P" in page) == bool(panels.kept(made))
    assert ("Size, the same behind P:" in page) == (panels.kept(made) == panels.NORMS)


def test_of_several_networks_every_tile_is_told_from_the_next():
    made = against("kda")
    readings = compared(made)[1]
    shown = views.shown(readings[made.right], 1.0)
    assert shown.clean.shape == (3 * 28 + 2, 3 * 28 + 2, 3)
    for line in (shown.clean[28], shown.clean[57], shown.clean[:, 28], shown.clean[:, 57]):
        assert np.unique(line, axis=0).tolist() == [[0, 158, 115]]
    tiles = model(made.right).views(made.image)
    ends = views.scale(readings[made.right].clean_view, readings[made.right].adversarial_view)
    expected = ((tiles[4][0, 0] - ends[0]) / (ends[1] - ends[0]) * 255).round()
    assert np.array_equal(shown.clean[29:57, 29:57, 0], expected.numpy().astype(np.uint8))


@pytest.mark.parametrize("defence", ["kda", "voting"])
def test_each_of_several_networks_is_named_with_what_it_says_alone(defence):
    classifier, made = model(model_of(defence)), against(defence)
    page = html(opened(network=NETWORK, right=made.right, sample=made.value))
    assert len(classifier.titles) == DEFENCES[defence].networks == len(set(classifier.titles))
    for title, logits in zip(classifier.titles, classifier.members(made.image), strict=True):
        tops = (logits[0] > logits.max() - 1e-3).nonzero().flatten().tolist()  # in another batch it rounds otherwise
        assert any(f"{title}: {each} (" in page for each in tops)
        assert f'alt="what is seen by {title}"' in page


def test_the_keyed_frequencies_are_outlined_and_their_signs_are_not_shown():
    classifier, image = model(model_of("dct-diagonal")), against("dct-diagonal").image
    plane = keywork._plane(classifier.transform, image)
    green = (plane == [0, 158, 115]).all(2)
    scale = plane.shape[0] // 28
    assert not green[: 14 * scale].any()
    assert not green[:, : 14 * scale].any()
    assert green[14 * scale, 14 * scale :].all()
    flipped = classifier.transform(image)
    assert np.array_equal(plane, keywork._plane(classifier.transform, flipped)), "sizes are the same on both sides"


@pytest.mark.parametrize("defence", KEYED)
def test_the_wrong_key_is_another_one_before_the_same_networks(defence):
    name = model_of(defence)
    wrong, known = keywork.behind_a_wrong_key(name, card(name).sha256), model(name)
    image = against(defence).image
    assert not torch.allclose(wrong.view(image), known.view(image), atol=1e-3)
    networks = [
        list(each.network) if isinstance(each, EnsembleClassifier) else [each.network] for each in (wrong, known)
    ]
    assert [id(each) for each in networks[0]] == [id(each) for each in networks[1]]


@pytest.mark.parametrize("knowledge", ATTACKERS)
@every_defence
def test_the_scheme_draws_what_stands_before_the_network_and_hides_no_key_that_is_not_there(defence, knowledge):
    entry = card(model_of(defence))
    root = ElementTree.fromstring(scheme.svg(ATTACKERS[knowledge], entry))
    drawn = [element.text for element in root.iter("text")]
    [described] = [element.text for element in root.iter("desc")]
    box = entry.entry.box
    assert not box or any(text.startswith(box) for text in drawn)
    assert any(text.startswith(("key k", "keys k")) for text in drawn) == entry.keyed
    assert ("the key k" in described) == (entry.keyed and "key" in ATTACKERS[knowledge].hidden)
    assert any(text.startswith(f"{entry.entry.networks} networks") for text in drawn) == (entry.entry.networks > 1)
    assert any("trained" in text or "distilled" in text for text in drawn) == (entry.entry.training != "clean")


@pytest.mark.parametrize("knowledge", ["twin", "key"])
@every_defence
def test_what_follows_speaks_of_a_key_only_where_there_is_one(defence, knowledge):
    made = against(defence, knowledge=knowledge, options=(("epsilon", 0.9), ("perturb_all", True)))
    entry = card(made.right).entry
    said = consequence(made, compared(made)[1])
    if not entry.keyed:
        assert not re.search("its key|the key", said)
        assert "It has no defence" not in said
    if entry.training != "clean":
        assert "the defence is none" not in said
    assert ("key" in ATTACKERS[knowledge].words(card(made.right))[1]) or not entry.keyed


def test_the_menu_begins_with_the_networks_own_by_kind(monkeypatch, folder):
    app = opened(network=NETWORK)
    offered = app.selectbox(key=f"right_mnist_{NETWORK}").options
    assert offered[:2] == ["classical", "keyed"]
    places = {name: place for place, name in enumerate(offered)}
    for before, after in (
        ("keyed", "KDA"),
        ("KDA", "binarised"),
        ("Gaussian noise", "adversarially trained"),
        ("keyed, adversarially trained", "surrogate"),
    ):
        assert places[before] < places[after]


@pytest.fixture(scope="module")
def private_keys(tmp_path_factory):
    """A folder of models whose keys are private, and a home that has those keys."""
    home = tmp_path_factory.mktemp("private")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERCKHOFFS_HOME", str(home))
        keys = write(home / "elsewhere", [*STRUCTURES, "keyed-adversarial"], public=False)
    return home, keys


@pytest.mark.parametrize("defence", [*KEYED, "keyed-adversarial"])
def test_nothing_behind_a_private_key_is_shown_of_any_defence(defence, private_keys, monkeypatch):
    home, keys = private_keys
    monkeypatch.setenv("KERCKHOFFS_HOME", str(home))
    monkeypatch.setenv("KERCKHOFFS_MODELS", str(home / "elsewhere"))
    made = against(defence)
    adversarial, readings = compared(made)
    assert torch.equal(readings[made.right].clean_view, made.image)
    assert torch.equal(readings[made.right].adversarial_view, adversarial)
    assert readings[made.right].tiles == (1, 1)
    assert "key" not in models.attackers(card(made.right))
    with pytest.raises(ValueError, match="unknown attacker on this classifier"):
        craft(against(defence, knowledge="key"))
    with pytest.raises(ValueError, match="that key is private"):
        models.need_view(made.right)
    app = opened(network=NETWORK, right=made.right)
    assert "is private, so nothing is shown" in words(app.info)
    assert not [each for each in app.segmented_control if each.key in ("key_whose", "key_picture")]
    shown = sent(app)
    assert {picture.shape[:2] for picture in pictures_in(shown)} == {(28, 28)}, "no grid, no plane"
    ours = pictures_in(panels.equation(readings[made.right], "", 1 / 0.15).encode())
    theirs = pictures_in(panels.equation(readings[made.left], "", 1 / 0.15).encode())
    assert all(map(np.array_equal, ours, theirs)), "as the classifier without a key is shown"
    [key] = keys[defence]
    assert traces(shown + figure(made, adversarial, readings).encode(), key) == []
