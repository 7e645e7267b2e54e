import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from kerckhoffs import data
from kerckhoffs.defences import DEFENCES, DefendedClassifier, KeyedClassifier
from kerckhoffs.keys import Key
from kerckhoffs.transforms import Permutation
from kerckhoffs.zoo import train
from kerckhoffs.zoo.networks import NETWORKS, Network
from kerckhoffs.zoo.train import COMPANIONS, Recipe, crafting, error_rate, fit, judging, loop
from kerckhoffs.zoo.train.judging import Score
from tests import training
from tests.states import STATES, states
from tests.training import bright_blocks, weights

SHAPE = (1, 28, 28)
KEY = Key.derive(bytes(32), 784, "tests of the training")
TRAINING, VALIDATION = 80, 40
QUICK = Recipe(epochs=3, batch_size=20, learning_rate=2e-3, average=0.5)  # 4 steps an epoch
either = pytest.mark.parametrize(
    ("defence", "keys"), [("classical", ()), ("keyed", (KEY,))], ids=["classical", "keyed"]
)


SETS = {"train": bright_blocks(TRAINING, 0), "validation": bright_blocks(VALIDATION, 1)}


@pytest.fixture(autouse=True)
def small_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training and validation samples of every set are the bright blocks."""
    monkeypatch.setattr(data, "load", lambda dataset, split: tuple(part.clone() for part in SETS[split]))


def interrupt_at(step: int):
    def on_step(progress: train.Progress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return on_step


# Fitting


@pytest.mark.parametrize("fast", [False, True], ids=["float32", "bfloat16"])
@either
def test_a_network_learns_what_can_be_learned(monkeypatch, defence, keys, fast):
    monkeypatch.setattr(judging, "bfloat16_is_fast", lambda: fast)
    fitted = fit("mnist", "table1", defence, keys=keys, recipe=replace(QUICK, epochs=6))
    assert fitted.validation_error <= 0.1
    assert error_rate(fitted.model, *SETS["validation"]) == pytest.approx(fitted.validation_error)
    assert not fitted.stopped
    assert fitted.seconds > 0
    assert weights(fitted.model).dtype == torch.float32


@pytest.mark.parametrize("name", list(NETWORKS))
def test_every_registered_network_can_be_fitted(name):
    fitted = fit("mnist", name, recipe=replace(QUICK, epochs=1))
    assert fitted.model(SETS["validation"][0]).shape == (VALIDATION, 10)
    assert fitted.epoch == 0


@either
def test_the_model_comes_back_frozen_and_in_eval_mode(defence, keys):
    model = fit("mnist", "table2", defence, keys=keys, recipe=replace(QUICK, epochs=1)).model
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert all(parameter.is_contiguous() for parameter in model.parameters())
    with pytest.raises(ValueError, match=r"takes images of shape \(N, 1, 28, 28\)"):
        model(torch.zeros(1, 1, 8, 98))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    recipe = replace(QUICK, epochs=2, shift=1, rotate=5, flip=True)
    first, again, other = (fit("mnist", "table2", recipe=replace(recipe, seed=seed)) for seed in (3, 3, 4))
    assert torch.equal(weights(first.model), weights(again.model))
    assert first.validation_error == again.validation_error
    assert not torch.allclose(weights(first.model), weights(other.model))


@pytest.mark.parametrize("name", [name for name in STATES if name != "another default device"])
def test_what_is_switched_on_around_it_changes_no_weight(name):
    recipe = replace(QUICK, epochs=1, shift=1, rotate=5, flip=True)
    expected = fit("mnist", "table1", recipe=recipe)
    with STATES[name]():
        before = states()
        found = fit("mnist", "table1", recipe=recipe)
        assert error_rate(found.model, *SETS["validation"]) == pytest.approx(expected.validation_error)
        assert states() == before
    assert torch.equal(weights(found.model), weights(expected.model))
    assert weights(found.model).dtype == torch.float32


def test_the_global_generator_neither_changes_nor_matters():
    with torch.random.fork_rng(devices=[]):
        fitted = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            before = torch.get_rng_state()
            fitted.append(fit("mnist", "table2", recipe=replace(QUICK, epochs=1, flip=True)))
            assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(weights(fitted[0].model), weights(fitted[1].model))


def test_the_training_samples_are_not_changed(monkeypatch):
    before = {split: images.clone() for split, (images, _) in SETS.items()}
    monkeypatch.setattr(data, "load", lambda dataset, split: SETS[split])
    fit("mnist", "table1", recipe=replace(QUICK, epochs=1, shift=2, flip=True))
    for split, (images, _) in SETS.items():
        assert torch.equal(images, before[split])


def test_dropout_is_on_for_training_and_off_for_judging(monkeypatch):
    seen = []

    class Watch(nn.Module):
        def forward(self, images):
            seen.append((len(images), self.training))
            return images

    def build(dataset: data.Dataset) -> nn.Sequential:
        return nn.Sequential(Watch(), nn.Flatten(), nn.Linear(784, 10))

    monkeypatch.setitem(NETWORKS, "watched", Network("watched", "Watched", "1 dense", "Notes its mode.", build))
    fit("mnist", "watched", recipe=replace(QUICK, epochs=2))
    assert seen == ([(20, True)] * 4 + [(VALIDATION, False)]) * 2


def test_what_is_judged_is_the_running_average_of_the_weights(monkeypatch):
    judged = []
    monkeypatch.setattr(judging, "score", lambda model, *_: judged.append(weights(model)) or Score(0.0, 0.5, 1.0))
    for average in (0.0, 0.75):
        fit("mnist", "table1", recipe=replace(QUICK, batch_size=TRAINING, average=average))  # a step an epoch
    first, second, third = judged[:3]
    expected = [first, 0.75 * first + 0.25 * second]
    expected += [0.75 * expected[1] + 0.25 * third]
    for actual, wanted in zip(judged[3:], expected, strict=True):
        torch.testing.assert_close(actual, wanted, atol=1e-6, rtol=0)
    assert not torch.allclose(judged[5], third, atol=1e-5)


# Behind a key


def test_a_key_puts_the_transform_before_the_network():
    classical = fit("mnist", "table1", recipe=replace(QUICK, epochs=1)).model
    keyed = fit("mnist", "table1", "keyed", keys=(KEY,), recipe=replace(QUICK, epochs=1)).model
    assert type(classical) is DefendedClassifier
    assert type(keyed) is KeyedClassifier
    assert keyed.transform.fingerprint == KEY.fingerprint
    assert not torch.equal(weights(keyed), weights(classical))


def test_a_key_that_changes_no_order_gives_the_classical_weights():
    classical = fit("mnist", "table1", recipe=replace(QUICK, epochs=1))
    keyed = fit("mnist", "table1", "keyed", keys=(Key(range(784)),), recipe=replace(QUICK, epochs=1))
    assert torch.equal(weights(keyed.model), weights(classical.model))


def test_a_keyed_network_is_trained_and_judged_on_permuted_images(monkeypatch):
    keyed = fit("mnist", "table1", "keyed", keys=(KEY,), recipe=QUICK)
    permutation = Permutation(KEY, SHAPE)
    permuted = {split: (permutation(images), labels) for split, (images, labels) in SETS.items()}
    monkeypatch.setattr(data, "load", lambda dataset, split: permuted[split])
    classical = fit("mnist", "table1", recipe=QUICK)
    assert torch.equal(weights(keyed.model), weights(classical.model))
    assert keyed.validation_error == classical.validation_error


def test_images_are_augmented_before_they_are_permuted(monkeypatch):
    calls = []

    class Watched(Permutation):
        def forward(self, images):
            calls.append("permute")
            return super().forward(images)

    def build(network, shape, keys):
        return KeyedClassifier(Watched(*keys, shape), network(), shape)

    monkeypatch.setitem(DEFENCES, "keyed", replace(DEFENCES["keyed"], build=build))
    monkeypatch.setattr(loop, "augment", lambda images, recipe: calls.append("augment") or images)
    fit("mnist", "table1", "keyed", keys=(KEY,), recipe=replace(QUICK, epochs=1))
    assert calls == ["augment", "permute"] * 4 + ["permute"]  # 4 steps, then the validation samples


# Progress and stopping


def test_every_step_is_reported_in_order():
    seen = []
    fitted = fit("mnist", "table1", recipe=QUICK, on_step=seen.append)
    assert [progress.step for progress in seen] == list(range(1, 13))
    assert {progress.steps for progress in seen} == {12}
    assert [progress.epoch for progress in seen] == [0] * 4 + [1] * 4 + [2] * 4
    assert all(math.isfinite(progress.loss) and progress.loss > 0 for progress in seen)
    assert all(progress.validation_error is None and progress.best_error is None for progress in seen[:4])
    assert all(0 <= progress.best_error <= progress.validation_error <= 1 for progress in seen[4:])
    assert fitted.validation_error <= seen[-1].best_error


def test_samples_beyond_the_last_full_batch_make_no_step():
    seen = []
    fit("mnist", "table1", recipe=replace(QUICK, epochs=2, batch_size=30), on_step=seen.append)
    assert [progress.step for progress in seen] == [1, 2, 3, 4]


def test_a_batch_larger_than_the_training_set_is_refused_with_its_value():
    with pytest.raises(ValueError, match=f"batch_size .*{TRAINING + 1}"):
        fit("mnist", "table1", recipe=replace(QUICK, batch_size=TRAINING + 1))


def test_an_interruption_in_the_second_epoch_keeps_the_first():
    early, late = (fit("mnist", "table1", recipe=QUICK, on_step=interrupt_at(step)) for step in (5, 8))
    for fitted in (early, late):
        assert fitted.stopped
        assert fitted.epoch == 0
        assert error_rate(fitted.model, *SETS["validation"]) == pytest.approx(fitted.validation_error)
        assert not any(module.training for module in fitted.model.modules())
        assert not any(parameter.requires_grad for parameter in fitted.model.parameters())
    assert torch.equal(weights(early.model), weights(late.model)), "something of the second epoch was kept"


@pytest.mark.parametrize("step", [1, 4])
def test_an_interruption_in_the_first_epoch_is_passed_on(step):
    before = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        fit("mnist", "table1", recipe=QUICK, on_step=interrupt_at(step))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([(0, 0.5, 1.0), (0, 0.2, 1.0), (0, 0.3, 0.5)], 1),  # the smallest error, whatever the loss
        ([(0, 0.2, 0.9), (0, 0.2, 0.7), (0, 0.2, 0.8)], 1),  # the smaller loss among equal errors
        ([(0, 0.2, 0.9), (0, 0.2, 0.9), (0, 0.2, 0.9)], 0),  # the first among equals
        ([(0, 0.5, 1.0), (0, 0.4, 1.0), (0, 0.3, 1.0)], 2),
        ([(0.9, 0.1, 0.1), (0.5, 0.4, 0.9), (0.6, 0.2, 0.5)], 1),  # the smallest attacked error, whatever the clean
        ([(1.0, 1.0, 9.0), (1.0, 1.0, 9.5), (1.0, 1.0, 9.5)], 0),  # as bad as can be
    ],
)
def test_the_best_epoch_is_returned_not_the_last(monkeypatch, scores, best):
    judged = []

    def judge(model, validation, attacked):
        judged.append(weights(model))
        return Score(*scores[len(judged) - 1])

    monkeypatch.setattr(judging, "score", judge)
    fitted = fit("mnist", "table1", recipe=QUICK)
    assert (fitted.epoch, fitted.validation_error) == (best, scores[best][1])
    assert torch.equal(weights(fitted.model), judged[best])


# Refusals


def test_unknown_names_and_keys_of_a_wrong_length_are_refused_before_any_set_is_loaded(monkeypatch):
    monkeypatch.setattr(data, "load", lambda *_: pytest.fail("a set was loaded"))
    with pytest.raises(ValueError, match="unknown dataset 'cifar10'"):
        fit("cifar10", "table1")
    with pytest.raises(ValueError, match="unknown network 'table3'"):
        fit("mnist", "table3")
    with pytest.raises(ValueError, match="unknown defence 'rotation'"):
        fit("mnist", "table1", "rotation", keys=(KEY,))
    with pytest.raises(ValueError, match=r"keyed needs keys of the lengths 784, but was given \[10\]"):
        fit("mnist", "table1", "keyed", keys=(Key.generate(10),))
    with pytest.raises(ValueError, match=r"keyed needs keys of the lengths 784, but was given \[\]"):
        fit("mnist", "table1", "keyed")
    with pytest.raises(ValueError, match=r"keyed needs keys of the lengths 784, but was given \[784, 784\]"):
        fit("mnist", "table1", "keyed", keys=(KEY, KEY))
    with pytest.raises(ValueError, match=r"classical needs keys of the lengths none, but was given \[784\]"):
        fit("mnist", "table1", keys=(KEY,))


def test_a_recipe_that_is_not_one_for_the_training_is_refused_before_any_set_is_loaded(monkeypatch):
    monkeypatch.setattr(data, "load", lambda *_: pytest.fail("a set was loaded"))
    with pytest.raises(ValueError, match=r"epsilon must be left out of clean training, but is 0\.1"):
        fit("mnist", "table1", recipe=Recipe(epsilon=0.1))
    with pytest.raises(ValueError, match="epsilon must be above 0 for adversarial training"):
        fit("mnist", "table1", "adversarial")
    with pytest.raises(ValueError, match=f"seed must be below {COMPANIONS}, but is {COMPANIONS}"):
        fit("mnist", "table1", recipe=Recipe(seed=COMPANIONS))


# Other trainings


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    training.register(monkeypatch)


def trained(defence: str, **options: object) -> train.Fitted:
    recipe = training.TRAININGS[defence]
    return fit("quarters", "tiny", defence, keys=training.keys(defence), recipe=recipe, **options)


STAGES = {
    "keyed": ["network"],
    "kda": ["network"],
    "keyed-distilled": ["teacher", "network"],
    "keyed-adversarial": ["network"],
    "keyed-ensemble-adversarial": ["pool 1 of 3", "pool 2 of 3", "pool 3 of 3", "network"],
}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("defence", STAGES)
def test_every_stage_is_told_by_its_name_and_in_order(defence):
    seen = []
    fitted = trained(defence, on_step=seen.append)
    assert list(dict.fromkeys(progress.stage for progress in seen)) == STAGES[defence]
    last = [progress for progress in seen if progress.stage == "network"]
    attacks = "adversarial" in defence
    assert all((progress.attacked_error is not None) == attacks for progress in last[4:])
    assert all(progress.attacked_error is None for progress in seen if progress.stage != "network")
    assert (fitted.attacked_error is not None) == attacks
    assert {type(module) for module in fitted.model.network.modules()} >= {nn.Conv2d, nn.Linear}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("defence", ["keyed-distilled", "keyed-ensemble-adversarial"])
def test_the_time_of_what_was_trained_on_the_way_counts(defence, monkeypatch):
    monkeypatch.setattr(loop.time, "monotonic", iter(range(10_000)).__next__)
    fitted, alone = trained(defence), fit("quarters", "tiny", recipe=training.QUICK)
    assert fitted.seconds > alone.seconds


@pytest.mark.usefixtures("small")
def test_a_teacher_stands_behind_the_same_key_and_has_a_seed_of_its_own(monkeypatch):
    taught = []

    class Watched(loop.Distilled):
        def __init__(self, teacher, temperature):
            super().__init__(teacher, temperature)
            taught.append((teacher, temperature))

    monkeypatch.setattr(loop, "Distilled", Watched)
    student = trained("keyed-distilled").model
    [(teacher, temperature)] = taught
    assert temperature == training.TRAININGS["keyed-distilled"].temperature
    assert teacher.transform.fingerprint == student.transform.fingerprint
    assert not torch.allclose(weights(teacher), weights(student), atol=1e-3)
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert not teacher.training


@pytest.mark.usefixtures("small")
def test_a_student_learns_the_teachers_soft_answers_at_the_temperature(monkeypatch):
    """The loss of a first step on all images at once, by hand."""
    taught, seen = [], []

    class Watched(loop.Distilled):
        def batch(self, model, images, labels, progress):
            taught.append(self.teacher)
            return super().batch(model, images, labels, progress)

    monkeypatch.setattr(loop, "Distilled", Watched)
    recipe = Recipe(epochs=1, batch_size=training.SIZES["train"], temperature=5.0)
    fit("quarters", "plain", "distilled", recipe=recipe, on_step=seen.append)
    images, labels = training.SETS["train"]
    targets = (taught[0](images) / 5).softmax(1).detach()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        student = NETWORKS["plain"].build(data.DATASETS["quarters"])
    loss = -(targets * (student(images) / 5).log_softmax(1)).sum(1).mean()
    assert seen[-1].loss == pytest.approx(loss.item(), abs=1e-5)
    hard = nn.functional.cross_entropy(student(images) / 5, labels)
    assert seen[-1].loss != pytest.approx(hard.item(), abs=1e-4)


@pytest.mark.usefixtures("small")
def test_a_pool_stands_behind_keys_of_its_own_or_none(monkeypatch):
    pools = []

    class Watched(loop.EnsembleAdversarial):
        def __init__(self, pool, recipe, fast):
            super().__init__(pool, recipe, fast)
            pools.append(pool)

    monkeypatch.setattr(loop, "EnsembleAdversarial", Watched)
    members = (*training.POOL, training.Member("tiny", "keyed", 1))
    monkeypatch.setattr(train.pool, "POOL", members)
    model = trained("keyed-ensemble-adversarial").model
    other = fit("quarters", "tiny", "ensemble-adversarial", recipe=Recipe(epochs=1, batch_size=12, epsilon=0.1, seed=3))
    assert type(other.model) is DefendedClassifier
    behind = [[type(each) is KeyedClassifier for each in pool] for pool in pools]
    assert behind == [[False, False, True, True]] * 2
    prints = [each.transform.fingerprint for pool in pools for each in pool if type(each) is KeyedClassifier]
    assert len({*prints, model.transform.fingerprint}) == 5, "another seed has other keys, and none is the defender's"
    assert not any(parameter.requires_grad for pool in pools for each in pool for parameter in each.parameters())


@pytest.mark.usefixtures("small")
def test_an_interruption_of_what_is_trained_on_the_way_is_passed_on():
    for defence, stage in (("keyed-distilled", "teacher"), ("keyed-ensemble-adversarial", "pool 2 of 3")):

        def stop(progress, stage=stage):
            if (progress.stage, progress.step) == (stage, 6):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            trained(defence, on_step=stop)


@pytest.mark.usefixtures("small")
def test_each_network_of_an_ensemble_learns_what_it_would_learn_alone(monkeypatch):
    """Their losses are summed, and no weight is shared."""
    build = DEFENCES["kda"].build

    def one(network, shape, keys):
        whole = build(network, shape, keys)
        whole.network, whole.transforms = whole.network[4:5], whole.transforms[4:5]
        return whole

    recipe = replace(training.QUICK, epochs=1)
    whole = fit("quarters", "plain", "kda", keys=training.keys("kda"), recipe=recipe).model
    monkeypatch.setitem(DEFENCES, "kda", replace(DEFENCES["kda"], build=one))
    alone = fit("quarters", "plain", "kda", keys=training.keys("kda"), recipe=recipe).model
    torch.testing.assert_close(weights(alone.network[0]), weights(whole.network[4]), atol=1e-6, rtol=0)


# What adversarial training is for


def soft_and_loud(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two classes: 62 pixels say it softly, and always rightly; 2 say it loudly, and wrongly in one image of ten.

    A change of 0.2 turns the soft ones, and not the loud ones.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    sign = (2.0 * labels - 1)[:, None]
    wrong = torch.rand(count, 1, generator=generator) < 0.1
    soft = 0.5 + 0.1 * sign.expand(-1, 62) + 0.02 * torch.randn(count, 62, generator=generator)
    loud = 0.5 + 0.45 * torch.where(wrong, -sign, sign).expand(-1, 2)
    return torch.cat([loud, soft], 1).view(count, 1, 8, 8), labels


@pytest.mark.usefixtures("small")
def test_adversarial_training_withstands_what_fools_clean_training(monkeypatch):
    sets = {"train": soft_and_loud(200, 0), "validation": soft_and_loud(100, 1)}
    monkeypatch.setattr(data, "load", lambda dataset, split: sets[split])
    recipe = Recipe(epochs=8, batch_size=20, learning_rate=0.02, average=0.5)
    clean = fit("quarters", "plain", recipe=recipe)
    robust = fit("quarters", "plain", "adversarial", recipe=replace(recipe, epsilon=0.2, attack_steps=3))
    attacked = []
    for fitted in (clean, robust):
        assert fitted.validation_error <= 0.1
        examples = crafting.perturb(fitted.model, *sets["validation"], epsilon=0.2, steps=10)
        attacked.append(error_rate(fitted.model, examples, sets["validation"][1]))
    assert attacked[0] >= 0.9
    assert attacked[1] <= 0.15
    assert robust.attacked_error == pytest.approx(attacked[1], abs=0.05)
