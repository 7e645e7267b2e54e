"""Entries of manifests that were written before defences had a registry are read as cards of today."""

import json

import pytest

from kerckhoffs import zoo
from kerckhoffs.checks import FileRefused
from kerckhoffs.zoo import cards

KEY = "0123456789abcdef" * 2
OLD = {
    "id": "mnist-table1-classical",
    "dataset": "mnist",
    "classifier": "table1",
    "transform": None,
    "key_fingerprint": None,
    "key_file": None,
    "file": "weights.safetensors",
    "sha256": "0" * 64,
    "validation_error": 0.01,
    "test_error": 0.02,
    "test_samples": 1000,
    "command": "python -m kerckhoffs train mnist-table1-classical",
    "training": {"epochs": 3},
    "versions": {"torch": "2"},
}
OLD_KEYED = OLD | {"id": "mnist-table1-keyed", "transform": "permutation", "key_fingerprint": KEY, "key_file": "k.json"}
OLD_SURROGATE = OLD_KEYED | {"id": "mnist-table1-surrogate"}
NEW = {
    name: value for name, value in OLD.items() if name not in {"classifier", "transform", "key_fingerprint", "key_file"}
}
NEW |= {"network": "table1", "defence": "classical", "options": {}, "keys": [], "key_files": []}


@pytest.mark.parametrize(
    ("old", "changes"),
    [
        (OLD, {}),
        (OLD_KEYED, {"id": "mnist-table1-keyed", "defence": "keyed", "keys": [KEY], "key_files": ["k.json"]}),
        (OLD_KEYED | {"key_file": None}, {"id": "mnist-table1-keyed", "defence": "keyed", "keys": [KEY]}),
        (
            OLD_SURROGATE,
            {"id": "mnist-table1-surrogate", "defence": "surrogate", "keys": [KEY], "key_files": ["k.json"]},
        ),
    ],
    ids=["classical", "keyed", "keyed and private", "surrogate"],
)
def test_an_old_entry_is_read_as_the_card_that_says_the_same(old, changes):
    before = json.dumps(old)
    card = cards.read(old)
    assert card == cards.read(NEW | changes)
    assert (card.network, card.defence, card.options) == ("table1", changes.get("defence", "classical"), {})
    assert card.keys == tuple(changes.get("keys", ()))
    assert card.key_files == tuple(changes.get("key_files", ()))
    assert (card.test_error, card.training, card.command) == (0.02, {"epochs": 3}, OLD["command"])
    assert json.dumps(old) == before, "what is read is not changed"


def test_an_old_entry_is_written_in_the_form_of_today():
    written = cards.write(cards.read(OLD_KEYED))
    assert not {"classifier", "transform", "key_fingerprint", "key_file"} & set(written)
    assert cards.read(json.loads(json.dumps(written))) == cards.read(OLD_KEYED)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"transform": "rotation"}, "unknown transform 'rotation'; choose one of: permutation"),
        ({"transform": "shuffle-4"}, "unknown transform 'shuffle-4'; choose one of: permutation$"),
        ({"transform": ["permutation"]}, r"unknown transform \['permutation'\]"),
        ({"classifier": "resnet"}, "unknown network 'resnet'; choose one of: table1, table2"),
        ({"key_fingerprint": "../x"}, "a key of the model 'mnist-table1-keyed' is '../x'"),
        ({"key_fingerprint": None}, "a key of the model 'mnist-table1-keyed' is None"),
        ({"key_file": "../x"}, "'../x' is not the name of a file beside the manifest"),
        ({"transform": None}, "has 0 keys, 1 files, not 0"),
        ({"colour": "red"}, "unknown field 'colour'"),
    ],
    ids=str,
)
def test_an_old_entry_that_says_nonsense_is_refused_with_its_value(changes, reason):
    with pytest.raises(ValueError, match=reason):
        cards.read(OLD_KEYED | changes)


@pytest.mark.parametrize("field", ["classifier", "key_fingerprint", "key_file", "id"])
def test_an_old_entry_without_a_field_is_refused_with_its_name(field, tmp_path):
    entry = {name: value for name, value in OLD_KEYED.items() if name != field}
    (tmp_path / zoo.MANIFEST).write_text(json.dumps({"models": [entry]}))
    with pytest.raises(FileRefused, match=rf"manifest\.json is malformed: [^\n]*{field}"):
        zoo.models(tmp_path)


def test_an_unknown_transform_in_a_folder_is_refused_with_its_name_and_the_manifests(tmp_path):
    (tmp_path / zoo.MANIFEST).write_text(json.dumps({"models": [OLD, OLD_KEYED | {"transform": "rotation"}]}))
    with pytest.raises(FileRefused, match=r"^[^\n]*manifest\.json is malformed: unknown transform 'rotation'[^\n]*$"):
        zoo.models(tmp_path)


def test_old_and_new_entries_stand_side_by_side(tmp_path):
    new = NEW | {"id": "mnist-table1-surrogate", "defence": "surrogate", "keys": [KEY]}
    (tmp_path / zoo.MANIFEST).write_text(json.dumps({"models": [OLD, OLD_KEYED, new]}))
    assert [card.defence for card in zoo.models(tmp_path).values()] == ["classical", "keyed", "surrogate"]
