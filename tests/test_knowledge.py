from dataclasses import replace

import pytest

from kerckhoffs.classifiers import CLASSIFIERS
from kerckhoffs.data import DATASETS
from kerckhoffs.knowledge import KNOWLEDGE, crafted_on
from kerckhoffs.zoo import ModelCard, model_id

PAIRS = [(dataset, classifier) for dataset in DATASETS for classifier in CLASSIFIERS]
every_pair = pytest.mark.parametrize(("dataset", "classifier"), PAIRS, ids=["-".join(pair) for pair in PAIRS])


def pair(dataset: str, classifier: str) -> tuple[ModelCard, ModelCard]:
    """The cards of a classical classifier and its keyed twin."""
    classical = ModelCard(
        id=model_id(dataset, classifier, keyed=False),
        dataset=dataset,
        classifier=classifier,
        transform=None,
        key_fingerprint=None,
        key_file=None,
        file="weights.safetensors",
        sha256="",
        validation_error=0.0,
        test_error=0.0,
        test_samples=1000,
        command="",
        training={},
        versions={},
    )
    keyed_id = model_id(dataset, classifier, keyed=True)
    return classical, replace(classical, id=keyed_id, transform="permutation", key_fingerprint="0" * 32)


@every_pair
def test_without_the_key_examples_are_crafted_on_the_classical_twin(dataset, classifier):
    for card in pair(dataset, classifier):
        assert crafted_on("gray-box", card) == f"{dataset}-{classifier}-classical"


@every_pair
def test_with_the_key_examples_are_crafted_on_the_keyed_classifier_itself(dataset, classifier):
    for card in pair(dataset, classifier):
        assert crafted_on("white-box", card) == f"{dataset}-{classifier}-keyed"


@every_pair
@pytest.mark.parametrize("knowledge", KNOWLEDGE)
def test_every_attacker_crafts_on_one_of_the_pair_whichever_card_is_asked(knowledge, dataset, classifier):
    classical, keyed = pair(dataset, classifier)
    found = crafted_on(knowledge, classical)
    assert found in (classical.id, keyed.id)
    assert crafted_on(knowledge, keyed) == found


def test_every_kind_of_knowledge_is_registered_under_its_id_and_explained():
    for knowledge_id, knowledge in KNOWLEDGE.items():
        assert knowledge.id == knowledge_id
        assert knowledge.name
        assert knowledge.summary.endswith(".")


@pytest.mark.parametrize("knowledge", ["black-box", "", "Gray-Box", None])
def test_unknown_knowledge_is_refused_with_its_value_and_the_choices(knowledge):
    with pytest.raises(ValueError, match=f"unknown knowledge {knowledge!r}.*gray-box, white-box"):
        crafted_on(knowledge, pair(*PAIRS[0])[0])
