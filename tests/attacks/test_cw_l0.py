import pytest
import torch
from torch import nn

from kerckhoffs.attacks import cw_l0, sparse
from kerckhoffs.attacks.cw_l0 import _freeze
from tests.linear import Linear, boundaries, random_linear, sizes

MODEST = {"solver": "reference", "max_iterations": 60, "learning_rate": 0.1, "initial_const": 0.01}
each_solver = pytest.mark.parametrize("options", [{}, MODEST], ids=["fast", "reference"])


@pytest.mark.parametrize("depth", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("targeted", [False, True])
def test_fast_finds_the_fewest_pixels(depth, targeted):
    model, images = random_linear(classes=2, depth=depth)
    labels = model(images).argmax(1)
    fewest = boundaries(model, images, labels, "l0").amin(1)
    assert fewest.max() >= {0.5: 2, 1.0: 3, 2.0: 5}[depth]
    adversarial = cw_l0(model, images, 1 - labels if targeted else labels, targeted=targeted)
    assert torch.equal(model(adversarial).argmax(1), 1 - labels)
    assert torch.equal(sizes(adversarial, images, "l0"), fewest)


def test_the_reference_finds_the_fewest_pixels_or_one_more():
    model, images = random_linear(classes=2, depth=2.0, scale=3.0, count=4)
    labels = model(images).argmax(1)
    adversarial = cw_l0(model, images, labels, **MODEST)
    assert torch.equal(model(adversarial).argmax(1), 1 - labels)
    more = sizes(adversarial, images, "l0") - boundaries(model, images, labels, "l0").amin(1)
    assert set(more.tolist()) <= {0.0, 1.0}
    assert (more == 0).any()


@each_solver
def test_a_pixel_of_three_channels_counts_once(options):
    """One pixel with three channels is enough, or two values in two pixels; what did not change is as it was."""
    weight = torch.tensor([[0.6, 0.6, 0.0, 0.0, 0.6, 0.0]])  # (channel, pixel): 0.6 0.6 | 0 0 | 0.6 0
    model = Linear(torch.cat([0 * weight, weight]), torch.tensor([0.9, 0.0]))
    images = torch.zeros(1, 3, 1, 2)
    adversarial = cw_l0(model, images, torch.tensor([0]), **options)
    assert model(adversarial).argmax(1).item() == 1
    changed = (adversarial != images).any(1)
    assert changed.tolist() == [[[True, False]]]


@each_solver
def test_the_wrong_class_leads_by_a_confidence_of_40(options):
    model, images = random_linear(classes=2, scale=10.0, count=4)
    labels = model(images).argmax(1)
    adversarial = cw_l0(model, images, labels, confidence=40.0, **options)
    logits = model(adversarial)
    assert (logits.gather(1, 1 - labels[:, None]) - logits.gather(1, labels[:, None])).min() >= 40
    assert sizes(adversarial, images, "l0").max() < 36


def freeze(score, free=None, delta=None):
    """Which pixels of one row stay free; each changed by 1 unless told."""
    delta = torch.ones(len(score)) if delta is None else torch.tensor(delta)
    free = torch.ones(len(score), dtype=torch.bool) if free is None else torch.tensor(free)
    gradient = torch.tensor(score) / delta.where(delta != 0, 1.0)
    return _freeze(free.view(1, 1, 1, -1), delta.view(1, 1, 1, -1), gradient.view(1, 1, 1, -1)).flatten().tolist()


def test_a_round_freezes_the_least_scores_up_to_0_3_roots():
    """16 changed pixels: 0.3 * 4 = 1.2, and the pixel that reaches it is the second."""
    score = [0.001 * (16 - i) for i in range(16)]
    assert freeze(score) == [True] * 14 + [False] * 2


def test_a_round_ends_with_the_first_score_above_the_limit():
    score = [0.005, 0.5, 0.4, *([0.6] * 97)]  # 100 changed: three at most, but the second is above 0.01
    assert freeze(score) == [False, True, False] + [True] * 97


def test_a_round_freezes_one_at_least_and_never_a_frozen_one():
    assert freeze([0.5, 0.4, 0.6]) == [True, False, True]
    assert freeze([0.0, 0.4, 0.6], free=[False, True, True]) == [False, False, True]


def test_only_changes_of_a_ten_thousandth_count():
    """Of 144 pixels 4 changed: 0.3 * 2 rounds up to one, where 144 would give four."""
    score = [0.001 * i for i in range(9)] + [0.009] * 135
    assert freeze(score, delta=[1.0] * 4 + [5e-5] * 140).count(False) == 1
    assert freeze(score, delta=[1.0] * 144).count(False) == 4


def test_a_score_adds_the_channels_before_it_takes_their_size():
    delta = torch.tensor([[0.5, -0.5], [0.1, 0.1]]).T.view(1, 2, 1, 2)  # pixel 0 changes by 0.5 - 0.5
    gradient = torch.ones(1, 2, 1, 2)
    free = torch.ones(1, 1, 1, 2, dtype=torch.bool)
    assert _freeze(free, delta, gradient).flatten().tolist() == [False, True]


@pytest.fixture(scope="module")
def bent():
    """A small model with corners, and images with what it reads."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 5)).requires_grad_(False)
    images = torch.rand(12, 1, 8, 8)
    return model, images, model(images).argmax(1)


def test_the_search_takes_pixels_out_of_what_the_descent_found(bent, monkeypatch):
    model, images, labels = bent
    options = {"iterations": 60, "starts": 1}
    searched = cw_l0(model, images, labels, **options)
    monkeypatch.setattr(sparse, "ROUNDS", 0)
    plain = cw_l0(model, images, labels, **options)
    more, less = sizes(plain, images, "l0"), sizes(searched, images, "l0")
    found = more > 0
    assert found.float().mean() > 0.7
    assert ((less > 0) & (less <= more))[found].all()
    assert less[found].sum() < more[found].sum()
    assert (model(searched).argmax(1) != labels)[found].all()


def test_one_pixel_is_placed_in_each_copy():
    x, other = torch.zeros(2, 3, 2, 2), torch.arange(24.0).view(2, 3, 2, 2)
    copies = sparse._place(x, other, torch.tensor([[0, 3], [2, 2]]))
    assert copies.shape == (2, 2, 3, 2, 2)
    for row, places in enumerate([(0, 3), (2, 2)]):
        for copy, place in enumerate(places):
            expected = torch.zeros(3, 4)
            expected[:, place] = other[row].flatten(1)[:, place]
            assert torch.equal(copies[row, copy], expected.view(3, 2, 2))
