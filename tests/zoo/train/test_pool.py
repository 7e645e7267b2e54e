"""What a defender trains against who expects strangers' examples."""

import pytest
import torch
from torch import nn

from kerckhoffs.data import DATASETS
from kerckhoffs.defences import DEFENCES
from kerckhoffs.zoo.networks import NETWORKS
from kerckhoffs.zoo.train import POOL, Recipe, companion, pool
from kerckhoffs.zoo.train.pool import Member
from kerckhoffs.zoo.train.recipes import COMPANIONS_EACH


def test_the_pool_holds_mlps_of_several_sizes_classical_networks_and_keyed_ones():
    mlps = [each.network for each in POOL if not isinstance(each.network, str)]
    assert len({len(widths) for widths in mlps}) >= 3
    assert len({widths[0] for widths in mlps}) >= 3
    assert all(each.network in NETWORKS for each in POOL if isinstance(each.network, str))
    assert {each.defence for each in POOL} == {"classical", "keyed"} <= set(DEFENCES)
    keyed = [each.network for each in POOL if each.defence == "keyed"]
    assert {"table1", "half"} <= set(keyed)
    assert {each.augmented for each in POOL} == {False, True}
    assert len(POOL) <= COMPANIONS_EACH


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_member_can_be_built(dataset):
    image = torch.zeros(2, *DATASETS[dataset].shape)
    for member in dict.fromkeys(POOL):
        assert member.build(dataset)(image).shape == (2, len(DATASETS[dataset].classes))


def test_the_widths_of_an_mlp_are_those_of_its_hidden_layers():
    layers = [layer for layer in Member((7, 5)).build("mnist") if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in layers] == [(784, 7), (7, 5), (5, 10)]


def test_each_member_is_trained_plainly_and_quickly_with_a_companions_seed():
    recipe = Recipe(epochs=30, rotate=8, shift=1, epsilon=0.3, batch_size=64, learning_rate=0.001, seed=5)
    for number, (member, how) in enumerate(zip(POOL, pool.recipes(recipe), strict=True)):
        assert how.seed == companion(5, number)
        assert how.epochs == member.epochs <= 4
        assert (how.batch_size, how.learning_rate) == (64, 0.001)
        assert (how.epsilon, how.temperature) == (0, 1)
        assert {how.rotate > 0, how.shift > 0, how.scale > 0} == {member.augmented}


def test_all_are_made_in_order():
    asked = []
    made = pool.make(Recipe(epsilon=0.3, seed=2), lambda *each: asked.append(each) or nn.Flatten())
    assert len(made) == len(POOL)
    assert asked == list(zip(POOL, pool.recipes(Recipe(epsilon=0.3, seed=2)), strict=True))
