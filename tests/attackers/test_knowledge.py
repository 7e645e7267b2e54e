import pytest

from kerckhoffs import zoo
from kerckhoffs.attackers import KNOWLEDGE, PARTS, check_access, crafted_on, offered
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import DEFENCES
from kerckhoffs.zoo import OWN, ModelCard, model_id
from kerckhoffs.zoo.networks import NETWORKS

PAIRS = [(dataset, network) for dataset in DATASETS for network in NETWORKS]
every_pair = pytest.mark.parametrize(("dataset", "network"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
every_knowledge = pytest.mark.parametrize("knowledge", KNOWLEDGE)


def card_of(dataset: str, network: str, defence: str, *, own: bool = False) -> ModelCard:
    """The card of a model with this defence."""
    return ModelCard(
        id=OWN * own + model_id(dataset, network, defence),
        dataset=dataset,
        network=network,
        defence=defence,
        options={},
        keys=() if defence == "classical" else ("0" * 32,),
        key_files=(),
        file="weights.safetensors",
        sha256="",
        validation_error=0.0,
        test_error=0.0,
        test_samples=1000,
        command="",
        training={},
        versions={},
    )


@every_pair
@pytest.mark.parametrize(
    ("knowledge", "defence"),
    [("black-box", None), ("gray-box", "classical"), ("wrong-key", "surrogate"), ("white-box", None)],
)
def test_the_attacker_crafts_on_the_model_that_the_knowledge_allows(knowledge, defence, dataset, network):
    for defended in DEFENCES:  # the defended classifier itself, or another one of the same set and network
        card = card_of(dataset, network, defended)
        assert crafted_on(knowledge, card) == f"{dataset}-{network}-{defence or defended}"


@every_pair
@pytest.mark.parametrize(("knowledge", "defence"), [("gray-box", "classical"), ("wrong-key", "surrogate")])
def test_without_the_weights_the_model_is_the_same_whichever_card_is_asked(knowledge, defence, dataset, network):
    cards = [card_of(dataset, network, each, own=own) for each in DEFENCES for own in (False, True)]
    assert {crafted_on(knowledge, card) for card in cards} == {f"{dataset}-{network}-{defence}"}


@pytest.mark.parametrize("knowledge", ["black-box", "white-box"])
def test_an_own_model_is_itself_what_the_black_and_the_white_box_are_crafted_on(knowledge):
    card = card_of("mnist", "table1", "keyed", own=True)
    assert crafted_on(knowledge, card) == card.id == "own/mnist-table1-keyed"


@every_knowledge
def test_only_who_sees_the_weights_or_asks_the_classifier_crafts_on_it(knowledge):
    card = card_of("mnist", "table1", "keyed")
    assert (crafted_on(knowledge, card) == card.id) == (knowledge in ("black-box", "white-box"))


# What is offered

TWIN, SURROGATE = (model_id("mnist", "table1", defence) for defence in ("classical", "surrogate"))
KEYED, OWN_KEYED = model_id("mnist", "table1", "keyed"), OWN + model_id("mnist", "table1", "keyed")
ALL = (TWIN, SURROGATE, KEYED, OWN_KEYED)


@pytest.mark.parametrize(
    ("defence", "own", "models", "expected"),
    [
        ("keyed", False, ALL, ("black-box", "gray-box", "wrong-key", "white-box")),
        ("keyed", False, (KEYED, SURROGATE), ("black-box", "wrong-key", "white-box")),
        ("keyed", False, (KEYED, TWIN), ("black-box", "gray-box", "white-box")),
        ("keyed", False, (KEYED,), ("black-box", "white-box")),
        ("keyed", True, ALL, ("black-box", "gray-box", "wrong-key", "white-box")),
        ("keyed", True, (OWN_KEYED,), ("black-box", "white-box")),
        ("keyed", True, (TWIN, SURROGATE, KEYED), ("gray-box", "wrong-key")),  # it is gone, and no other stands in
        ("classical", False, ALL, ("black-box", "wrong-key", "white-box")),  # it is no twin of itself
        ("classical", False, (TWIN,), ("black-box", "white-box")),
        ("classical", True, (TWIN, OWN + TWIN), ("black-box", "gray-box", "white-box")),
        ("surrogate", False, ALL, ("black-box", "gray-box", "white-box")),
    ],
)
def test_what_is_offered_needs_its_model_and_another_one_where_weights_are_hidden(defence, own, models, expected):
    assert offered(card_of("mnist", "table1", defence, own=own), models) == expected


def test_models_of_another_set_or_network_are_no_twins():
    others = [model_id(*pair, defence) for pair in PAIRS[1:] for defence in DEFENCES]
    card = card_of(*PAIRS[0], "keyed")
    assert offered(card, [card.id, *others]) == ("black-box", "white-box")


def test_every_shipped_model_of_the_papers_networks_can_be_attacked_from_all_sides():
    models = zoo.models()
    left_out = {"classical": {"gray-box"}, "surrogate": {"wrong-key"}}
    of_paper = [card for card in models.values() if card.network in ("table1", "table2")]
    assert {card.defence for card in of_paper} > {"classical", "keyed", "surrogate"}
    for card in of_paper:
        assert set(offered(card, models)) == set(KNOWLEDGE) - left_out.get(card.defence, set())


@every_knowledge
def test_the_words_speak_of_a_key_where_there_is_one(knowledge):
    each = KNOWLEDGE[knowledge]
    assert each.words(card_of("mnist", "table1", "keyed")) == (each.name, each.summary)
    name, summary = each.words(card_of("mnist", "table1", "classical"))
    assert (name, summary) == each.without_key
    assert name
    assert summary.endswith(".")
    assert "the keyed classifier" not in summary, "it has no key"


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
        crafted_on(knowledge, card_of(*PAIRS[0], "classical"))
    with pytest.raises(ValueError, match="unknown knowledge"):
        check_access(knowledge, ATTACKS["fgsm"])
