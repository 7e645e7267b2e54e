import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from kerckhoffs import data, zoo
from kerckhoffs.defences import DEFENCES, DefendedClassifier, KeyedClassifier
from kerckhoffs.keys import Key
from kerckhoffs.transforms import Permutation
from kerckhoffs.zoo import train
from kerckhoffs.zoo.networks import NETWORKS, Network
from kerckhoffs.zoo.train import Recipe, augment, error_rate, fit
from tests.states import STATES, states

SHAPE = (1, 28, 28)
KEY = Key.derive(bytes(32), 784, "tests of the training")
TRAINING, VALIDATION = 80, 40
QUICK = Recipe(epochs=3, batch_size=20, learning_rate=2e-3, average=0.5)  # 4 steps an epoch
IDENTITY = Recipe()
either = pytest.mark.parametrize(
    ("defence", "keys"), [("classical", ()), ("keyed", (KEY,))], ids=["classical", "keyed"]
)


def bright_blocks(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise with one bright block, whose place says the class: two rows of five places."""
    labels = torch.arange(count) % 10
    images = 0.2 * torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(seed))
    for image, label in zip(images, labels.tolist(), strict=True):
        top, left = 14 * (label // 5) + 4, 5 * (label % 5) + 2
        image[:, top : top + 6, left : left + 4] += 0.8
    return images, labels


SETS = {"train": bright_blocks(TRAINING, 0), "validation": bright_blocks(VALIDATION, 1)}


@pytest.fixture(autouse=True)
def small_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training and validation samples of every set are the bright blocks."""
    monkeypatch.setattr(data, "load", lambda dataset, split: tuple(part.clone() for part in SETS[split]))


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.flatten() for parameter in model.parameters()])


def interrupt_at(step: int):
    def on_step(progress: train.Progress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return on_step


# Fitting


@pytest.mark.parametrize("fast", [False, True], ids=["float32", "bfloat16"])
@either
def test_a_network_learns_what_can_be_learned(monkeypatch, defence, keys, fast):
    monkeypatch.setattr(train, "bfloat16_is_fast", lambda: fast)
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
    monkeypatch.setattr(
        train, "_judge", lambda model, network, _: judged.append(weights(network).clone()) or (0.5, 1.0)
    )
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
    monkeypatch.setattr(train, "augment", lambda images, recipe: calls.append("augment") or images)
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
        ([(0.5, 1.0), (0.2, 1.0), (0.3, 0.5)], 1),  # the smallest error, whatever the loss
        ([(0.2, 0.9), (0.2, 0.7), (0.2, 0.8)], 1),  # the smaller loss among equal errors
        ([(0.2, 0.9), (0.2, 0.9), (0.2, 0.9)], 0),  # the first among equals
        ([(0.5, 1.0), (0.4, 1.0), (0.3, 1.0)], 2),
    ],
)
def test_the_best_epoch_is_returned_not_the_last(monkeypatch, scores, best):
    judged = []

    def judge(model, network, validation):
        judged.append(weights(network).clone())
        return scores[len(judged) - 1]

    monkeypatch.setattr(train, "_judge", judge)
    fitted = fit("mnist", "table1", recipe=QUICK)
    assert (fitted.epoch, fitted.validation_error) == (best, scores[best][0])
    assert torch.equal(weights(fitted.model), judged[best])


# Refusals


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
        ("batch_size", math.nan),
    ],
)
def test_a_recipe_that_no_number_can_follow_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}.*{value}"):
        Recipe(**{name: value})


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


def test_every_recipe_belongs_to_a_model():
    known = {zoo.model_id(d, n, f) for d in data.DATASETS for n in NETWORKS for f in DEFENCES}
    assert set(train.RECIPES) <= known


# Augmentation


@pytest.fixture
def largest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every random number is 1: rotation, scale and both shifts are the largest of the recipe."""
    monkeypatch.setattr(torch, "rand", lambda count, **kind: torch.ones(count, **kind))


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def test_a_recipe_without_augmentation_returns_the_same_images():
    images, _ = SETS["train"]
    assert torch.equal(augment(images, IDENTITY), images)


def test_flip_mirrors_about_half_of_the_images_left_to_right():
    images, _ = bright_blocks(200, 2)
    flipped = augment(images, replace(IDENTITY, flip=True))
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    same = (flipped == images).flatten(1).all(1)
    assert torch.equal(mirrored, ~same)
    assert 60 < int(mirrored.sum()) < 140


def test_the_largest_shift_moves_by_that_many_pixels(largest):
    images, _ = SETS["train"]
    shifted = augment(images, replace(IDENTITY, shift=3))
    torch.testing.assert_close(shifted[:, :, :-3, :-3], images[:, :, 3:, 3:], atol=1e-5, rtol=0)
    torch.testing.assert_close(shifted[:, :, -3:], torch.zeros(TRAINING, 1, 3, 28), atol=1e-5, rtol=0)


def test_the_largest_rotation_turns_by_that_many_degrees(largest):
    images, _ = SETS["train"]
    turned = augment(images, replace(IDENTITY, rotate=90))
    torch.testing.assert_close(turned, torch.rot90(images, 1, (2, 3)), atol=1e-4, rtol=0)


def test_the_largest_change_of_size_is_that_share(largest):
    shrunk = augment(torch.ones(1, *SHAPE), replace(IDENTITY, scale=0.75))
    assert float(shrunk[0, 0, :, 14].sum()) == pytest.approx(28 / 1.75, abs=0.1)
    assert float(shrunk[0, 0, 14].sum()) == pytest.approx(28 / 1.75, abs=0.1)


@pytest.mark.parametrize("options", [{"shift": 4.0}, {"rotate": 30.0}, {"scale": 0.3}], ids=str)
def test_augmented_images_keep_shape_and_range_and_each_is_drawn_on_its_own(options):
    images = torch.cat([torch.ones(8, *SHAPE), SETS["train"][0][:1].expand(8, *SHAPE)])
    recipe = replace(IDENTITY, flip=True, **options)
    result = augment(images, recipe)
    assert result.shape == images.shape
    assert result.dtype == torch.float32
    assert float(result.min()) >= 0
    assert float(result.max()) <= 1 + 1e-6
    assert len({tuple(image.flatten().tolist()) for image in result[8:]}) == 8


def test_augmentation_draws_from_torchs_generator():
    images, recipe = SETS["train"][0], Recipe(rotate=10, shift=2, scale=0.1, flip=True)
    torch.manual_seed(5)
    first, second = augment(images, recipe), augment(images, recipe)
    torch.manual_seed(5)
    assert torch.equal(augment(images, recipe), first)
    assert not torch.equal(first, second)


# Error


def test_the_error_rate_is_the_share_of_wrong_predictions_over_all_batches():
    images = torch.zeros(1001, 1, 1, 10)
    labels = torch.arange(1001) % 10
    images[torch.arange(1001), 0, 0, labels] = 1
    labels[[0, 499, 500, 999, 1000]] = (labels[[0, 499, 500, 999, 1000]] + 1) % 10
    assert error_rate(nn.Flatten(), images, labels) == 5 / 1001
    assert error_rate(nn.Flatten(), images[1:499], labels[1:499]) == 0
    assert error_rate(nn.Flatten(), images[:1], labels[:1]) == 1
