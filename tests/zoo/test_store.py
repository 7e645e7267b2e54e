import hashlib
import itertools
import json
import re
import struct
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save as weights_to_bytes
from torch import nn

from kerckhoffs import data, zoo
from kerckhoffs.checks import FileRefused
from kerckhoffs.defences import DEFENCES, KeyedClassifier
from kerckhoffs.keys import Key
from kerckhoffs.transforms import Permutation
from kerckhoffs.zoo import networks
from kerckhoffs.zoo.train import error_rate
from tests import ROOT

KEY = Key.derive(bytes(32), 784, "tests of the zoo")
OTHER_KEY = Key.derive(bytes(32), 784, "another key")
CLASSICAL, KEYED = "mnist-table2-classical", "mnist-table2-keyed"
SHAPE = (1, 28, 28)


def card(model_id: str, **changes: object) -> zoo.ModelCard:
    fields = {
        "id": model_id,
        "dataset": "mnist",
        "network": "table2",
        "defence": model_id.rsplit("-", 1)[1],
        "options": {},
        "keys": (),
        "key_files": (),
        "file": f"{model_id}.safetensors",
        "sha256": "",
        "validation_error": 0.9,
        "test_error": 0.875,
        "test_samples": 1000,
        "command": "python -m kerckhoffs train",
        "training": {"epochs": 0},
        "versions": zoo.versions(),
    }
    if model_id.endswith("keyed"):
        fields |= {"keys": (KEY.fingerprint,), "key_files": ("demo.key.json",)}
    return zoo.ModelCard(**(fields | changes))


def network(name: str = "table2", dataset: str = "mnist", seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return networks.build(name, dataset)


def images(count: int = 4) -> torch.Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two untrained models: a classical one, and a keyed one with its public key beside it."""
    models = tmp_path / "models"
    zoo.save(card(CLASSICAL), network(), models)
    zoo.save(card(KEYED), network(seed=1), models)
    KEY.save(models / "demo.key.json", public=True)
    return models


def loaded(module: nn.Module) -> nn.Module:
    """As zoo.load gives it, so that logits are the same to the last bit."""
    return module.eval().to(memory_format=torch.channels_last)


def edit(folder: Path, model_id: str, **changes: object) -> None:
    """Change fields of a model in the manifest; `...` removes one."""
    path = folder / zoo.MANIFEST
    record = json.loads(path.read_text())
    for entry in record["models"]:
        if entry["id"] == model_id:
            entry |= changes
            for name in [name for name, value in changes.items() if value is ...]:
                del entry[name]
    path.write_text(json.dumps(record))


def put_weights(folder: Path, payload: bytes) -> None:
    """Replace the classical model's weights and their sha256, as a careful attacker would."""
    (folder / f"{CLASSICAL}.safetensors").write_bytes(payload)
    edit(folder, CLASSICAL, sha256=hashlib.sha256(payload).hexdigest())


# Round trip


def test_a_saved_classical_model_comes_back_with_the_same_logits(folder):
    with torch.inference_mode():
        assert torch.equal(zoo.load(CLASSICAL, folder=folder)(images()), loaded(network())(images()))


def test_a_saved_keyed_model_comes_back_with_its_key_before_the_network(folder):
    permuted = Permutation(KEY, SHAPE)(images())
    with torch.inference_mode():
        assert torch.equal(zoo.load(KEYED, folder=folder)(images()), loaded(network(seed=1))(permuted))


@pytest.mark.parametrize("model_id", [CLASSICAL, KEYED])
def test_a_loaded_model_is_frozen_and_in_eval_mode(folder, model_id):
    model = zoo.load(model_id, folder=folder)
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(model(images()), model(images())), "dropout is on"


@pytest.mark.parametrize("model_id", [CLASSICAL, KEYED])
def test_a_loaded_model_refuses_images_of_another_shape(folder, model_id):
    with pytest.raises(ValueError, match=r"\(N, 1, 28, 28\), but was given \(2, 1, 8, 98\)"):
        zoo.load(model_id, folder=folder)(torch.zeros(2, 1, 8, 98))


def test_the_cards_come_back_as_they_were_saved_but_for_the_sha256_of_the_weights(folder):
    cards = zoo.models(folder)
    assert list(cards) == [CLASSICAL, KEYED]
    for model_id in cards:
        payload = (folder / f"{model_id}.safetensors").read_bytes()
        assert asdict(cards[model_id]) == asdict(card(model_id, sha256=hashlib.sha256(payload).hexdigest()))


def test_save_returns_the_card_of_the_manifest(tmp_path):
    saved = zoo.save(card(CLASSICAL), network(), tmp_path / "new" / "models")
    assert saved == zoo.models(tmp_path / "new" / "models")[CLASSICAL]


def test_saving_an_id_again_replaces_it_and_keeps_the_others(folder):
    before = zoo.models(folder)
    zoo.save(card(CLASSICAL, test_error=0.5), network(seed=2), folder)
    after = zoo.models(folder)
    assert list(after) == list(before)
    assert after[CLASSICAL].test_error == 0.5
    assert after[KEYED] == before[KEYED]
    zoo.load(KEYED, folder=folder)
    with torch.inference_mode():
        assert torch.equal(zoo.load(CLASSICAL, folder=folder)(images()), loaded(network(seed=2))(images()))


def test_save_leaves_nothing_but_weights_and_manifest(tmp_path):
    zoo.save(card(CLASSICAL), network(), tmp_path / "models")
    assert {path.name for path in (tmp_path / "models").iterdir()} == {f"{CLASSICAL}.safetensors", zoo.MANIFEST}


def test_a_network_in_channels_last_layout_is_saved_like_any_other(tmp_path):
    zoo.save(card(CLASSICAL), network().to(memory_format=torch.channels_last), tmp_path)
    with torch.inference_mode():
        assert torch.equal(zoo.load(CLASSICAL, folder=tmp_path)(images()), loaded(network())(images()))


def test_manifest_and_weights_hold_nothing_of_the_key(folder):
    model = zoo.load(KEYED, folder=folder)
    zoo.save(card(KEYED), model.network, folder)
    manifest = (folder / zoo.MANIFEST).read_text()
    weights = (folder / f"{KEYED}.safetensors").read_bytes()
    assert KEY.fingerprint in manifest
    assert not any(repr(value) in manifest for value in KEY.values.tolist())
    assert not any(struct.pack("<d", value) in weights for value in KEY.values)
    assert KEY.permutation().tobytes() not in weights
    assert b"order" not in weights


# Cards


def test_a_card_says_what_the_model_is():
    classical, keyed = card(CLASSICAL), card(KEYED)
    assert (classical.keyed, classical.defence, classical.title) == (False, "classical", "MNIST, Table 2, classical")
    assert (keyed.keyed, keyed.defence, keyed.title) == (True, "keyed", "MNIST, Table 2, keyed")
    assert (classical.entry, keyed.entry) == (DEFENCES["classical"], DEFENCES["keyed"])
    assert (classical.fingerprint, keyed.fingerprint) == ("no key", KEY.fingerprint)
    assert (classical.own, keyed.own) == (False, False)


def test_a_model_is_private_if_it_has_a_key_that_does_not_lie_beside_it():
    assert not card(CLASSICAL).private
    assert not card(KEYED).private
    assert card(KEYED, key_files=()).private


def test_several_keys_are_named_in_one_word():
    both = card(KEYED, keys=(KEY.fingerprint, OTHER_KEY.fingerprint))
    assert both.fingerprint == f"{KEY.fingerprint}+{OTHER_KEY.fingerprint}"


def test_what_an_id_names_can_be_read_from_it_and_no_two_models_share_one():
    every = list(itertools.product(data.DATASETS, zoo.NETWORKS, DEFENCES))
    assert [zoo.parse(zoo.model_id(*names)) for names in every] == every
    assert len({zoo.model_id(*names) for names in every}) == len(every)


words = st.lists(st.sampled_from(["mnist", "keyed", "4", "x"]), min_size=1, max_size=3).map("-".join)


@given(st.lists(words, min_size=1, max_size=3), st.lists(words, min_size=1, max_size=3))
def test_what_an_id_names_can_be_read_from_it_whatever_dashes_the_names_have(sets, defences):
    with pytest.MonkeyPatch.context() as patch:
        for name in sets:
            patch.setitem(data.DATASETS, name, data.DATASETS["mnist"])
        for name in defences:
            patch.setitem(DEFENCES, name, DEFENCES["classical"])
        for names in itertools.product(data.DATASETS, zoo.NETWORKS, defences):
            assert zoo.parse(zoo.model_id(*names)) == names


@pytest.mark.parametrize(
    "id_",
    [
        "",
        "mnist",
        "mnist-table2",
        "mnist-table2-",
        "mnist-keyed",
        "cifar-table2-keyed",
        "mnist-table3-keyed",
        "own/mnist-table2-keyed",
        "MNIST-table2-keyed",
    ],
)
def test_an_id_that_names_no_model_is_refused_with_the_choices(id_):
    said = (
        f"unknown model {id_!r}: it is <{'|'.join(data.DATASETS)}>-<{'|'.join(zoo.NETWORKS)}>-<defence>, for example "
    )
    with pytest.raises(ValueError, match=f"^{re.escape(said)}mnist-table1-keyed$"):
        zoo.parse(id_)


@pytest.mark.parametrize("defence", ["keyed-", "shuffle-3", "keyed-keyed", "table2-keyed"])
def test_an_id_of_an_unknown_defence_is_refused_with_the_choices(defence):
    with pytest.raises(ValueError, match=f"unknown defence '{defence}'; choose one of: classical, keyed, "):
        zoo.parse(f"mnist-table1-{defence}")


def test_an_id_names_set_network_and_defence():
    assert zoo.model_id("fashion-mnist", "table1", "keyed") == "fashion-mnist-table1-keyed"
    assert zoo.model_id("fashion-mnist", "table1", "classical") == "fashion-mnist-table1-classical"
    assert zoo.model_id("fashion-mnist", "table1", "surrogate") == "fashion-mnist-table1-surrogate"


def test_a_surrogate_is_keyed_and_an_attackers():
    surrogate = card(zoo.model_id("mnist", "table2", "surrogate"), keys=(OTHER_KEY.fingerprint,))
    assert (surrogate.keyed, surrogate.defence, surrogate.title) == (True, "surrogate", "MNIST, Table 2, surrogate")
    assert surrogate.entry.by_attacker
    assert not card(KEYED).entry.by_attacker


# Weights that are not what the manifest says


@pytest.mark.parametrize("position", [0, 9, -1_000_000, -1])
def test_weights_with_one_changed_byte_are_refused(folder, position):
    path = folder / f"{CLASSICAL}.safetensors"
    payload = bytearray(path.read_bytes())
    payload[position] ^= 1
    path.write_bytes(payload)
    with pytest.raises(FileRefused, match=r"^the weights [^\n]* were changed: their sha256 is [^\n]*$"):
        zoo.load(CLASSICAL, folder=folder)


@pytest.mark.parametrize("length", [0, 8, 1000])
def test_truncated_weights_are_refused(folder, length):
    path = folder / f"{CLASSICAL}.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(FileRefused, match="were changed"):
        zoo.load(CLASSICAL, folder=folder)


def test_missing_weights_are_refused(folder):
    (folder / f"{CLASSICAL}.safetensors").unlink()
    with pytest.raises(FileRefused, match=rf"cannot read the weights .*{CLASSICAL}\.safetensors: No such file"):
        zoo.load(CLASSICAL, folder=folder)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"no tensors",
        b"\x80\x04\x95 a pickle",
        bytes(8),
        (2**63).to_bytes(8, "little") + b"{}",
        weights_to_bytes({"another": torch.zeros(3)}),
        weights_to_bytes(network("table1").state_dict()),
        weights_to_bytes(network("table2", "fashion-mnist").state_dict()),
    ],
    ids=["empty", "text", "pickle", "no header", "huge header", "another tensor", "table1", "fashion-mnist"],
)
def test_weights_of_something_else_are_refused_though_their_sha256_is_right(folder, payload):
    put_weights(folder, payload)
    with pytest.raises(FileRefused, match="^the weights [^\n]* do not fit the network: [^\n]*$"):
        zoo.load(CLASSICAL, folder=folder)


def test_refused_weights_leave_the_other_models_usable(folder):
    put_weights(folder, b"")
    assert zoo.load(KEYED, folder=folder)(images()).shape == (4, 10)


# Manifests


@pytest.mark.parametrize("make", [False, True])
def test_a_missing_manifest_is_refused_with_the_cure(tmp_path, make):
    if make:
        (tmp_path / "models").mkdir()
    with pytest.raises(FileRefused, match=r"no models in .*models: manifest\.json is missing; train one or restore"):
        zoo.models(tmp_path / "models")


def test_a_folder_in_place_of_the_manifest_is_refused(tmp_path):
    (tmp_path / zoo.MANIFEST).mkdir()
    with pytest.raises(FileRefused, match=r"cannot read .*manifest\.json: Is a directory"):
        zoo.models(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not JSON",
        b"\xff\xfe\x00",
        b"[]",
        b"3",
        b"{}",
        b'{"models": 3}',
        b'{"models": null}',
        b'{"models": "mnist"}',
        b'{"models": [3]}',
        b'{"models": [{}]}',
        b'{"models": [{"id": "mnist-table2-classical"}]}',
        b"[" * 100_000,
    ],
)
def test_a_malformed_manifest_is_refused_in_one_line(tmp_path, content):
    (tmp_path / zoo.MANIFEST).write_bytes(content)
    with pytest.raises(FileRefused, match=r"^[^\n]*manifest\.json is malformed: [^\n]+$"):
        zoo.models(tmp_path)


@pytest.mark.parametrize("field", [name for name in asdict(card(CLASSICAL)) if name != "id"])
def test_a_manifest_without_a_field_is_refused_with_its_name(folder, field):
    edit(folder, CLASSICAL, **{field: ...})
    with pytest.raises(FileRefused, match=rf"manifest\.json is malformed: [^\n]*{field}[^\n]*$"):
        zoo.models(folder)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"colour": "red"}, "unknown field 'colour'"),
        ({"dataset": "cifar10"}, "unknown dataset 'cifar10'; choose one of: mnist, fashion-mnist"),
        ({"network": "resnet"}, "unknown network 'resnet'; choose one of: table1, table2"),
        ({"defence": "prayer"}, "unknown defence 'prayer'; choose one of: classical, keyed, surrogate"),
        ({"options": {"degrees": 90}}, "the defence classical of the model 'mnist-table2-classical' has no options"),
        ({"keys": "abc"}, "keys of the model 'mnist-table2-classical' is 'abc'"),
        ({"dataset": None}, "dataset of the model 'mnist-table2-classical' is None"),
        ({"file": 3}, "file of the model 'mnist-table2-classical' is 3"),
        ({"id": ["mnist"]}, r"is \['mnist'\]"),
    ],
)
def test_a_manifest_with_a_wrong_field_is_refused_with_its_value(folder, changes, reason):
    edit(folder, CLASSICAL, **changes)
    with pytest.raises(FileRefused, match=rf"manifest\.json is malformed: [^\n]*{reason}"):
        zoo.models(folder)


@pytest.mark.parametrize("field", ["file", "key_files"])
@pytest.mark.parametrize("path", ["../x", "sub/x", "/etc/passwd", "./x", "x/", "../models/x"])
def test_a_path_out_of_the_folder_is_refused(folder, field, path):
    edit(folder, KEYED, **{field: [path] if field == "key_files" else path})
    with pytest.raises(FileRefused, match=f"malformed: '{path}' is not the name of a file beside the manifest"):
        zoo.load(KEYED, folder=folder)


@pytest.mark.parametrize(
    "changes",
    [{"sha256": None}, {"sha256": 3}, {"file": None}, {"file": "a\0b"}, {"test_error": "low"}],
    ids=str,
)
def test_a_manifest_with_a_field_of_another_type_is_refused(folder, changes):
    edit(folder, CLASSICAL, **changes)
    with pytest.raises(FileRefused, match="malformed"):
        zoo.load(CLASSICAL, folder=folder)


@pytest.mark.parametrize("file", ["../outside.safetensors", "/tmp/outside.safetensors"])
def test_save_writes_nothing_outside_its_folder(tmp_path, file):
    with pytest.raises(ValueError, match="is not the name of a file beside the manifest"):
        zoo.save(card(CLASSICAL, file=file), network(), tmp_path / "models")
    assert list(tmp_path.iterdir()) == []


def test_save_refuses_a_card_of_an_unknown_set(tmp_path):
    with pytest.raises(ValueError, match="unknown dataset 'cifar10'"):
        zoo.save(card(CLASSICAL, dataset="cifar10"), network(), tmp_path / "models")
    assert list(tmp_path.iterdir()) == []


def test_save_does_not_overwrite_a_malformed_manifest(tmp_path):
    (tmp_path / zoo.MANIFEST).write_text("not JSON")
    with pytest.raises(FileRefused, match="malformed"):
        zoo.save(card(CLASSICAL), network(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [zoo.MANIFEST]
    assert (tmp_path / zoo.MANIFEST).read_text() == "not JSON"


def test_save_refuses_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "models").write_text("")
    with pytest.raises(FileRefused, match=r"cannot write the model to .*models: File exists"):
        zoo.save(card(CLASSICAL), network(), tmp_path / "models")


@pytest.mark.parametrize("file", [f"{KEYED}.safetensors", "demo.key.json", zoo.MANIFEST])
def test_save_does_not_overwrite_what_belongs_to_another_model(folder, file):
    with pytest.raises(ValueError, match=file):
        zoo.save(card(CLASSICAL, file=file), network(), folder)


def test_an_unknown_model_is_refused_with_its_id_and_the_choices(folder):
    with pytest.raises(ValueError, match=f"unknown model 'mnist'; choose one of: {CLASSICAL}, {KEYED}"):
        zoo.load("mnist", folder=folder)


def test_the_shipped_models_lie_beside_the_package_unless_kerckhoffs_models_is_set(folder, monkeypatch):
    monkeypatch.delenv("KERCKHOFFS_MODELS", raising=False)
    assert zoo.shipped_folder() == ROOT / "models"
    monkeypatch.setenv("KERCKHOFFS_MODELS", str(folder))
    assert list(zoo.models()) == [CLASSICAL, KEYED]
    assert zoo.load(KEYED)(images()).shape == (4, 10)


# Keys


def test_a_key_given_by_hand_is_used(folder):
    (folder / "demo.key.json").unlink()
    model = zoo.load(KEYED, folder=folder, key=KEY)
    assert torch.equal(model.view(images()), Permutation(KEY, SHAPE)(images()))


def test_the_users_own_key_is_found_by_its_fingerprint(folder, kerckhoffs_home):
    edit(folder, KEYED, key_files=[])
    path = KEY.save(zoo.user_key_path(KEY.fingerprint))
    OTHER_KEY.save(zoo.user_key_path(OTHER_KEY.fingerprint))
    assert path == kerckhoffs_home / "keys" / f"{KEY.fingerprint}.json"
    model = zoo.load(KEYED, folder=folder)
    assert torch.equal(model.view(images()), Permutation(KEY, SHAPE)(images()))


def test_a_users_key_that_others_can_read_is_refused(folder):
    edit(folder, KEYED, key_files=[])
    KEY.save(zoo.user_key_path(KEY.fingerprint)).chmod(0o644)
    with pytest.raises(FileRefused, match="has mode 0644, so others can read the secret"):
        zoo.load(KEYED, folder=folder)


def test_a_missing_users_key_is_refused_with_its_path(folder):
    edit(folder, KEYED, key_files=[])
    with pytest.raises(FileRefused, match=f"cannot read the key .*keys/{KEY.fingerprint}.json: No such file"):
        zoo.load(KEYED, folder=folder)


def test_a_missing_public_key_is_refused_with_its_path(folder):
    (folder / "demo.key.json").unlink()
    with pytest.raises(FileRefused, match=r"cannot read the key .*demo\.key\.json: No such file"):
        zoo.load(KEYED, folder=folder)


def test_another_key_is_refused_with_both_fingerprints(folder):
    sentence = f"the key {OTHER_KEY.fingerprint} is not the key of {KEYED}, which is {KEY.fingerprint}"
    with pytest.raises(ValueError, match=sentence):
        zoo.load(KEYED, folder=folder, key=OTHER_KEY)


def test_another_key_in_the_keys_file_is_refused(folder):
    (folder / "demo.key.json").unlink()
    OTHER_KEY.save(folder / "demo.key.json", public=True)
    with pytest.raises(ValueError, match=f"the key {OTHER_KEY.fingerprint} is not the key of {KEYED}"):
        zoo.load(KEYED, folder=folder)


def test_find_keys_returns_no_other_key_than_the_cards(folder):
    (folder / "demo.key.json").unlink()
    OTHER_KEY.save(folder / "demo.key.json", public=True)
    with pytest.raises(FileRefused, match=OTHER_KEY.fingerprint):
        zoo.find_keys(zoo.models(folder)[KEYED], folder)


def test_a_fingerprint_that_is_a_path_is_refused(folder):
    edit(folder, KEYED, key_files=[], keys=["../../x"])
    with pytest.raises(FileRefused, match=f"malformed: a key of the model '{KEYED}' is '../../x'"):
        zoo.load(KEYED, folder=folder)


def test_the_card_of_one_model_is_found_by_its_id(folder):
    assert zoo.card(KEYED, folder) == zoo.models(folder)[KEYED]
    with pytest.raises(ValueError, match=f"unknown model 'mnist'; choose one of: {CLASSICAL}, {KEYED}"):
        zoo.card("mnist", folder)


def test_a_key_for_a_classical_model_is_refused(folder):
    with pytest.raises(ValueError, match=f"{CLASSICAL} is a classical classifier and takes no key"):
        zoo.load(CLASSICAL, folder=folder, key=KEY)


# The shipped models

PAIRS = [(dataset, table) for dataset in data.DATASETS for table in ("table1", "table2")]
SHIPPED = [zoo.model_id(*pair, defence) for pair in PAIRS for defence in ("classical", "keyed")]
SURROGATES = [zoo.model_id(*pair, "surrogate") for pair in PAIRS]


@pytest.fixture
def shipped() -> dict[str, zoo.ModelCard]:
    if not (zoo.shipped_folder() / zoo.MANIFEST).exists():
        pytest.skip(f"there is no {zoo.MANIFEST} in {zoo.shipped_folder()} yet")
    return zoo.models()


def entry_of(shipped: dict[str, zoo.ModelCard], model_id: str) -> zoo.ModelCard:
    if model_id not in shipped:
        pytest.skip(f"{model_id} is not there, as another test says")
    return shipped[model_id]


def test_the_eight_models_of_the_paper_and_four_surrogates_are_shipped(shipped):
    assert set(SHIPPED + SURROGATES) <= set(shipped)


def test_no_two_shipped_models_share_a_key(shipped):
    keyed = [entry for entry in shipped.values() if entry.entry.keyed]
    assert len(keyed) > 8
    found = [key for entry in keyed for key in entry.keys]
    assert len(set(found)) == len(found) >= len(keyed), "an attacker makes up a key of their own"


@pytest.mark.parametrize("model_id", SHIPPED + SURROGATES)
def test_a_shipped_model_has_the_test_error_of_its_card(shipped, model_id):
    entry = entry_of(shipped, model_id)
    assert f"{entry.dataset}-{entry.network}-{entry.defence}" == model_id
    samples = data.load(entry.dataset)
    assert entry.test_samples == len(samples[1])
    assert error_rate(zoo.load(model_id), *samples) == pytest.approx(entry.test_error, abs=0.002)


@pytest.mark.parametrize("model_id", [model_id for model_id in SHIPPED if model_id.endswith("-keyed")])
def test_a_shipped_keyed_model_is_useless_with_a_wrong_key(shipped, model_id):
    dataset = data.DATASETS[entry_of(shipped, model_id).dataset]
    wrong = Permutation(Key.derive(b"0" * 32, 784, "wrong"), dataset.shape)
    model = KeyedClassifier(wrong, zoo.load(model_id).network, dataset.shape).eval()
    assert error_rate(model, *data.load(dataset.id)) >= 0.6
