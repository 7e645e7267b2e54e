import json
import math
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerckhoffs import zoo
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import DEFENCES
from kerckhoffs.defences.base import Training
from kerckhoffs.zoo import train
from kerckhoffs.zoo.networks import NETWORKS
from kerckhoffs.zoo.train import COMPANIONS, RECIPES, Recipe, check_recipe, companion, recipe_for
from kerckhoffs.zoo.train.recipes import ATTACKERS, COMPANIONS_EACH

TRAININGS = get_args(Training)
ALL = [(dataset, network, defence) for dataset in DATASETS for network in NETWORKS for defence in DEFENCES]
seeds = st.integers(0, COMPANIONS - 1)
numbers = st.integers(0, COMPANIONS_EACH - 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("epochs", -3),
        ("batch_size", 0),
        ("weight_decay", -0.01),
        ("rotate", -1.0),
        ("shift", -1.0),
        ("scale", -0.1),
        ("scale", 1.0),
        ("learning_rate", 0.0),
        ("learning_rate", 1.0),
        ("learning_rate", math.nan),
        ("average", 1.0),
        ("average", -0.1),
        ("average", math.nan),
        ("epsilon", -0.1),
        ("epsilon", 1.5),
        ("attack_steps", 0),
        ("temperature", 0.0),
        ("temperature", -1.0),
        ("temperature", 10_001),
        ("seed", -1),
    ],
)
def test_a_bad_recipe_is_refused_with_the_name_and_the_value(name, value):
    with pytest.raises(ValueError, match=f"{name}.* must .*{value}"):
        Recipe(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weight_decay", math.nan),
        ("weight_decay", math.inf),
        ("rotate", math.inf),
        ("shift", math.nan),
        ("scale", math.nan),
        ("epochs", 1.5),
        ("epsilon", math.nan),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("attack_steps", 2.0),
        ("batch_size", math.nan),
    ],
)
def test_a_recipe_that_no_number_can_follow_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}.*{value}"):
        Recipe(**{name: value})


def test_every_recipe_belongs_to_a_model():
    assert set(RECIPES) <= {zoo.model_id(*names) for names in ALL}


def test_every_model_has_a_recipe_that_is_one_for_its_training():
    for names in ALL:
        check_recipe(recipe_for(*names), DEFENCES[names[2]].training)


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_recipe_says_what_its_training_needs(dataset):
    assert recipe_for(dataset, "table1", "keyed-distilled").temperature == 100
    for defence in ("adversarial", "shuffle-4-adversarial", "keyed-ensemble-adversarial"):
        recipe = recipe_for(dataset, "half", defence)
        assert recipe.attack_steps > 1
        assert recipe.epsilon >= 0.1
        assert {recipe.rotate, recipe.shift, recipe.scale, recipe.flip} == {0}


def test_a_shipped_models_recipe_goes_before_that_of_its_set():
    id_ = "mnist-table2-keyed"
    assert recipe_for("mnist", "table2", "keyed") == RECIPES[id_] != recipe_for("mnist", "half", "keyed")


def test_a_set_without_a_recipe_of_its_own_has_one(monkeypatch):
    monkeypatch.setitem(DATASETS, "other", replace(DATASETS["mnist"], id="other"))
    assert recipe_for("other", "table1", "keyed") == Recipe(epochs=8)
    assert recipe_for("other", "table1", "adversarial").epsilon == 8 / 255


# What a training has no use for, or cannot do without


@pytest.mark.parametrize(
    ("training", "recipe"),
    [
        ("clean", Recipe()),
        ("distilled", Recipe(temperature=20.0)),
        ("adversarial", Recipe(epsilon=0.1, attack_steps=7)),
        ("ensemble-adversarial", Recipe(epsilon=0.1, attack_steps=3)),
    ],
)
def test_what_a_training_does_may_be_said_in_its_recipe_and_in_no_other(training, recipe):
    check_recipe(recipe, training)
    said = {name: getattr(recipe, name) for name in ("epsilon", "attack_steps", "temperature")}
    for other in set(TRAININGS) - {training}:
        foreign = {name: value for name, value in said.items() if value != getattr(Recipe(), name)}
        foreign = {name: value for name, value in foreign.items() if not uses(other, name)}
        for name, value in foreign.items():
            with pytest.raises(ValueError, match=f"{name} must be left out of {other} training, but is {value}"):
                check_recipe(replace(Recipe(epsilon=0.1 * uses(other, "epsilon")), **{name: value}), other)


def uses(training, name):
    return training in {
        "epsilon": ("adversarial", "ensemble-adversarial"),
        "attack_steps": ("adversarial", "ensemble-adversarial"),
        "temperature": ("distilled",),
    }.get(name, ())


@pytest.mark.parametrize("training", ["adversarial", "ensemble-adversarial"])
def test_a_training_that_attacks_needs_an_epsilon(training):
    with pytest.raises(ValueError, match=f"epsilon must be above 0 for {training} training, but is 0"):
        check_recipe(Recipe(), training)


# Seeds


@given(seeds, numbers, seeds, numbers)
def test_no_two_companions_share_a_seed(seed, number, other_seed, other_number):
    same = (seed, number) == (other_seed, other_number)
    assert (companion(seed, number) == companion(other_seed, other_number)) == same


@given(seeds, numbers)
def test_no_companion_has_a_seed_that_another_network_may_have(seed, number):
    assert companion(seed, number) >= COMPANIONS
    for training in TRAININGS:
        with pytest.raises(ValueError, match=f"seed must be below {COMPANIONS}, but is {companion(seed, number)}"):
            check_recipe(Recipe(epsilon=0.1 * uses(training, "epsilon"), seed=companion(seed, number)), training)


@given(seeds, numbers)
def test_a_companion_has_no_companions(seed, number):
    with pytest.raises(ValueError, match=f"seed must be below {COMPANIONS} .*{companion(seed, number)}"):
        companion(companion(seed, number), 0)


@pytest.mark.parametrize(("seed", "number"), [(-1, 0), (COMPANIONS, 0), (0, -1), (0, COMPANIONS_EACH)])
def test_a_seed_or_number_out_of_range_has_no_companion(seed, number):
    with pytest.raises(ValueError, match=f"they are {seed} and {number}"):
        companion(seed, number)


@given(seeds, seeds)
def test_the_seeds_of_a_pool_are_no_other_networks_and_no_other_pools(seed, other):
    pool = {each.seed for each in train.pool.recipes(Recipe(seed=seed))}
    assert len(pool) == len(train.POOL)
    assert min(pool) >= COMPANIONS
    others = {each.seed for each in train.pool.recipes(Recipe(seed=other))}
    assert bool(pool & others) == (seed == other)


def test_no_recipe_and_no_shipped_model_has_a_seed_of_a_pool():
    own = {each.seed for each in RECIPES.values()} | {recipe_for(*names).seed for names in ALL} | {ATTACKERS}
    record = json.loads((zoo.shipped_folder() / zoo.MANIFEST).read_text())
    own |= {entry["training"]["seed"] for entry in record["models"]}
    assert max(own) < COMPANIONS
    for seed in own:
        assert not own & {each.seed for each in train.pool.recipes(Recipe(seed=seed))}


def test_what_an_attacker_trains_has_another_seed_than_what_a_defender_does():
    for dataset, network, defence in ALL:
        attackers = DEFENCES[defence].by_attacker or network in ("mlp", "linear")
        clean = DEFENCES[defence].training == "clean"
        if clean and attackers:
            assert recipe_for(dataset, network, defence).seed == ATTACKERS
        if not attackers:
            assert recipe_for(dataset, network, defence).seed == 0
