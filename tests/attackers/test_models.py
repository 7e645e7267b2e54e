"""What attackers craft on is what it is said to be."""

import numpy as np
import pytest
import torch

from kerckhoffs import attackers, zoo
from kerckhoffs.attackers import kept
from kerckhoffs.attackers.kept import Cost
from kerckhoffs.attackers.leaked import guessed, key_of, known_places
from kerckhoffs.attackers.substitute import augmented
from kerckhoffs.attackers.weights import Bypass
from kerckhoffs.zoo import networks

KEYED = "mnist-half-keyed"
IMAGES = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def made(id_):
    return attackers.load(attackers.resolve(id_))


def keep(id_, *weights):
    """Pretend that the parts of an id have been made."""
    parts = attackers.read(attackers.resolve(id_)).parts
    for part, tensors in zip(parts, weights, strict=True):
        kept.keep(part, tensors, Cost(60.0, 5))
    return parts


def network(seed):
    torch.manual_seed(seed)
    return networks.build("half", "mnist").state_dict()


def test_with_the_whole_key_the_attacker_has_the_classifier_and_with_none_of_it_not():
    defended = zoo.load(KEYED)
    assert torch.allclose(made(f"part-of-key:share=1@{KEYED}")(IMAGES), defended(IMAGES), atol=1e-5)
    assert not torch.allclose(made(f"part-of-key:share=0@{KEYED}")(IMAGES), defended(IMAGES), atol=1e-2)


@pytest.mark.parametrize("places", ["random", "first-rows"])
def test_what_is_known_of_the_order_is_right_and_the_rest_is_what_is_left(places):
    order = np.random.default_rng(0).permutation(784)
    known = known_places(784, 0.3, places)
    assert known.sum() == 235
    assert places == "random" or known[:235].all()
    first, second = (guessed(order, known, seed) for seed in (1, 2))
    assert (first[known] == order[known]).all()
    assert sorted(first) == list(range(784))
    assert (first != second).any()
    assert (first[~known] == order[~known]).mean() < 0.05
    assert (key_of(first).permutation() == first).all()


def test_the_mean_over_drawn_orders_is_attacked():
    one = made(f"part-of-key:share=0.5@{KEYED}")(IMAGES)
    many = made(f"part-of-key:share=0.5:draws=3@{KEYED}")
    assert len(many.models) == 3
    assert torch.allclose(many.models[0](IMAGES), one, atol=1e-5)
    assert torch.allclose(many(IMAGES), torch.stack([each(IMAGES) for each in many.models]).mean(0), atol=1e-5)


def test_several_own_keys_are_the_shipped_surrogate_and_others_behind_keys_of_their_own():
    parts = keep(f"own-keys:number=3@{KEYED}", network(1), network(2))
    model = made(f"own-keys:number=3@{KEYED}")
    assert len(model.models) == 3
    assert torch.allclose(model.models[0](IMAGES), zoo.load("mnist-half-surrogate")(IMAGES), atol=1e-5)
    prints = {key.fingerprint for part in parts for key in part.keys}
    prints |= {*zoo.card(KEYED).keys, *zoo.card("mnist-half-surrogate").keys}
    assert len(prints) == 4
    first = zoo.card("mnist-half-surrogate").training["seconds"]
    assert attackers.cost(f"own-keys:number=3:of=logits@{KEYED}") == Cost(120.0 + first, 10)


def test_a_card_names_what_was_made_and_changes_with_it():
    id_ = attackers.resolve(f"substitute:queries=100@{KEYED}")
    with pytest.raises(ValueError, match=f"attackers make {id_}"):
        attackers.card(id_)
    keep(id_, network(1))
    first = attackers.card(id_)
    assert (first.id, first.dataset, first.network, first.keyed) == (id_, "mnist", "half", False)
    assert first.attacker == "Gray box: trained on its answers"
    assert len(first.sha256) == 64
    keep(id_, network(2))
    assert attackers.card(id_).sha256 != first.sha256


def test_a_bypass_is_the_network_behind_a_linear_map():
    matrix = torch.eye(784)[np.argsort(zoo.find_keys(zoo.card(KEYED))[0].permutation()).argsort()]
    keep(f"bypass@{KEYED}", {"matrix": matrix})
    assert torch.allclose(made(f"bypass@{KEYED}")(IMAGES), zoo.load(KEYED)(IMAGES), atol=1e-4), "the key as a map"
    assert isinstance(made(f"bypass@{KEYED}"), Bypass)


def test_a_recovered_order_is_used_as_it_is():
    order = torch.from_numpy(zoo.find_keys(zoo.card(KEYED))[0].permutation().copy())
    keep(f"recovery@{KEYED}", {"order": order})
    assert torch.allclose(made(f"recovery@{KEYED}")(IMAGES), zoo.load(KEYED)(IMAGES), atol=1e-5)


def test_jacobian_augmentation_steps_along_the_sign_of_the_answered_class():
    model = zoo.load("mnist-half-classical")
    answers = torch.eye(10)[[3, 1, 4]]
    more = augmented(model, IMAGES, answers, 0.1)
    assert (more - IMAGES).abs().max() <= 0.1 + 1e-6
    assert 0 <= float(more.min()) <= float(more.max()) <= 1
    chosen = answers.argmax(1)[:, None]
    assert (model(more).gather(1, chosen) > model(IMAGES).gather(1, chosen)).all()
    less = augmented(model, IMAGES, answers, -0.1)
    assert (model(less).gather(1, chosen) < model(IMAGES).gather(1, chosen)).all()


def test_the_surrogate_that_a_substitute_starts_from_is_made_once_for_all_budgets():
    ids = [attackers.resolve(f"substitute:queries={each}:start=surrogate@{KEYED}") for each in (100, 1000)]
    parts = [attackers.read(id_).parts for id_ in ids]
    assert parts[0][0] == parts[1][0] == parts[0][1].start
    assert parts[0][1] != parts[1][1]
    keep(ids[0], network(1), network(2))
    assert torch.allclose(attackers.load(ids[0])(IMAGES), parts[0][1].build(network(2))(IMAGES), atol=1e-5)
    assert attackers.cost(ids[0]) == Cost(120.0, 10)
