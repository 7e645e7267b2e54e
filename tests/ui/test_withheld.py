"""A classifier whose key a challenge hides, and the weights behind a private key: no page asks them, whoever is typed,
named by an address or resumed."""

import pytest

from kerckhoffs import attackers, zoo
from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.ui import ladder, models
from kerckhoffs.ui.batch import runner, watch
from kerckhoffs.ui.play.experiment import craft
from kerckhoffs.ui.stage import experiment as staged
from tests import challenges
from tests.batches import CLASSICAL, begun, fgsm
from tests.challenges import MODEL, OTHER
from tests.pages import opened, words
from tests.ui.play.test_words import experiment
from tests.ui.test_private_key import HAVE_WEIGHTS

pytestmark = pytest.mark.usefixtures("runs_end")
NOBODY = [(MODEL, name) for name in ATTACKERS] + [(OTHER, name) for name in HAVE_WEIGHTS]
"""A challenge hides MODEL's key, so nobody asks it here; OTHER's is private, so none who has its weights."""


def keep():
    """A challenge on MODEL, and OTHER beside it."""
    challenges.own_model()
    challenges.own_model(OTHER)


@pytest.fixture
def hidden(kerckhoffs_home):
    keep()
    return challenges.opened()


@pytest.fixture
def started(monkeypatch):
    """The runs that pages have started."""
    found = []
    monkeypatch.setattr(runner.runner(), "start", lambda run, *_: found.append(run))
    return found


def asks(run, model):
    """Whether a run asks a classifier, or what an attacker makes of its answers, weights or key."""
    made = [attackers.read(name) for name in run.models if attackers.is_made(name)]
    return model in {*run.models, *(each.target.id for each in made if each.entry.alone)}


def made(model, name):
    """The id of what an attacker makes of this very classifier; None where it makes nothing."""
    card = zoo.card(model)
    if not ATTACKERS[name].alone or not ATTACKERS[name].against(card.entry):
        return None
    id_ = attackers.crafted_on(name, card)
    return id_ if attackers.is_made(id_) else None


def test_whoever_is_typed_into_a_batch(hidden, started):
    app = opened("batch")
    app.number_input(key="batch_count").set_value(2).run()
    refused = []
    for model, name in NOBODY:
        app.multiselect(key="batch_crafted_mnist").set_value([f"{name}@{model}"]).run()
        assert not app.exception
        if "batch_start_button" in {each.key for each in app.button}:
            app.button(key="batch_start_button").click().run()
            app.button(key="batch_run_new").click().run()
        else:
            refused += [(model, name)] if app.error else []
    assert not any(asks(run, MODEL) for run in started)
    assert not any(attackers.is_made(name) and asks(run, OTHER) for run in started for name in run.models)
    assert {each for each in NOBODY if made(*each)} <= set(refused)


def test_what_an_attacker_makes_of_it_is_nothing_that_pages_know(hidden):
    ids = [made(*each) for each in NOBODY if made(*each)]
    assert len(ids) >= 6
    for id_ in ids:
        for use in (models.card, models.model, models.cost, models.there, models.begun, models.parts, models.crafter):
            with pytest.raises(ValueError, match="unknown (model|attacker)"):
                use(id_)


def test_no_address_of_play_or_of_a_talk_leads_to_it(hidden):
    assert "The address's right was refused" in words(opened(right=MODEL, dial="part-of-key").warning)
    for model, name in NOBODY:
        with pytest.raises(ValueError, match="unknown|is none of"):
            staged.read(f"?network=linear&right={model}&dial={name}")
        with pytest.raises(ValueError, match="unknown"):
            craft(experiment(right=model, knowledge=name, attack=staged._usual(ATTACKERS[name].reads), options=()))


def test_no_ladder_climbs_on_it(hidden):
    assert MODEL not in {each.id for each in models.listed()}
    assert not set(HAVE_WEIGHTS) & {rung.attacker for rung in ladder.possible(models.card(OTHER))}
    with pytest.raises(ValueError, match="unknown model"):
        models.card(MODEL)


@pytest.mark.parametrize("where", ["crafted_on", "evaluated_on", "part-of-key", "in a folder"])
def test_a_run_from_before_the_challenge_does_not_go_on(kerckhoffs_home, started, where):
    keep()
    name = f"part-of-key@{MODEL}" if where == "part-of-key" else MODEL
    folder = zoo.own_folder() if where == "in a folder" else None
    name = name.removeprefix(zoo.OWN) if folder else name
    what = {"evaluated_on": (name,)} if where == "evaluated_on" else {"crafted_on": name, "evaluated_on": (CLASSICAL,)}
    what = what | {"evaluated_on": (name,)} if folder else what
    run = begun(fgsm(stop=2, **what), model_folder=folder)
    challenges.opened()
    app = opened("batch")
    for button in ("batch_run_resume", "batch_run_again"):
        app.query_params["run"] = run.id
        app.run()
        app.button(key=button).click().run()
        assert not app.exception
        assert f"a challenge hides the key of {name.removeprefix('part-of-key@')}" in words(app.error)
    assert started == []


def test_nor_does_one_that_has_a_private_keys_weights(hidden, started):
    run = begun(fgsm(stop=2, crafted_on=f"part-of-key@{OTHER}", evaluated_on=(CLASSICAL,)))
    with pytest.raises(ValueError, match=f"is not offered on {OTHER}, whose key is private"):
        watch.begin(run, "batch_run")
    assert not run.folder.exists()
    assert started == []


def test_a_second_classifier_under_its_key_is_hidden_too(hidden):
    second = challenges.second_model()
    assert set(zoo.used_by(hidden.fingerprint)) == {MODEL, second}
    assert {MODEL, second}.isdisjoint(models.cards())
    hidden.reveal(early=True)
    assert {MODEL, second} <= set(models.cards())
