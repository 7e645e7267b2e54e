import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kerckhoffs import zoo
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.evaluation import experiments
from kerckhoffs.evaluation.experiments import BLOCK, TARGETS, Block, Experiment

CLASSICAL, KEYED = "mnist-table1-classical", "mnist-table1-keyed"
CLASSES = 10


def experiment(**changes) -> Experiment:
    return Experiment(**{"attack": "fgsm", "crafted_on": CLASSICAL, "evaluated_on": (CLASSICAL, KEYED)} | changes)


def block(count: int, start: int = 0) -> Block:
    return Block(0, 0, start, start + count, count)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"attack": "nothing"}, "unknown attack 'nothing'"),
        ({"options": {"epsilon": 2.0}}, "epsilon must be between 0 and 1, but is 2.0"),
        ({"options": {"gamma": 1.0}}, "fgsm has no option 'gamma'"),
        ({"targets": "some"}, "unknown targets 'some'"),
        ({"attack": "deepfool", "targets": "random"}, "deepfool cannot be targeted"),
        ({"split": "elsewhere"}, "unknown split 'elsewhere'"),
        ({"evaluated_on": ()}, "evaluated_on must name models"),
        ({"evaluated_on": (KEYED, KEYED)}, "each once"),
        ({"start": -1}, "start must be a whole number from 0, but is -1"),
        ({"start": 5, "stop": 5}, "stop must be a whole number from 6, but is 5"),
        ({"seed": 1.5}, "seed must be a whole number from 0, but is 1.5"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        experiment(**changes)


def test_scalars_of_other_libraries_are_taken_and_kept_as_pythons_own():
    options = {"epsilon": np.float32(0.25), "iterations": np.int64(3), "random_start": np.True_}
    attacks = [("pgd", options), ("pgd", {name: value.item() for name, value in options.items()})]
    [each] = experiments.grid(
        attacks, [CLASSICAL], [KEYED], seeds=np.arange(1), start=np.int64(2), stop=torch.tensor(9)
    )
    assert (each.seed, each.start, each.stop) == (0, 2, 9)
    assert each.named_options() == '{"epsilon": 0.25, "iterations": 3, "random_start": true}'
    assert experiments.from_json(json.loads(json.dumps(experiments.to_json([each])))) == (each,)


def test_a_grid_is_the_product_of_its_lists():
    attacks = [("fgsm", {"epsilon": 0.1}), ("cw_l2", {})]
    grid = experiments.grid(attacks, [CLASSICAL, KEYED], [KEYED], targets=["random", "all"], seeds=[0, 1, 2], stop=9)
    assert len(grid) == len(set(map(str, grid))) == 2 * 2 * 2 * 3
    assert all(each.evaluated_on == (KEYED,) and each.samples == 9 for each in grid)


def test_the_same_experiment_is_in_a_grid_once_and_the_order_stays():
    attacks = [("pgd", {}), ("fgsm", {"epsilon": 0.1}), ("pgd", {}), ("fgsm", {"epsilon": 0.10}), ("fgsm", {})]
    grid = experiments.grid(attacks, [CLASSICAL, CLASSICAL], [KEYED], targets=["random", "random"], seeds=[2, 1, 2])
    assert [(each.attack, dict(each.options), each.seed) for each in grid] == [
        (attack, options, seed)
        for attack, options in (("pgd", {}), ("fgsm", {"epsilon": 0.1}), ("fgsm", {}))
        for seed in (2, 1)
    ]


def test_an_empty_grid_is_refused():
    with pytest.raises(ValueError, match="nothing to evaluate"):
        experiments.grid([], [CLASSICAL], [KEYED])


def test_models_that_are_missing_or_of_another_set_are_refused():
    cards = zoo.models()
    with pytest.raises(ValueError, match="unknown model 'mnist-other'"):
        experiments.check_models([experiment(crafted_on="mnist-other")], cards)
    with pytest.raises(ValueError, match="different datasets"):
        experiments.check_models([experiment(evaluated_on=("fashion-mnist-table1-keyed",))], cards)


@given(st.sampled_from(sorted(TARGETS)), st.integers(0, 300), st.integers(1, 700))
def test_blocks_cover_every_sample_once_and_stay_small(targets, start, count):
    each = experiment(targets=targets, start=start, stop=start + count)
    work = experiments.blocks([each, each], zoo.models())
    assert [b.number for b in work] == list(range(len(work)))
    for number in (0, 1):
        mine = [b for b in work if b.experiment == number]
        assert [i for b in mine for i in range(b.start, b.stop)] == list(range(start, start + count))
    assert all(b.examples == (b.stop - b.start) * (9 if targets == "all" else 1) <= BLOCK for b in work)


def test_a_universal_perturbation_is_fitted_in_one_block():
    (only,) = experiments.blocks([experiment(attack="universal", stop=700)], zoo.models())
    assert (only.start, only.stop) == (0, 700)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.integers(0, 5), st.integers(0, 900))
def test_every_rule_aims_at_wrong_classes(labels, seed, start):
    labels = torch.tensor(labels)
    logits = torch.rand(len(labels), CLASSES, generator=torch.Generator().manual_seed(seed))
    for rule in set(TARGETS) - {"untargeted"}:
        rows, classes = experiments.aims(experiment(targets=rule, seed=seed), block(len(labels), start), labels, logits)
        assert bool((classes != labels[rows]).all())
        assert bool(((classes >= 0) & (classes < CLASSES)).all())


def test_untargeted_gets_away_from_the_label():
    labels = torch.tensor([3, 1])
    rows, classes = experiments.aims(experiment(), block(2), labels, torch.zeros(2, CLASSES))
    assert rows.tolist() == [0, 1]
    assert classes.tolist() == [3, 1]


def test_all_aims_at_each_wrong_class_once():
    rows, classes = experiments.aims(experiment(targets="all"), block(2), torch.tensor([3, 0]), torch.zeros(2, CLASSES))
    assert rows.tolist() == [0] * 9 + [1] * 9
    assert sorted(classes[:9].tolist()) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert sorted(classes[9:].tolist()) == list(range(1, 10))


def test_least_likely_is_the_least_likely_of_the_wrong_classes():
    logits = torch.arange(10.0).repeat(2, 1)
    rows, classes = experiments.aims(experiment(targets="least-likely"), block(2), torch.tensor([0, 5]), logits)
    assert rows.tolist() == [0, 1]
    assert classes.tolist() == [1, 0]


@given(st.integers(0, 800), st.integers(1, 50))
def test_a_random_target_belongs_to_its_sample_whatever_block_it_is_in(start, cut):
    labels, logits = torch.arange(100) % 10, torch.zeros(100, CLASSES)
    each = experiment(targets="random", seed=7)
    _, whole = experiments.aims(each, block(100, start), labels, logits)
    _, part = experiments.aims(each, block(100 - cut, start + cut), labels[cut:], logits[cut:])
    assert whole[cut:].tolist() == part.tolist()


def test_random_targets_are_spread_over_all_wrong_classes_and_change_with_the_seed():
    labels, logits = torch.zeros(1000, dtype=torch.int64), torch.zeros(1000, CLASSES)
    drawn = [experiments.aims(experiment(targets="random", seed=s), block(1000), labels, logits)[1] for s in (0, 1)]
    counts = drawn[0].bincount(minlength=CLASSES)
    assert counts[0] == 0
    assert int(counts[1:].min()) > 70  # of 111 expected
    assert bool((drawn[0] != drawn[1]).any())


def test_blocks_draw_from_generators_of_their_own():
    def first(seed, start):
        return float(torch.rand(1, generator=experiments.generator(experiment(seed=seed), block(1, start))))

    assert first(0, 0) == first(0, 0)
    assert len({first(0, 0), first(0, 64), first(1, 0)}) == 3


def test_experiments_survive_json():
    grid = experiments.grid(
        [(name, {}) for name in ATTACKS], [CLASSICAL], [CLASSICAL, KEYED], seeds=[0, 5], split="validation", stop=7
    )
    assert experiments.from_json(json.loads(json.dumps(experiments.to_json(grid)))) == grid


def test_json_of_something_else_is_refused():
    (entry,) = experiments.to_json([experiment()])
    for wrong in ({}, entry | {"more": 1}, entry | {"attack": "nothing"}):
        with pytest.raises(ValueError, match="an experiment has the fields|unknown attack"):
            experiments.from_json([wrong])
