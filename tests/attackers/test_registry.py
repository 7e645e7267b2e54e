import pytest

from kerckhoffs import zoo
from kerckhoffs.attackers import (
    ALIASES,
    ATTACKERS,
    PARTS,
    Target,
    attacker,
    check_access,
    crafted_on,
    is_made,
    offered,
    read,
    resolve,
)
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import DEFENCES
from kerckhoffs.zoo import OWN, ModelCard, model_id
from kerckhoffs.zoo.networks import NETWORKS

PAIRS = [(dataset, network) for dataset in DATASETS for network in NETWORKS]
every_pair = pytest.mark.parametrize(("dataset", "network"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
every_attacker = pytest.mark.parametrize("name", ATTACKERS)
ITSELF = ("noise", "labels", "scores", "key")


def card_of(dataset: str, network: str, defence: str, *, own: bool = False) -> ModelCard:
    """The card of a model with this defence."""
    return ModelCard(
        id=OWN * own + model_id(dataset, network, defence),
        dataset=dataset,
        network=network,
        defence=defence,
        options={},
        keys=("0" * 32,) * len(DEFENCES[defence].key_lengths(DATASETS[dataset].shape)),
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


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("name", ITSELF)
def test_who_asks_the_classifier_or_has_the_key_crafts_on_itself(name, own):
    for defence in DEFENCES:
        card = card_of("mnist", "table1", defence, own=own)
        assert crafted_on(name, card) == card.id


@pytest.mark.parametrize("defence", DEFENCES)
def test_nobody_else_ever_crafts_on_the_defended_classifier_itself(defence):
    card = card_of("mnist", "table1", defence)
    for name in set(offered(card, [card.id])) - set(ITSELF):
        assert crafted_on(name, card) != card.id


@every_pair
@pytest.mark.parametrize(("name", "defence"), [("twin", "classical"), ("own-key", "surrogate")])
def test_a_trained_classifier_that_ships_is_crafted_on_and_another_is_made(name, defence, dataset, network):
    card = card_of(dataset, network, "keyed")
    id_ = model_id(dataset, network, defence)
    assert crafted_on(name, card) == (id_ if id_ in zoo.models() else f"{name}:samples=55000@{card.id}")


def test_the_twin_of_a_shipped_classical_classifier_is_another_one():
    card = zoo.card("mnist-table1-classical")
    assert crafted_on("twin", card) == "twin:samples=55000@mnist-table1-classical"
    assert crafted_on("twin", card_of("mnist", "table1", "classical", own=True)) == card.id


@pytest.mark.parametrize("defence", DEFENCES)
def test_what_is_made_can_be_read_from_its_id(defence):
    card = card_of("mnist", "half", defence)
    for name in offered(card, [card.id]):
        id_ = crafted_on(name, card)
        if is_made(id_) and not ATTACKERS[name].alone:
            crafter = read(id_)
            assert crafter.entry is ATTACKERS[name]
            assert dict(crafter.options) == crafter.entry.chosen({})
            assert crafted_on(name, card, crafter.options) == id_
            assert crafter.parts
            assert not crafter.made
            assert (crafter.target.dataset, crafter.target.network, crafter.target.defence) == (
                "mnist",
                "half",
                defence,
            )


def test_who_has_nothing_of_this_very_classifier_makes_the_same_whatever_its_id():
    ids = {crafted_on("own-keys", card_of("mnist", "half", "keyed", own=own)) for own in (False, True)}
    assert ids == {"own-keys:number=4:of=logits@mnist-half-keyed"}


def test_options_that_are_left_out_are_at_their_defaults():
    assert resolve("own-keys:number=8@mnist-half-keyed") == "own-keys:number=8:of=logits@mnist-half-keyed"
    assert resolve("twin@mnist-table1-keyed") == "mnist-table1-classical"
    assert resolve("mnist-table1-keyed") == "mnist-table1-keyed"
    assert resolve("gray-box@mnist-table1-keyed") == "mnist-table1-classical"


@pytest.mark.parametrize(
    ("id_", "sentence"),
    [
        ("nobody@mnist-table1-keyed", "unknown attacker 'nobody'"),
        ("own-keys:number=9@mnist-table1-keyed", "number must be between 2 and 8"),
        ("own-keys:many=9@mnist-table1-keyed", "unknown option of own-keys 'many'"),
        ("own-keys:number=many@mnist-table1-keyed", "number of .* must be of type int"),
        ("own-keys:number@mnist-table1-keyed", "number of .* must be of type int"),
        ("own-keys@mnist-table9-keyed", "unknown model"),
        ("bypass@mnist-table9-keyed", "unknown model"),
        ("bypass@mnist-table1-classical", "makes no sense against a classical classifier"),
        ("twin-alike@mnist-table1-keyed", "makes no sense against a keyed classifier"),
        ("part-of-key@mnist-half-kda", "makes no sense"),
        ("twin@mnist-table1-keyed", "need not be made: it is mnist-table1-classical"),
        ("@", "unknown attacker ''"),
    ],
)
def test_an_id_of_nothing_is_refused_with_what_is_wrong(id_, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(id_)


# What is offered


def test_what_is_offered_needs_the_classifier_itself_only_where_it_is_asked_or_leaks():
    card = card_of("mnist", "table1", "keyed", own=True)
    everyone = offered(card, [card.id])
    assert everyone == tuple(name for name in ATTACKERS if not name.endswith("-alike"))
    assert offered(card, []) == tuple(name for name in everyone if not ATTACKERS[name].alone)


@pytest.mark.parametrize(
    ("defence", "missing"),
    [
        ("keyed", {"twin-alike", "own-key-alike"}),
        ("keyed-adversarial", set()),
        ("adversarial", {"bypass", "recovery", "part-of-key"}),
        ("classical", {"twin-alike", "own-key-alike", "bypass", "recovery", "part-of-key"}),
        ("shuffle-4", {"twin-alike", "own-key-alike", "recovery", "part-of-key"}),
        ("kda", {"twin-alike", "own-key-alike", "bypass", "recovery", "part-of-key"}),
    ],
)
def test_who_makes_no_sense_against_a_defence_is_not_offered(defence, missing):
    card = card_of("mnist", "table1", defence)
    assert set(offered(card, [card.id])) == set(ATTACKERS) - missing


@pytest.mark.parametrize(
    ("defence", "twin", "own"),
    [
        ("keyed-adversarial", "adversarial", "keyed-adversarial"),
        ("adversarial", "adversarial", "keyed-adversarial"),
        ("keyed-ensemble-adversarial", "ensemble-adversarial", "keyed-ensemble-adversarial"),
        ("shuffle-4-adversarial", "adversarial", "shuffle-4-adversarial"),
        ("distilled", "distilled", "keyed-distilled"),
        ("binary-adversarial", "adversarial", "keyed-adversarial"),
    ],
)
def test_a_twin_that_is_trained_alike_is_trained_alike(defence, twin, own):
    for name, expected in (("twin-alike", twin), ("own-key-alike", own)):
        [part] = read(crafted_on(name, card_of("mnist", "table1", defence))).parts
        assert part.defence == expected
        assert part.recipe.seed >= zoo.train.ATTACKERS_FROM


# Words, and who is given what


@every_attacker
def test_the_words_speak_of_a_key_where_there_is_one(name):
    each = ATTACKERS[name]
    assert each.words(card_of("mnist", "table1", "keyed")) == (each.name, each.summary)
    without = each.words(card_of("mnist", "table1", "classical"))
    assert without == each.without_key
    assert without[0]
    assert without[1].endswith(".")
    assert "the keyed classifier" not in without[1], "it has no key"


def test_every_attacker_is_registered_under_its_id_and_explained():
    for id_, each in ATTACKERS.items():
        assert each.id == id_
        assert each.name
        assert each.summary.endswith(".")
        assert set(each.hidden) <= set(PARTS)
        assert "output" not in each.hidden, "everyone sees the answers (paper, introduction)"
        assert bool(each.takes) == bool(each.parts(Target.like("mnist-table1-keyed-adversarial"), each.chosen({})))


def test_what_is_hidden_only_grows_less_on_the_way_up():
    order = [len(each.hidden) for each in ATTACKERS.values()]
    assert order == sorted(order, reverse=True)
    assert [each.id for each in ATTACKERS.values() if "key" not in each.hidden] == ["key"]


@every_attacker
def test_an_attack_that_reads_more_than_the_attacker_has_is_refused(name):
    for attack in ATTACKS.values():
        if attack.access in (*ATTACKERS[name].reads, "nothing"):
            check_access(name, attack)
        else:
            with pytest.raises(ValueError, match=f"reads {attack.access}, but this attacker has"):
                check_access(name, attack)


@pytest.mark.parametrize("name", ["brown-box", "", "Twin", None])
def test_an_unknown_attacker_is_refused_with_its_value_and_the_choices(name):
    with pytest.raises(ValueError, match=f"unknown attacker {name!r}.*noise, labels, scores"):
        crafted_on(name, card_of(*PAIRS[0], "classical"))


def test_old_words_of_addresses_mean_what_they_meant():
    assert {old: attacker(old).id for old in ALIASES} == ALIASES
    assert set(ALIASES.values()) == {"scores", "twin", "own-key", "key"}
