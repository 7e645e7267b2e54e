"""A challenge from its opening to its reveal."""

import dataclasses
import hashlib
import json
import sqlite3

import pytest
import torch

from kerckhoffs import data, keys, zoo
from kerckhoffs.challenge import begin, service
from kerckhoffs.challenge.refusals import Refused
from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import Cost, KeyLocked
from tests import challenges
from tests.challenges import MODEL, OTHER, RULES, TWIN, adversarial, later, opened
from tests.commands import mode
from tests.leaks import traces


def test_a_model_whose_key_is_public_is_refused_and_how_to_train_another_is_said(kerckhoffs_home):
    for model, why in (("mnist-table1-keyed", "has a public key"), (TWIN, "has no key")):
        with pytest.raises(ValueError, match=f"{why}, .*kerckhoffs train mnist-table1-keyed --quick --name NAME"):
            begin.new(model, end=later(), **RULES)
    assert not service.folder().exists()


def test_a_copy_of_a_public_key_is_public(kerckhoffs_home):
    card = zoo.card("mnist-half-keyed")
    [key] = zoo.find_keys(card)
    key.save(zoo.user_key_path(key.fingerprint))
    zoo.save(dataclasses.replace(card, key_files=()), zoo.load(card.id).network, zoo.own_folder())
    with pytest.raises(ValueError, match="own/mnist-half-keyed has a public key"):
        begin.new("own/mnist-half-keyed", end=later(), **RULES)


def test_several_keys_are_refused(key, monkeypatch):
    card = zoo.card(MODEL)
    monkeypatch.setattr(zoo, "card", lambda name: dataclasses.replace(card, keys=("0" * 32, key.fingerprint)))
    with pytest.raises(ValueError, match=f"{MODEL} has several keys"):
        opened()


def test_it_is_of_images_that_the_classifier_reads_rightly(challenge):
    images, labels = challenge.images()
    assert len(images) == RULES["images"]
    assert torch.equal(zoo.load(MODEL)(images).argmax(1), labels)
    every, labels = data.load("mnist")
    right = zoo.load(MODEL)(every).argmax(1) == labels
    assert list(challenge.rules.samples) == right.nonzero().flatten().tolist()[: RULES["images"]]
    assert challenge.rules.twin == TWIN


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"images": 0}, "images must be between 1 and 1000, but is 0"),
        ({"images": 1000}, "rightly, fewer than 1000"),
        ({"budget": -1}, "budget must be"),
        ({"end": later(days=-1)}, "end must lie ahead"),
        ({"note": "x" * 1001}, "the note must have at most"),
    ],
)
def test_rules_that_are_none_are_refused_and_leave_nothing(key, given, reason):
    with pytest.raises(ValueError, match=reason):
        opened(**given)
    assert service.listed() == []


def test_a_key_is_hidden_once(challenge):
    with pytest.raises(ValueError, match=f"{challenge.id} is a challenge already with {MODEL}: train one under"):
        opened()
    assert service.withheld() == {challenge.fingerprint}
    challenge.reveal(early=True)
    with pytest.raises(ValueError, match=f"{challenge.id} has revealed the key of {MODEL}: train one under"):
        opened()
    assert service.withheld() == set()


def test_several_go_on_beside_each_other(challenge):
    challenges.own_model(OTHER)
    other = opened(OTHER)
    assert {each.id for each in service.listed()} == {challenge.id, other.id}
    assert service.withheld() == {challenge.fingerprint, other.fingerprint}
    other.reveal(early=True)
    assert service.withheld() == {challenge.fingerprint}


def test_a_key_that_two_classifiers_share_is_refused(key):
    second = challenges.second_model()
    with pytest.raises(ValueError, match=f"{MODEL} shares its key with {second}, .*: train one under"):
        opened()
    assert service.listed() == []


def test_answers_are_the_classifiers_in_float32_and_each_image_is_a_query(challenge):
    images, labels = challenge.images()
    team = challenge.team(challenge.join("team"))
    told = challenge.query(team, images)
    assert told.values.tolist() == labels.tolist()
    assert told.left == 200 - len(images)


def test_scores_are_probabilities(key):
    challenge = opened(answers="scores")
    images, _ = challenge.images()
    told = challenge.query(challenge.team(challenge.join("team")), images)
    assert torch.allclose(told.values, zoo.load(MODEL)(images).softmax(1), atol=1e-6)


def test_what_fools_within_the_budget_counts_and_what_was_submitted_costs(challenge):
    token = challenge.join("team")
    team, images = challenge.team(token), adversarial(challenge)
    done = challenge.submit(team, images)
    fooled = (zoo.load(TWIN)(images).argmax(1) != challenge.images()[1]).tolist()
    assert [each.counts for each in done.judged] == fooled
    assert (done.fooled, done.left) == (sum(fooled), 200 - len(images))
    beyond = challenge.submit(team, adversarial(challenge, 0.31)[:2], [0, 1])
    assert not any(each.within or each.counts for each in beyond.judged)
    assert beyond.left == done.left - 2, "beyond the budget too: it is judged"
    [standing] = challenge.leaderboard()
    assert (standing.fooled, standing.queries, standing.spent) == (sum(fooled), 6, 8)
    kept = challenge.best(team)
    assert [each.position for each in kept] == [place for place, each in enumerate(fooled) if each]
    again = torch.frombuffer(bytearray(kept[0].image), dtype=torch.float32).view(1, 28, 28)
    assert torch.equal(again, images[kept[0].position])


@pytest.mark.parametrize("positions", [[0], [0, 0], [0, 6], [-1, 0], [0, 1, 2]])
def test_positions_that_are_none_are_refused_and_cost_nothing(challenge, positions):
    token = challenge.join("team")
    with pytest.raises(Refused) as refused:
        challenge.submit(challenge.team(token), adversarial(challenge)[:2], positions)
    assert refused.value.status == 422
    assert challenge.team(token).spent == 0


def test_nothing_of_the_key_is_written_before_the_reveal(challenge, key):
    challenge.submit(challenge.team(challenge.join("team")), adversarial(challenge))
    for path in service.folder().iterdir():
        assert mode(path) == 0o600
        assert traces(path.read_bytes(), key) == []
    opening = keys.Opening.load(keys.kept_at(challenge.commitment))
    seen = b"".join(path.read_bytes() for path in service.folder().iterdir())
    assert opening.nonce not in seen
    assert opening.nonce.hex().encode() not in seen


def test_before_the_end_the_key_is_revealed_only_early(challenge):
    with pytest.raises(ValueError, match=r"goes on until .*; --early reveals"):
        challenge.reveal()
    for each in (challenge.revealed, challenge.weights):
        with pytest.raises(Refused, match="has not been revealed"):
            each()
    assert not challenge.reveal_file().exists()


def test_what_is_revealed_is_what_was_committed_to(challenge, key):
    shown = challenge.reveal(early=True)
    assert keys.verify(challenge.commitment, shown)
    assert keys.verify(challenge.commitment, keys.Reveal.read(challenge.revealed(), "over the wire"))
    assert shown.opening.model == MODEL
    assert shown.key.fingerprint == key.fingerprint
    assert hashlib.sha256(challenge.weights()).hexdigest() == shown.opening.weights
    assert mode(challenge.reveal_file()) == 0o644
    assert challenge.state == "revealed"
    assert challenge.reveal().commitment == challenge.commitment, "a second time changes nothing"


def test_without_opening_or_key_nothing_ends(challenge):
    keys.kept_at(challenge.commitment).unlink()
    with pytest.raises(FileRefused, match="cannot read the opening"):
        challenge.reveal(early=True)
    assert challenge.state == "open"


def test_a_reveal_that_was_broken_off_is_taken_up_again(challenge):
    challenge._store.mark_revealed(0)
    with pytest.raises(Refused):
        challenge.revealed()
    challenge.reveal()
    assert json.loads(challenge.revealed())["public"]


def test_a_locked_key_is_asked_for_once_and_costs_nobody_a_query(challenge, key, caplog):
    path = zoo.user_key_path(key.fingerprint)
    path.unlink()
    key.save(path, passphrase="correct horse battery staple", cost=Cost(n=2, r=1))
    token = challenge.join("team")
    with pytest.raises(KeyLocked):
        challenge.load()
    with pytest.raises(Refused, match="cannot be used now") as refused:
        challenge.query(challenge.team(token), challenge.images()[0])
    assert refused.value.status == 503
    assert "is locked with a passphrase" in caplog.text, "for who runs it alone"
    assert challenge.team(token).spent == 0
    with keys.asking(lambda _: "correct horse battery staple"):
        challenge.load()
    keys.lock(key.fingerprint)
    assert challenge.query(challenge.team(token), challenge.images()[0]).left == 194


def again(challenge):
    """The same challenge after its server was started again."""
    service._found.cache_clear()
    return service.find(challenge.id)


def other_weights():
    """Another network under the key of MODEL, in its place."""
    network = zoo.load(MODEL).network
    with torch.no_grad():
        next(iter(network.parameters())).mul_(0.5)
    zoo.save(dataclasses.replace(zoo.card(MODEL), id=MODEL.removeprefix(zoo.OWN)), network, zoo.own_folder())


@pytest.mark.parametrize("replace", [challenges.own_model, other_weights])
def test_no_other_classifier_answers_that_took_its_name(challenge, replace, caplog):
    token, images = challenge.join("team"), challenge.images()[0]
    challenge.load()
    replace()
    assert challenge.query(challenge.team(token), images).left == 194, "what was loaded goes on"
    challenge = again(challenge)
    with pytest.raises(Refused, match="cannot be used now") as refused:
        challenge.query(challenge.team(token), images)
    assert refused.value.status == 503
    assert f"{MODEL} is not the classifier that the challenge {challenge.id} was opened on" in caplog.text
    assert challenge.team(token).left == 194
    challenge.reveal(early=True)
    with pytest.raises(Refused, match="not there any more"):
        challenge.weights()


def test_a_file_from_before_weights_were_kept_is_bound_to_its_key(challenge):
    with sqlite3.connect(service.file_of(challenge.id)) as old:
        old.execute("ALTER TABLE challenge DROP COLUMN weights")
    assert again(challenge).load()
    other_weights()
    assert again(challenge).load()
    challenges.own_model()
    with pytest.raises(FileRefused, match="is not the classifier"):
        again(challenge).load()


def test_a_file_that_is_no_challenge_is_left_out(challenge):
    (service.folder() / "0badcafe.sqlite").write_bytes(b"nothing")
    (service.folder() / "name.sqlite").write_bytes(b"nothing")
    assert [each.id for each in service.listed()] == [challenge.id]


@pytest.mark.parametrize("id_", ["", "..", "../keys", "0BADCAFE", "0badcafe\n", "0badcaf", "١" * 8])
def test_an_id_that_is_none_leads_nowhere(kerckhoffs_home, id_):
    with pytest.raises(Refused) as refused:
        service.find(id_)
    assert refused.value.status == 404
