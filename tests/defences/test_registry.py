"""Every entry of the registry keeps what defences/base.py promises, whatever the shape of the images."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from kerckhoffs import zoo
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import DEFENCES, DefendedClassifier
from kerckhoffs.keys import Key
from kerckhoffs.zoo import cards

SHAPES = [(1, 28, 28), (3, 32, 32)]
CLASSES = 10

every_defence = pytest.mark.parametrize("defence", DEFENCES)
every_keyed = pytest.mark.parametrize("defence", [each.id for each in DEFENCES.values() if each.keyed])
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def keys(defence, shape, context="one"):
    """As many and as long as the defence needs."""
    lengths = DEFENCES[defence].key_lengths(shape)
    return tuple(Key.derive(bytes(32), length, f"{context} {number}") for number, length in enumerate(lengths))


def built(defence, shape, context="one"):
    """The classifier around a small network, whose weights are always the same."""
    channels = shape[0]

    def network():
        return nn.Sequential(nn.Conv2d(channels, 4, 5, stride=3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(CLASSES))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = DEFENCES[defence].build(network, shape, keys(defence, shape, context))
        model.eval()(torch.zeros(1, *shape))
    return model.requires_grad_(False)


def images(shape, count=4):
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(1))


def test_every_defence_is_registered_under_its_id_and_explained():
    for id_, entry in DEFENCES.items():
        assert entry.id == id_
        assert "-" not in id_, "it is the last part of a model's id"
        assert entry.summary.endswith(".")
        assert entry.known.endswith(".")
        assert all((entry.name, entry.trained, entry.source))


@every_defence
@every_shape
def test_a_defence_makes_a_classifier_from_images_to_logits(defence, shape):
    model = built(defence, shape)
    assert isinstance(model, DefendedClassifier)
    logits = model(images(shape))
    assert logits.shape == (4, CLASSES)
    assert bool(torch.isfinite(logits).all())
    assert torch.equal(logits, model(images(shape)))
    with pytest.raises(ValueError, match="takes images of shape"):
        model(torch.zeros(2, *shape[:2], shape[2] + 1))


@every_defence
@every_shape
def test_gradients_reach_every_image(defence, shape):
    inputs = images(shape).requires_grad_()
    (gradient,) = torch.autograd.grad(built(defence, shape)(inputs)[:, 0].sum(), inputs)
    assert bool((gradient != 0).flatten(1).any(1).all())


@every_defence
@every_shape
def test_what_is_saved_is_the_network_and_nothing_of_a_key(defence, shape):
    model = built(defence, shape)
    state = model.state_dict()
    assert list(state) == [f"network.{name}" for name in model.network.state_dict()]
    sizes = {value.numel() for value in state.values()}
    for key in keys(defence, shape):
        assert len(key) not in sizes
        assert not any(f"{value:.4f}" in repr(model) for value in key.values), "printing it shows the key"


@every_defence
@every_shape
def test_the_saved_weights_and_the_keys_make_the_same_classifier_again(defence, shape):
    model, other = built(defence, shape), built(defence, shape)
    with torch.no_grad():
        for parameter in other.network.parameters():
            parameter.zero_()
    other.network.load_state_dict(model.network.state_dict())
    assert torch.equal(other(images(shape)), model(images(shape)))


@every_keyed
@every_shape
def test_another_key_gives_another_result(defence, shape):
    model, other = built(defence, shape), built(defence, shape, "another")
    for name, value in model.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name])
    assert not torch.allclose(model(images(shape)), other(images(shape)), atol=1e-4)


@every_defence
@every_shape
def test_a_defence_has_keys_if_its_family_says_so(defence, shape):
    entry = DEFENCES[defence]
    lengths = entry.key_lengths(shape)
    assert entry.keyed == (entry.family == "keyed") == bool(lengths)
    assert all(length > 1 for length in lengths)


@every_keyed
@every_shape
def test_a_key_of_another_length_or_number_builds_nothing(defence, shape):
    with pytest.raises(ValueError):  # noqa: PT011
        DEFENCES[defence].build(nn.Flatten, shape, ())
    short = tuple(Key.derive(bytes(32), len(key) - 1, "short") for key in keys(defence, shape))
    with pytest.raises(ValueError, match="need"):
        DEFENCES[defence].build(nn.Flatten, shape, short)


# Cards


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


@every_defence
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


@every_defence
@pytest.mark.parametrize("dataset", DATASETS)
def test_a_card_that_was_written_is_read_as_it_was(defence, dataset):
    needed = len(DEFENCES[defence].key_lengths(DATASETS[dataset].shape))
    card = cards.read(record(dataset, defence, tuple(f"{number:032x}" for number in range(needed))))
    assert cards.read(cards.write(card)) == card
