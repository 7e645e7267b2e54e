"""A private key in the app: whoever chooses what is uploaded reads none of it off what comes back."""

import dataclasses
import re
import shutil
import traceback

import numpy as np
import pytest
import streamlit as st
import torch

from kerckhoffs import attackers, zoo
from kerckhoffs.attackers import ATTACKERS, crafted_on
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.keys import Key
from kerckhoffs.ui import models
from kerckhoffs.ui.parts import pixels
from kerckhoffs.ui.play.experiment import compare, craft
from kerckhoffs.ui.play.figure import figure
from kerckhoffs.ui.play.panels import equation
from kerckhoffs.ui.play.script import script
from tests.batches import CLASSICAL, FGSM, fgsm, finished
from tests.batches import uploaded as samples
from tests.leaks import neighbours, pictures_in, places, traces
from tests.pages import opened, verdicts, words
from tests.ui.play.test_words import KEYED, experiment
from tests.ui.test_own_models import OWN, own  # noqa: F401  (a fixture)

SIDES = (28, 28)
UPLOADS = 16


def crafted(count):
    """Images that tell the places of a view apart: rows, columns, the bits of a place's number, and noise."""
    place = torch.arange(784)
    coded = [place // 28 * 9, place % 28 * 9, *((place >> bit & 1) * 255 for bit in range(10))]
    noise = torch.randint(64, 192, (count, 784), generator=torch.Generator().manual_seed(0))
    return torch.cat([torch.stack(coded), noise])[:count].view(-1, 1, *SIDES).float() / 255


def levels(picture):
    """A picture as one number a place; of a perturbation orange less blue."""
    flat = picture.astype(float)
    return (flat if flat.ndim == 2 else flat[..., 0] - flat[..., 2])[:: flat.shape[0] // 28, :: flat.shape[1] // 28]


def slots(seen):
    """What stands at each place of a page, over all uploads: (N, H * W) each."""
    kinds = zip(*([levels(picture).ravel() for picture in pictures_in(each)] for each in seen), strict=False)
    return [np.stack(kind) for kind in kinds]


def sent(app):
    """All that a page sends to the browser."""
    return b"\n".join(element.proto.SerializeToString() for element in app.main if element.proto is not None)


def shown(image, **address):
    """What Play sends of an uploaded image, and offers for download."""
    app = opened(image="upload", upload=pixels.encode(image[None]), meant="3", **address)
    assert verdicts(app)
    return sent(app)


def put_in(images):
    return images.flatten(1).numpy()


def test_the_search_reads_a_public_key_off_the_pictures():
    key = Key.load(zoo.shipped_folder() / f"{KEYED}.key.json", public=True)
    images = crafted(UPLOADS)
    found = slots([shown(each, right=KEYED) for each in images])
    assert places(put_in(images), found, key) == 784


@pytest.mark.parametrize("dial", ["twin", "own-key"])
def test_not_one_place_of_a_private_key_comes_back(own, dial):  # noqa: F811
    images = crafted(UPLOADS)
    seen = [shown(each, right=OWN, dial=dial) for each in images]
    found = slots(seen)
    assert len(found) >= 7, "three pictures a classifier, and the image"
    assert places(put_in(images), found, own) == 0
    assert traces(b"\n".join(seen), own) == []


def taken_away(made):
    """The pictures and files of an experiment, and of the steps of its attack."""
    steps = []
    adversarial = craft(made)(lambda step: steps.append(step.current) and False)
    parts = []
    for image in (adversarial, *steps[:3]):
        readings = compare(made, image)
        parts += [equation(each, "", 1.0) for each in readings.values()] + [figure(made, image, readings)]
    return "\n".join([*parts, script(made)]).encode()


ASKING = (
    ("noise", "noise", {}),
    ("labels", "rays", {}),
    ("labels", "surfree", {}),
    ("scores", "square", {}),
    ("data", "bim", {"iterations": 3}),
    ("twin", "pgd", {"iterations": 3}),
    ("own-key", "bim", {"iterations": 3}),
)


@pytest.mark.parametrize(("dial", "attack", "options"), ASKING)
def test_nor_does_a_figure_a_script_or_a_step_of_an_attack_give_it(own, dial, attack, options):  # noqa: F811
    every = {each.name: each.default for each in ATTACKS[attack].options} | options
    every |= {"max_queries": 30} if "max_queries" in every else {}
    images = crafted(UPLOADS)
    made = [
        experiment(
            right=OWN,
            knowledge=dial,
            attack=attack,
            options=tuple(every.items()),
            given=tuple((each.name, each.default) for each in ATTACKERS[dial].options),
            source="upload",
            value=pixels.encode(each[None]),
            label=3,
        )
        for each in images
    ]
    seen = [taken_away(each) for each in made]
    assert places(put_in(images), slots(seen), own) == 0
    assert traces(b"\n".join(seen), own) == []


def changes(model_id, count):
    """What FGSM, crafted with the key, changes of so many grey images."""
    model, images = models.model(model_id), torch.rand(count, 1, *SIDES, generator=torch.Generator().manual_seed(0))
    images = 0.25 + images / 2
    made = ATTACKS["fgsm"].run(model, images, model(images).argmax(1), epsilon=0.15, perturb_all=True)
    return (made - images).flatten(1).sign().numpy()


def test_the_search_reads_neighbours_off_gradients_through_a_key_and_off_no_others():
    key = Key.load(zoo.shipped_folder() / "mnist-table2-keyed.key.json", public=True)
    assert neighbours([changes("mnist-table2-keyed", 200)], key, SIDES) > 784 / 5
    assert neighbours([changes("mnist-table2-keyed", 2000)], key, SIDES) > 784 * 2 / 3
    assert neighbours([changes("mnist-table2-classical", 200)], key, SIDES) == 0


HAVE_WEIGHTS = ("bypass", "recovery", "part-of-key", "key")


def rungs(app):
    """The attackers that are offered."""
    shown = [each.partition(" · ")[2] for each in app.selectbox(key="knowledge").options]
    return {name for name, each in ATTACKERS.items() if each.name in shown}


@pytest.mark.parametrize("dial", HAVE_WEIGHTS)
def test_no_attack_reads_gradients_through_a_private_key(own, monkeypatch, dial):  # noqa: F811
    app = opened(right=OWN, dial=dial)
    assert "The address's dial was refused" in words(app.warning)
    assert not rungs(app) & set(HAVE_WEIGHTS)
    assert "Nor does an attack here read its gradients" in words(app.info)
    with pytest.raises(ValueError, match=f"unknown attacker on this classifier '{dial}'"):
        craft(experiment(right=OWN, knowledge=dial))
    monkeypatch.setenv(models.SHOW, "1")
    assert rungs(opened(right=OWN)) >= set(HAVE_WEIGHTS)


@pytest.mark.parametrize("dial", ["labels", "scores"])
def test_nor_does_one_put_gradients_together_from_its_answers(own, monkeypatch, dial):  # noqa: F811
    entry = models.card(OWN)
    offered = {name for name, attack in ATTACKS.items() if models.may_run(attack, dial, entry)}
    assert offered
    assert not offered & set(models.GRADIENTS_FROM_ANSWERS)
    for attack in set(models.GRADIENTS_FROM_ANSWERS) & {name for name, each in ATTACKS.items() if each.access == dial}:
        assert "The address's attack was refused" in words(opened(right=OWN, dial=dial, attack=attack).warning)
        with pytest.raises(ValueError, match="gradients"):
            craft(experiment(right=OWN, knowledge=dial, attack=attack, options=()))
        assert models.may_run(ATTACKS[attack], dial, models.card(KEYED))
        monkeypatch.setenv(models.SHOW, "1")
        assert models.may_run(ATTACKS[attack], dial, entry)
        monkeypatch.delenv(models.SHOW)


def test_what_was_made_against_a_classifier_with_a_private_key_is_not_seen_through(own):  # noqa: F811
    made = crafted_on("part-of-key", models.card(OWN), {"share": 1.0})
    assert not models.shows_view(attackers.card(made))


def test_a_batch_that_reads_them_shows_sizes_and_no_way_to_the_pictures(own):  # noqa: F811
    made = fgsm(crafted_on=OWN, evaluated_on=(CLASSICAL, OWN), options=FGSM, split="uploaded", stop=2)
    run = finished(made, uploaded=samples("3/a.png", "3/b.png"))
    app = opened("batch")
    app.query_params.clear()
    app.query_params["run"] = run.id
    app.run()
    assert not app.exception
    assert not app.get("link_button")
    assert len(pictures_in(sent(app))) == 1, "the clean image"
    assert traces(sent(app), own) == []


@pytest.mark.parametrize("page", ["how_it_works", "batch", "table3", "defences"])
def test_no_other_page_has_it(own, page):  # noqa: F811
    assert traces(sent(opened(page)), own) == []


def test_the_page_that_explains_shows_no_private_key_that_a_folder_has_in_the_place_of_the_shipped_one(
    own,  # noqa: F811
    tmp_path,
    monkeypatch,
):
    folder = tmp_path / "models"
    shutil.copytree(zoo.shipped_folder(), folder)
    (folder / f"{KEYED}.key.json").unlink()
    zoo.save(dataclasses.replace(zoo.card(KEYED), key_files=()), zoo.load(OWN).network, folder)
    monkeypatch.setenv("KERCKHOFFS_MODELS", str(folder))
    st.cache_resource.clear()
    app = opened("how_it_works")
    assert "that key is private" in words(app.error)
    assert pictures_in(sent(app)) == []


def test_what_a_model_and_its_errors_print_does_not_have_it(own):  # noqa: F811
    model = zoo.load(OWN)
    said = [repr(model), str(model.state_dict()), repr(own), repr(zoo.card(OWN))]
    for broken in (torch.zeros(1, 3, 5, 5), torch.zeros(784)):
        for call in (model, model.transform, model.transform.inverse):
            with pytest.raises(ValueError, match="shape") as caught:
                call(broken)
            said += traceback.format_exception(caught.value)
    path = zoo.user_key_path(own.fingerprint)
    text = path.read_text()
    for damaged in (text[:-1], text.replace("0", "1", 1), text.replace("values", "value"), re.sub(r"\d\.", "x.", text)):
        path.write_text(damaged)
        with pytest.raises(ValueError, match="key") as caught:
            zoo.load(OWN)
        said += traceback.format_exception(caught.value)
    assert traces("\n".join(said).encode(), own) == []
