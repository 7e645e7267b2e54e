import pytest
import torch
from torch import nn

from kerckhoffs.attacks import ATTACKS
from kerckhoffs.bench import contestants
from kerckhoffs.bench.contestants import LIBRARIES, PEERS, SUITES, Peer
from tests.linear import random_linear


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(contestants, "installed", lambda library: False)


@pytest.fixture
def stub(monkeypatch):
    """A peer of a library that is there, which returns its options in a tensor."""

    def function(model, images, labels, targeted, *, steps, rate, early):
        print("noise")
        return torch.tensor([steps, rate, early])

    monkeypatch.setattr(contestants, "_module", lambda *_: None)  # nothing heavy is imported
    monkeypatch.setitem(
        PEERS,
        "torchattacks.stub",
        Peer("torchattacks.stub", "l0", "minimal", function, dict(steps=5, rate=0.5, early=True), "slow"),
    )


def test_ours_by_id_have_the_names_and_the_defaults_of_the_registry():
    for name, attack in ATTACKS.items():
        contestant = contestants.ours(name)
        assert (contestant.name, contestant.norm, contestant.kind) == (name, attack.norm, attack.kind)
        assert contestant.settings == "defaults"
        assert contestant.library.startswith("kerckhoffs ")


def test_options_of_ours_reach_the_attack():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False)).requires_grad_(False)
    model[1].weight.copy_(torch.tensor([[1.0, 1, 1, 1], [0.9, 0.9, 0.9, 0.9]]))
    images, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    for epsilon in (0.125, 0.25):
        contestant = contestants.ours(f"fgsm:epsilon={epsilon}:perturb_all=true")
        changed = contestant.run(model, images, labels, False)
        assert float((changed - images).abs().max()) == epsilon
        assert contestant.settings == f"epsilon={epsilon}, perturb_all=True"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("fgms", "unknown attack 'fgms'; choose one of: "),
        ("", "unknown attack ''"),
        ("fgsm:epsilon", "'fgsm:epsilon' must be written id:option=value, with options: .*epsilon"),
        ("fgsm:radius=1", "must be written id:option=value, with options: .*epsilon"),
        ("fgsm:epsilon=much", "epsilon must be of type float, but is 'much'"),
        ("fgsm:epsilon=2", "epsilon must be between 0 and 1, but is 2"),
        ("fgsm:epsilon=nan", "epsilon must be between 0 and 1, but is nan"),
        ("fgsm:perturb_all=maybe", "perturb_all must be of type bool, but is 'maybe'"),
    ],
)
def test_ours_refuses(spec, reason):
    with pytest.raises(ValueError, match=reason):
        contestants.ours(spec)


def test_peers_belong_to_a_known_library_and_state_their_settings():
    for name, entry in PEERS.items():
        assert entry.id == name
        assert entry.library in LIBRARIES
        assert entry.norm in ("l0", "l2", "linf")
        assert entry.kind in ("budget", "minimal")
        assert entry.options


@pytest.mark.usefixtures("stub")
def test_a_spec_changes_the_stated_settings_of_a_peer(capsys):
    contestant = contestants.peer("torchattacks.stub:steps=7:early=false")
    assert contestant.run(nn.Identity(), torch.zeros(1), torch.zeros(1), True).tolist() == [7, 0.5, 0]
    assert contestant.settings == "steps=7, rate=0.5, early=False; slow"
    assert contestant.library.startswith("torchattacks ")
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("stub")
@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("foolbox.cw", "unknown peer 'foolbox.cw'"),
        ("torchattacks.stub:steps=2.5", "steps must be of type int, but is '2.5'"),
        ("torchattacks.stub:epsilon=1", "with options: steps, rate, early"),
    ],
)
def test_peer_refuses(spec, reason):
    with pytest.raises(ValueError, match=reason):
        contestants.peer(spec)


@pytest.mark.usefixtures("nothing_installed")
def test_a_peer_of_a_library_that_is_missing_says_so():
    with pytest.raises(ValueError, match="art.cw_l0 needs adversarial-robustness-toolbox, which is not installed"):
        contestants.peer("art.cw_l0")


def test_a_peer_that_cannot_be_targeted_does_not_pretend(stub, monkeypatch):
    entry = PEERS["torchattacks.stub"]
    monkeypatch.setitem(
        PEERS, entry.id, Peer(entry.id, entry.norm, entry.kind, entry.function, entry.options, targeted=False)
    )
    with pytest.raises(ValueError, match="torchattacks.stub cannot be targeted"):
        contestants.peer(entry.id).run(nn.Identity(), torch.zeros(1), torch.zeros(1), True)


def test_two_classes_have_the_targeted_margin():
    logits = torch.tensor([[-3.0, -1.0, -2.0], [4.0, 5.0, 6.0]])
    reduced = contestants._TargetOrNot(nn.Identity(), torch.tensor([2, 0]))(logits)
    assert reduced.tolist() == [[-1, -2], [6, 4]]


# Who is chosen


def names(field):
    return [contestant.name for contestant in field]


@pytest.mark.usefixtures("nothing_installed")
def test_what_is_named_takes_the_place_of_what_the_suite_says(monkeypatch):
    monkeypatch.setitem(SUITES, "some", contestants.Suite(("fgsm",), ("art.cw_l0", "foolbox.ddn")))
    field, missing = contestants.chosen("some", [], [])
    assert names(field) == ["fgsm"]
    assert missing == {"adversarial-robustness-toolbox": ["art.cw_l0"], "foolbox": ["foolbox.ddn"]}
    assert contestants.chosen("some", [], ["none"])[1] == {}
    assert contestants.chosen("some", [], ["adv_lib.ddn:steps=3"])[1] == {"adv-lib": ["adv_lib.ddn:steps=3"]}
    assert names(contestants.chosen("some", ["fgsm:epsilon=0.5"], [])[0]) == ["fgsm:epsilon=0.5"]
    assert contestants.chosen(None, ["fgsm"], [])[1] == {}


@pytest.mark.usefixtures("nothing_installed")
def test_a_library_stands_for_all_of_its_peers_and_all_for_all():
    _, missing = contestants.chosen(None, ["fgsm"], ["foolbox", "foolbox.ddn", "art"])
    assert set(missing) == {"foolbox", "adversarial-robustness-toolbox"}
    assert missing["foolbox"] == [name for name in PEERS if name.startswith("foolbox.")]
    _, missing = contestants.chosen(None, ["fgsm"], ["all"])
    assert sorted(name for part in missing.values() for name in part) == sorted(PEERS)


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize(
    ("suite", "attacks", "peers", "reason"),
    [
        ("fast", [], [], "unknown suite 'fast'; choose one of: cw_l2, "),
        (None, [], ["foolbox.cw"], "unknown peer 'foolbox.cw'"),
        (None, ["none"], ["none"], "nobody is left to measure"),
        (None, [], ["foolbox.ddn"], "nobody is left to measure"),
    ],
)
def test_chosen_refuses(suite, attacks, peers, reason):
    with pytest.raises(ValueError, match=reason):
        contestants.chosen(suite, attacks, peers)


def test_everyone_in_a_suite_exists():
    for spec in SUITES["quick"].attacks:
        contestants.ours(spec)
    for suite in SUITES.values():
        assert set(suite.peers) <= set(PEERS)


def test_installed_asks_without_importing():
    assert contestants.installed("torch")
    assert not contestants.installed("no_such_library")


def test_torchattacks_aims_with_the_true_classes_as_labels():
    """Its CW takes what is not the label for a success: with targets as labels it would never return the target."""
    model, images = random_linear(classes=3, depth=0.2)
    predicted = model(images).argmax(1)
    targets = (predicted + 1) % 3
    found = contestants.peer("torchattacks.cw:c=100:steps=100").run(model.eval(), images, targets, True)
    assert (model(found).argmax(1) == targets).float().mean() > 0.8


SIGNS = {
    "fgsm": ("fgsm:epsilon=0.1", "torchattacks.fgsm:eps=0.1"),
    "bim": ("bim:epsilon=0.1:step_size=0.05:iterations=3", "torchattacks.bim:eps=0.1:alpha=0.05:steps=3"),
    "mi_fgsm": ("mi_fgsm:epsilon=0.1:iterations=4", "torchattacks.mi_fgsm:eps=0.1:alpha=0.025:steps=4"),
    "pgd": (
        "pgd:epsilon=0.1:step_size=0.05:iterations=3:random_start=false",
        "torchattacks.pgd:eps=0.1:alpha=0.05:steps=3:random_start=false",
    ),
}


@pytest.mark.parametrize("name", SIGNS)
def test_peers_of_the_attacks_by_the_gradients_sign_are_what_ours_are_in_float32(name):
    ours, peer = SIGNS[name]
    model, images = random_linear(classes=3, depth=1.0, scale=5.0)
    labels = model(images).argmax(1)
    moved = contestants.ours(f"{ours}:arithmetic=float32:perturb_all=true").run(model, images, labels, False)
    torch.testing.assert_close(contestants.peer(peer).run(model, images, labels, False), moved)
