from dataclasses import replace

import pytest

from kerckhoffs import zoo
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.classifiers import CLASSIFIERS
from kerckhoffs.data import DATASETS
from kerckhoffs.knowledge import KNOWLEDGE, PARTS, check_access, crafted_on
from kerckhoffs.zoo import ModelCard, model_id

PAIRS = [(dataset, classifier) for dataset in DATASETS for classifier in CLASSIFIERS]
every_pair = pytest.mark.parametrize(("dataset", "classifier"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
every_knowledge = pytest.mark.parametrize("knowledge", KNOWLEDGE)


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
@pytest.mark.parametrize(
    ("knowledge", "kind"),
    [("black-box", "keyed"), ("gray-box", "classical"), ("wrong-key", "surrogate"), ("white-box", "keyed")],
)
def test_the_attacker_crafts_on_the_model_that_the_knowledge_allows(knowledge, kind, dataset, classifier):
    for card in pair(dataset, classifier):
        assert crafted_on(knowledge, card) == f"{dataset}-{classifier}-{kind}"


@every_pair
@every_knowledge
def test_the_model_is_the_same_whichever_card_of_the_pair_is_asked(knowledge, dataset, classifier):
    classical, keyed = pair(dataset, classifier)
    surrogate = replace(keyed, id=zoo.surrogate_id(dataset, classifier))
    assert len({crafted_on(knowledge, card) for card in (classical, keyed, surrogate)}) == 1


def test_every_kind_of_knowledge_is_registered_under_its_id_and_explained():
    for knowledge_id, knowledge in KNOWLEDGE.items():
        assert knowledge.id == knowledge_id
        assert knowledge.name
        assert knowledge.summary.endswith(".")
        assert set(knowledge.hidden) <= set(PARTS)
        assert "output" not in knowledge.hidden, "everyone sees the answers (paper, introduction)"


def test_the_key_is_hidden_from_all_but_the_white_box():
    assert [each.id for each in KNOWLEDGE.values() if "key" not in each.hidden] == ["white-box"]


@every_knowledge
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_black_box_has_no_gradients_and_everyone_else_may_run_every_attack(knowledge, attack):
    if knowledge == "black-box" and ATTACKS[attack].access == "gradients":
        with pytest.raises(ValueError, match="reads gradients, but this attacker has scores and labels only"):
            check_access(knowledge, ATTACKS[attack])
    else:
        check_access(knowledge, ATTACKS[attack])


@pytest.mark.parametrize("knowledge", ["brown-box", "", "Gray-Box", None])
def test_unknown_knowledge_is_refused_with_its_value_and_the_choices(knowledge):
    with pytest.raises(ValueError, match=f"unknown knowledge {knowledge!r}.*black-box, gray-box, wrong-key, white-box"):
        crafted_on(knowledge, pair(*PAIRS[0])[0])
    with pytest.raises(ValueError, match="unknown knowledge"):
        check_access(knowledge, ATTACKS["fgsm"])
