"""Every entry of the registry keeps what defences/base.py promises, whatever the shape of the images."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import nn

from kerckhoffs import zoo
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import DEFENCES, RETRAININGS, DefendedClassifier, noise
from kerckhoffs.defences.retraining import retrained
from kerckhoffs.keys import Key
from kerckhoffs.transforms import TRANSFORMS
from kerckhoffs.zoo import cards

CLASSES = 10
CANDIDATES = [(1, 8, 12), (1, 14, 7), (3, 8, 12), (3, 7, 14)]
STRUCTURES = {id_: entry for id_, entry in DEFENCES.items() if entry.training == "clean"}
RETRAINED = {id_: entry for id_, entry in DEFENCES.items() if entry.training != "clean"}


def fits(defence, shape):
    try:
        DEFENCES[defence].key_lengths(shape)
    except ValueError:
        return False
    return True


def shapes(defence):
    """One of a single channel and one of three."""
    fitting = [shape for shape in CANDIDATES if fits(defence, shape)]
    return [next(shape for shape in fitting if shape[0] == channels) for channels in (1, 3)]


CASES = [(defence, shape) for defence in STRUCTURES for shape in shapes(defence)]
KEYED = [(defence, shape) for defence, shape in CASES if DEFENCES[defence].keyed]
every_case = pytest.mark.parametrize(("defence", "shape"), CASES, ids=str)
every_keyed_case = pytest.mark.parametrize(("defence", "shape"), KEYED, ids=str)
every_steady_case = pytest.mark.parametrize(
    ("defence", "shape"), [case for case in CASES if not DEFENCES[case[0]].randomized], ids=str
)
every_retrained = pytest.mark.parametrize("defence", RETRAINED)


def keys(defence, shape, context="first"):
    """As many and as long as the defence needs."""
    lengths = DEFENCES[defence].key_lengths(shape)
    return tuple(Key.derive(bytes(32), length, f"{context} {number}") for number, length in enumerate(lengths))


def build(defence, shape, context="first"):
    """The classifier around small networks, whose weights are always the same."""

    def network():
        return nn.Sequential(nn.Conv2d(shape[0], 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.LazyLinear(CLASSES))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = DEFENCES[defence].build(network, shape, keys(defence, shape, context))
        model.eval()(torch.zeros(1, *shape))
    return model.requires_grad_(False)


built = cache(build)  # for tests that change nothing of it


def images(shape, count=4):
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(1))


# The registry


def test_it_holds_every_structure_and_every_way_to_train_what_stands_around_one_network():
    assert {"classical", "keyed", "surrogate", "kda", "voting", "noise", "binary", "bits-2", "bits-4", "median"} <= set(
        STRUCTURES
    )
    assert set(TRANSFORMS) - {"permutation"} <= set(STRUCTURES)
    assert {"distilled", "adversarial", "ensemble-adversarial", "keyed-adversarial", "shuffle-4-distilled"} <= set(
        RETRAINED
    )
    around_one = set(STRUCTURES) - {"surrogate", "kda", "voting", "noise"}
    assert len(RETRAINED) == len(around_one) * len(RETRAININGS)


def test_every_defence_is_registered_under_its_id_and_explained():
    for id_, entry in DEFENCES.items():
        assert entry.id == id_
        assert entry.what.endswith(".")
        assert entry.cost.endswith(".")
        assert entry.known.endswith(".")
        assert all((entry.name, entry.trained, entry.source, entry.sees))
    assert len({entry.name for entry in DEFENCES.values()}) == len(DEFENCES)


def test_only_what_an_attacker_makes_says_so():
    assert [id_ for id_, entry in DEFENCES.items() if entry.by_attacker] == ["surrogate"]
    assert [id_ for id_, entry in DEFENCES.items() if entry.randomized] == ["noise"]
    assert {id_: entry.networks for id_, entry in DEFENCES.items() if entry.networks > 1} == {"kda": 9, "voting": 5}


# What stands around a network


@every_case
def test_a_defence_makes_a_classifier_from_images_to_logits(defence, shape):
    model = built(defence, shape)
    assert isinstance(model, DefendedClassifier)
    logits = model(images(shape))
    assert logits.shape == (4, CLASSES)
    assert logits.dtype == torch.float32
    assert bool(torch.isfinite(logits).all())
    with pytest.raises(ValueError, match="takes images of shape"):
        model(torch.zeros(2, *shape[:2], shape[2] + 1))


@every_case
def test_two_calls_are_the_same_unless_the_defence_says_that_it_is_randomised(defence, shape):
    model = built(defence, shape)
    assert torch.equal(model(images(shape)), model(images(shape))) != DEFENCES[defence].randomized


@every_steady_case
def test_an_image_is_read_alone_as_it_is_among_others(defence, shape):
    model = built(defence, shape)
    together = model(images(shape))
    alone = torch.cat([model(image[None]) for image in images(shape)])
    torch.testing.assert_close(alone, together)


@every_case
def test_the_logits_are_those_of_the_networks_combined(defence, shape):
    model = built(defence, shape)
    logits = model.members(images(shape))
    assert len(logits) == (noise.DRAWS if defence == "noise" else DEFENCES[defence].networks)
    assert all(each.shape == (4, CLASSES) for each in logits)
    assert model.combine(logits).shape == (4, CLASSES)
    if not DEFENCES[defence].randomized:
        assert torch.equal(model.combine(logits), model(images(shape)))


@every_case
def test_what_the_networks_see_can_be_shown(defence, shape):
    model = built(defence, shape)
    seen = model.view(images(shape))
    assert seen.shape[:2] == (4, shape[0])
    if DEFENCES[defence].networks == 1:
        assert seen.shape == (4, *shape)
        if not DEFENCES[defence].randomized:
            torch.testing.assert_close(model.network(seen), model(images(shape)))


@every_case
def test_gradients_reach_every_image_and_no_image_changes(defence, shape):
    inputs = images(shape).requires_grad_()
    (gradient,) = torch.autograd.grad(built(defence, shape)(inputs)[:, 0].sum(), inputs)
    assert bool((gradient != 0).flatten(1).any(1).all())
    assert bool(torch.isfinite(gradient).all())
    assert torch.equal(inputs, images(shape))


@every_case
def test_what_is_saved_is_the_network_and_nothing_of_a_key(defence, shape):
    model = built(defence, shape)
    assert list(model.state_dict()) == [f"network.{name}" for name in model.network.state_dict()]
    for key in keys(defence, shape):
        assert not any(f"{value:.4f}" in repr(model) for value in key.values), "printing it shows the key"


@every_steady_case
def test_the_saved_weights_and_the_keys_make_the_same_classifier_again(defence, shape):
    model, other = built(defence, shape), build(defence, shape)
    with torch.no_grad():
        for parameter in other.network.parameters():
            parameter.zero_()
    other.network.load_state_dict(model.network.state_dict())
    assert torch.equal(other(images(shape)), model(images(shape)))


@every_case
def test_several_threads_may_ask_at_a_time_and_the_class_says_so_itself(defence, shape):
    assert vars(type(built(defence, shape)))["thread_safe"] is True


# Keys


@every_keyed_case
def test_another_key_gives_another_result(defence, shape):
    model, other = built(defence, shape), built(defence, shape, "second")
    for name, value in model.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name])
    assert not torch.allclose(model(images(shape)), other(images(shape)), atol=1e-4)


@every_case
def test_a_defence_has_keys_and_entropy_if_its_family_says_so(defence, shape):
    entry = DEFENCES[defence]
    lengths = entry.key_lengths(shape)
    assert entry.keyed == (entry.family == "keyed") == bool(lengths) == (entry.entropy_bits(shape) > 0)
    assert all(length > 1 for length in lengths)
    assert entry.entropy_bits(shape) <= sum(Key.generate(length).entropy_bits for length in lengths)


@every_keyed_case
def test_a_key_of_another_length_or_number_builds_nothing(defence, shape):
    with pytest.raises(ValueError):  # noqa: PT011
        DEFENCES[defence].build(nn.Flatten, shape, ())
    short = tuple(Key.derive(bytes(32), len(key) - 1, "short") for key in keys(defence, shape))
    with pytest.raises(ValueError, match="need"):
        DEFENCES[defence].build(nn.Flatten, shape, short)


@pytest.mark.parametrize("defence", ["shuffle-4", "voting", "kda", "projection"])
def test_a_shape_that_it_does_not_fit_is_refused_with_the_shape(defence):
    shape = {"kda": (1, 2, 2), "projection": (3, 33, 33)}.get(defence, (1, 9, 9))
    with pytest.raises(ValueError, match=r"^images of shape \(\d+, \d+, \d+\) [^\n]+$"):
        DEFENCES[defence].build(nn.Flatten, shape, (Key.generate(64),))
    with pytest.raises(ValueError, match="images of shape"):
        DEFENCES[defence].entropy_bits(shape)


# Retraining


@every_retrained
def test_a_retrained_defence_is_its_structure_trained_in_another_way(defence):
    entry = DEFENCES[defence]
    structure = STRUCTURES[defence.removesuffix(entry.training).removesuffix("-") or "classical"]
    training = RETRAININGS[entry.training]
    assert entry.id == (training.id if structure.id == "classical" else f"{structure.id}-{training.id}")
    for field in ("build", "key_lengths", "entropy_bits", "family", "networks", "randomized", "by_attacker"):
        assert getattr(entry, field) == getattr(structure, field), field
    assert training.what in entry.what
    assert training.known in entry.known
    assert training.source in entry.source
    assert entry.trained.startswith(training.trained)
    if structure.id != "classical":
        assert structure.name in entry.name
        assert structure.known in entry.known
        assert structure.source in entry.source
    for shape in shapes(defence):
        assert entry.key_lengths(shape) == structure.key_lengths(shape)


@pytest.mark.parametrize("defence", ["adversarial", "keyed-distilled", "surrogate"])
def test_what_is_trained_in_its_own_way_is_not_trained_in_another(defence):
    with pytest.raises(ValueError, match=f"{defence} is trained in its own way already"):
        retrained(DEFENCES[defence], RETRAININGS["distilled"])


# Cards


SHIPPABLE = [*STRUCTURES, "adversarial", "keyed-distilled", "shuffle-4-ensemble-adversarial"]


def record(dataset, defence, keys, key_files=()):
    """The entry of a manifest."""
    id_ = zoo.model_id(dataset, "table1", defence)
    errors = {"validation_error": 0.1, "test_error": 0.1, "test_samples": 1000}
    return {
        "id": id_,
        "dataset": dataset,
        "network": "table1",
        "defence": defence,
        "options": {},
        "keys": keys,
        "key_files": key_files,
        "file": "weights.safetensors",
        "sha256": "0" * 64,
        "command": "",
        "training": {},
        "versions": {},
    } | errors


@pytest.mark.parametrize("defence", SHIPPABLE)
@pytest.mark.parametrize("dataset", DATASETS)
def test_a_card_has_as_many_keys_as_the_defence_needs(defence, dataset):
    needed = len(DEFENCES[defence].key_lengths(DATASETS[dataset].shape))
    fingerprints = [f"{number:032x}" for number in range(needed + 1)]
    card = cards.read(record(dataset, defence, fingerprints[:needed]))
    assert card.keys == tuple(fingerprints[:needed])
    assert card.keyed == DEFENCES[defence].keyed
    assert card.entry is DEFENCES[defence]
    for count in {needed + 1, max(needed - 1, 0)} - {needed}:
        with pytest.raises(ValueError, match=rf"the model '{card.id}' has {count} keys, 0 files, not {needed}"):
            cards.read(record(dataset, defence, fingerprints[:count]))
        with pytest.raises(ValueError, match=rf"has {count} keys, 0 files, not {needed}"):
            cards.write(replace(card, keys=tuple(fingerprints[:count])))
    files = [f"{number}.json" for number in range(needed + 1)]
    assert cards.read(record(dataset, defence, card.keys, files[:needed])).key_files == tuple(files[:needed])
    with pytest.raises(ValueError, match=rf"has {needed} keys, {needed + 1} files, not {needed}"):
        cards.read(record(dataset, defence, card.keys, files))


@pytest.mark.parametrize("defence", SHIPPABLE)
@pytest.mark.parametrize("dataset", DATASETS)
def test_a_card_that_was_written_is_read_as_it_was(defence, dataset):
    needed = len(DEFENCES[defence].key_lengths(DATASETS[dataset].shape))
    card = cards.read(record(dataset, defence, tuple(f"{number:032x}" for number in range(needed))))
    assert cards.read(cards.write(card)) == card
