"""The user's own models stand beside the shipped ones, and never in their way."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kerckhoffs import zoo
from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import Key
from kerckhoffs.zoo import networks

KEY = Key.derive(bytes(32), 784, "tests of own models")
CLASSICAL, KEYED = "mnist-table1-classical", "mnist-table1-keyed"
OWN_CLASSICAL, OWN_KEYED = zoo.OWN + CLASSICAL, zoo.OWN + KEYED


def card(model_id: str, **changes: object) -> zoo.ModelCard:
    return zoo.ModelCard(
        **{
            "id": model_id,
            "dataset": "mnist",
            "network": "table1",
            "defence": model_id.rsplit("-", 1)[1],
            "options": {},
            "keys": (KEY.fingerprint,) if model_id == KEYED else (),
            "key_files": (),
            "file": f"{model_id}.safetensors",
            "sha256": "",
            "validation_error": 0.5,
            "test_error": 0.5,
            "test_samples": 1000,
            "command": "",
            "training": {},
            "versions": {},
        }
        | changes
    )


def network(seed: int = 0) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return networks.build("table1", "mnist")


def images() -> torch.Tensor:
    return torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def own() -> Path:
    """The user's folder with a classical model and a keyed one, whose key only they have."""
    folder = zoo.own_folder()
    zoo.save(card(CLASSICAL), network(1), folder)
    zoo.save(card(KEYED), network(2), folder)
    KEY.save(zoo.user_key_path(KEY.fingerprint))
    return folder


def test_own_models_lie_in_the_users_folder_unless_kerckhoffs_own_models_is_set(kerckhoffs_home, tmp_path, monkeypatch):
    assert zoo.own_folder() == kerckhoffs_home / "models"
    monkeypatch.setenv("KERCKHOFFS_OWN_MODELS", str(tmp_path / "mine"))
    assert zoo.own_folder() == tmp_path / "mine"
    zoo.save(card(CLASSICAL), network(), tmp_path / "mine")
    assert OWN_CLASSICAL in zoo.models()
    assert not kerckhoffs_home.exists()


def test_a_user_need_not_have_own_models(kerckhoffs_home):
    assert zoo.own_models() == {}
    assert set(zoo.models()) == set(zoo.models(zoo.shipped_folder()))
    assert not kerckhoffs_home.exists(), "a look makes no folder"


def test_own_models_are_listed_after_the_shipped_ones_with_ids_of_their_own(own):
    shipped = list(zoo.models(zoo.shipped_folder()))
    assert list(zoo.models()) == [*shipped, OWN_CLASSICAL, OWN_KEYED]
    assert list(zoo.own_models()) == [OWN_CLASSICAL, OWN_KEYED]
    assert not any(name.startswith(zoo.OWN) for name in shipped)


def test_a_folder_that_is_named_stands_alone_and_its_ids_are_its_own(own):
    assert list(zoo.models(own)) == [CLASSICAL, KEYED]
    assert not any(each.own for each in zoo.models(own).values())
    with pytest.raises(ValueError, match=f"unknown model '{OWN_KEYED}'; choose one of: {CLASSICAL}, {KEYED}"):
        zoo.load(OWN_KEYED, folder=own)


def test_the_card_of_an_own_model_says_whose_it_is(own):
    classical, keyed = zoo.card(OWN_CLASSICAL), zoo.card(OWN_KEYED)
    assert (classical.id, classical.own, classical.private) == (OWN_CLASSICAL, True, False)
    assert (keyed.id, keyed.own, keyed.private, keyed.fingerprint) == (OWN_KEYED, True, True, KEY.fingerprint)
    assert classical.title == "MNIST, Table 1, classical, yours"
    assert keyed.title == "MNIST, Table 1, keyed, yours"
    assert replace(keyed, id=KEYED) == zoo.card(KEYED, own), "nothing else differs from what was saved"
    for shipped in (zoo.card(CLASSICAL), zoo.card(KEYED)):
        assert not shipped.own
        assert not shipped.private
        assert not shipped.title.endswith("yours")


def test_own_models_are_loaded_by_their_ids_and_shipped_ones_stay_what_they_are(own):
    with torch.inference_mode():
        for name, alone in ((OWN_CLASSICAL, CLASSICAL), (OWN_KEYED, KEYED)):
            mine = zoo.load(name)(images())
            assert torch.equal(mine, zoo.load(alone, folder=own)(images()))
            shipped = zoo.load(alone)(images())
            assert torch.equal(shipped, zoo.load(alone, folder=zoo.shipped_folder())(images()))
            assert not torch.allclose(mine, shipped)


def test_the_key_of_an_own_model_is_found_in_the_users_folder_alone(own):
    assert [key.fingerprint for key in zoo.find_keys(zoo.card(OWN_KEYED))] == [KEY.fingerprint]
    zoo.user_key_path(KEY.fingerprint).unlink()
    with pytest.raises(FileRefused, match=f"cannot read the key .*{KEY.fingerprint}.json"):
        zoo.load(OWN_KEYED)
    assert zoo.load(OWN_KEYED, key=KEY)(images()).shape == (4, 10)
    with pytest.raises(ValueError, match=f"{OWN_KEYED} needs 1 keys, but was given 2"):
        zoo.load(OWN_KEYED, key=(KEY, KEY))


def test_an_own_model_that_is_not_there_is_refused_with_the_choices(own):
    with pytest.raises(ValueError, match=rf"unknown model 'own/mnist-table2-keyed'; choose one of: .*{OWN_KEYED}"):
        zoo.load("own/mnist-table2-keyed")


@pytest.mark.parametrize("content", [b"not JSON", b"[]", b'{"models": [{"id": 3}]}', b'{"models": [{}]}'])
def test_a_damaged_own_manifest_stops_no_shipped_model_and_is_named_where_all_are_listed(own, content):
    (own / zoo.MANIFEST).write_bytes(content)
    assert zoo.card(CLASSICAL) == zoo.card(CLASSICAL, zoo.shipped_folder())
    assert zoo.load(KEYED)(images()).shape == (4, 10)
    for look in (zoo.models, zoo.own_models, lambda: zoo.card(OWN_KEYED), lambda: zoo.load(OWN_KEYED)):
        with pytest.raises(FileRefused, match=r"^[^\n]*home/models/manifest\.json is malformed: [^\n]+$"):
            look()


def test_own_weights_that_were_changed_are_refused_and_stop_nobody_else(own):
    (own / f"{CLASSICAL}.safetensors").write_bytes(b"something else")
    with pytest.raises(FileRefused, match=r"^the weights .*home/models/.* were changed"):
        zoo.load(OWN_CLASSICAL)
    for name in (CLASSICAL, OWN_KEYED):
        assert zoo.load(name)(images()).shape == (4, 10)


@pytest.mark.parametrize("which", ["KERCKHOFFS_MODELS", "KERCKHOFFS_OWN_MODELS"])
def test_one_folder_for_both_lists_nothing_twice(own, tmp_path, monkeypatch, which):
    monkeypatch.setenv(which, str(own if which == "KERCKHOFFS_MODELS" else zoo.shipped_folder()))
    assert zoo.own_models() == {}
    assert list(zoo.models()) == list(zoo.models(zoo.shipped_folder()))
    if which == "KERCKHOFFS_MODELS":
        (tmp_path / "link").symlink_to(own)
        monkeypatch.setenv(which, str(tmp_path / "link"))
        assert list(zoo.models()) == [CLASSICAL, KEYED]


def test_an_own_model_saved_again_replaces_the_old_one_and_no_shipped_one(own):
    before = zoo.card(CLASSICAL)
    zoo.save(card(CLASSICAL, test_error=0.25), network(3), own)
    assert zoo.card(OWN_CLASSICAL).test_error == 0.25
    assert zoo.card(CLASSICAL) == before


def test_own_models_without_any_shipped_ones_are_refused_with_the_cure(own, tmp_path, monkeypatch):
    monkeypatch.setenv("KERCKHOFFS_MODELS", str(tmp_path / "nothing"))
    with pytest.raises(FileRefused, match=r"no models in .*nothing: manifest\.json is missing"):
        zoo.models()
    assert list(zoo.own_models()) == [OWN_CLASSICAL, OWN_KEYED]


def test_an_old_entry_among_ones_own_models_is_read(own):
    path = own / zoo.MANIFEST
    record = json.loads(path.read_text())
    (entry,) = [each for each in record["models"] if each["id"] == KEYED]
    for name in ("defence", "options", "keys", "key_files"):
        del entry[name]
    entry |= {"classifier": entry.pop("network"), "transform": "permutation", "key_file": None}
    entry["key_fingerprint"] = KEY.fingerprint
    path.write_text(json.dumps(record))
    assert zoo.card(OWN_KEYED).keys == (KEY.fingerprint,)
    assert zoo.load(OWN_KEYED)(images()).shape == (4, 10)


def test_own_models_that_are_gone_are_gone(own):
    shutil.rmtree(own)
    assert zoo.own_models() == {}
    with pytest.raises(ValueError, match=f"unknown model '{OWN_KEYED}'"):
        zoo.card(OWN_KEYED)
