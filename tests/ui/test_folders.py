"""KERCKHOFFS_MODELS may name any folder: each page works with the models that are there, or says what it needs."""

import dataclasses
import json
import shutil

import pytest

from kerckhoffs import zoo
from kerckhoffs.keys import Key
from kerckhoffs.ui.pages import PAGES
from tests.pages import opened, words

CLASSICAL, KEYED = "mnist-table1-classical", "mnist-table1-keyed"
FASHION = [f"fashion-mnist-table{n}-{defence}" for n in (1, 2) for defence in ("classical", "keyed", "surrogate")]


def holding(folder, *ids):
    """A folder with these of the shipped models."""
    folder.mkdir()
    every = json.loads((zoo.shipped_folder() / zoo.MANIFEST).read_text())
    kept = [each for each in every["models"] if each["id"] in ids]
    for each in kept:
        for name in (each["file"], *each["key_files"]):
            shutil.copy(zoo.shipped_folder() / name, folder)
    (folder / zoo.MANIFEST).write_text(json.dumps({"models": kept}))


def private(folder):
    """As `kerckhoffs train` leaves it: a keyed model, and its key in the user's folder."""
    card = zoo.card(KEYED)
    [key] = zoo.find_keys(card)
    key.save(zoo.user_key_path(key.fingerprint))
    zoo.save(dataclasses.replace(card, key_files=()), zoo.load(KEYED).network, folder)


def of_another_key(folder):
    """The key of the only model is nowhere."""
    card = dataclasses.replace(zoo.card(KEYED), keys=(Key.generate(784).fingerprint,), key_files=())
    zoo.save(card, zoo.load(KEYED).network, folder)


FOLDERS = {
    "a classical one": lambda folder: holding(folder, CLASSICAL),
    "a keyed one with a public key": lambda folder: holding(folder, KEYED),
    "a keyed one with a private key": private,
    "a keyed one without its key": of_another_key,
    "a surrogate": lambda folder: holding(folder, "mnist-table2-surrogate"),
    "a pair": lambda folder: holding(folder, CLASSICAL, KEYED),
    "Fashion-MNIST": lambda folder: holding(folder, *FASHION),
    "nothing": lambda folder: holding(folder),
    "no manifest": lambda folder: folder.mkdir(),
    "no folder": lambda folder: None,
}
WORKS = {  # with how many classifiers Play, Batch and Classifiers work
    "a classical one": 1,
    "a keyed one with a public key": 1,
    "a keyed one with a private key": 1,
    "a surrogate": 1,
    "a pair": 2,
    "Fashion-MNIST": 6,
}


BASIC = ("play", "batch", "defences")
REASONS = {
    "nothing": "there are no models here",
    "a keyed one without its key": "cannot read the key",
    "no manifest": "no models in",
    "no folder": "no models in",
}


@pytest.mark.usefixtures("fresh_caches")
@pytest.mark.parametrize("page", [page.name for page in PAGES])
@pytest.mark.parametrize("folder", FOLDERS)
def test_a_page_works_with_what_is_there_or_says_in_a_sentence_what_it_needs(folder, page, tmp_path, monkeypatch):
    path = tmp_path / "models"
    FOLDERS[folder](path)
    monkeypatch.setenv("KERCKHOFFS_MODELS", str(path))
    app = opened(page)
    said = [each.value for each in app.error if not each.value.startswith("**")]  # but verdicts
    assert all("\n" not in each for each in said)
    assert len(said) <= 1
    if folder not in WORKS:
        if page in BASIC and (folder, page) != ("a keyed one without its key", "defences"):
            assert REASONS[folder] in said[0]
    elif page == "defences":
        assert len(app.dataframe[0].value) == WORKS[folder]
    elif page == "batch":
        assert not said
        assert "**100 examples**" in words(app.markdown)
    elif page in ("ladder", "key_lab", "challenge"):  # which need none of them
        assert not said
    elif page == "stage":  # whose talk needs some of them
        assert not said or said[0].startswith("scene ")
    elif page == "play":
        assert not said
        assert app.selectbox(key="knowledge").options
    elif (folder, page) != ("Fashion-MNIST", "table3"):  # whose rows can be made again
        assert "this needs models that are not here" in said[0]
        assert "without `KERCKHOFFS_MODELS`" in said[0]
