"""Several networks, each behind a keyed transform of its own: KDA and voting."""

import itertools

import numpy as np
import pytest
import scipy.fft
import torch
from torch import Tensor, nn

from kerckhoffs import transforms
from kerckhoffs.defences import DEFENCES, EnsembleClassifier
from kerckhoffs.defences.ensembles import UnitNorm, VotingClassifier
from kerckhoffs.keys import MASTER_LENGTH, Key
from kerckhoffs.transforms import TRANSFORMS

SHAPE, CLASSES = (1, 8, 8), 4
MASTER = Key.derive(bytes(32), MASTER_LENGTH, "tests of ensembles")
QUARTERS = ["dct-horizontal", "dct-vertical", "dct-diagonal"]


def ensemble(defence: str, key: Key = MASTER, shape: tuple[int, int, int] = SHAPE) -> EnsembleClassifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        size = shape[0] * shape[1] * shape[2]
        model = DEFENCES[defence].build(lambda: nn.Sequential(nn.Flatten(), nn.Linear(size, CLASSES)), shape, (key,))
    return model.eval().requires_grad_(False)


def images(count: int = 5, shape: tuple[int, int, int] = SHAPE) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(0))


def low_frequencies(count: int = 5) -> Tensor:
    """Images in [0, 1] that have nothing outside the low-frequency quarter."""
    plane = np.zeros((count, *SHAPE))
    plane[..., :4, :4] = np.random.default_rng(0).normal(size=(count, 1, 4, 4)) / 4
    plane[..., 0, 0] = 4.0  # the mean, 0.5
    made = torch.from_numpy(scipy.fft.idctn(plane, axes=(2, 3), norm="ortho")).float()
    return 0.5 + (made - 0.5) * (0.5 / (made - 0.5).abs().amax((1, 2, 3), keepdim=True))


# KDA


def test_kda_has_three_keys_in_each_of_three_quarters_all_from_one_master_key():
    model = ensemble("kda")
    inner = [each.transform for each in model.transforms]
    assert len(inner) == len(model.network) == DEFENCES["kda"].networks == 9
    assert len({each.fingerprint for each in inner}) == 9
    for number, name in enumerate(name for name in QUARTERS for _ in range(3)):
        child = MASTER.child(TRANSFORMS[name].key_length(SHAPE), f"channel {number}, {name}")
        expected = transforms.make(name, child, SHAPE)
        assert torch.equal(inner[number].signs, expected.signs)
    for first, second in itertools.combinations(inner, 2):
        assert not torch.equal(first.signs, second.signs)
    other = ensemble("kda", Key.derive(bytes(32), MASTER_LENGTH, "another"))
    for first, second in zip(inner, other.transforms, strict=True):
        assert not torch.equal(first.signs, second.transform.signs)


def test_the_probabilities_of_kda_are_the_mean_of_the_soft_outputs():
    model = ensemble("kda")
    soft = [network(seen).softmax(1) for network, seen in zip(model.network, model.views(images()), strict=True)]
    torch.testing.assert_close(model(images()).exp(), torch.stack(soft).mean(0))
    torch.testing.assert_close(model(images()).exp().sum(1), torch.ones(5))


def test_what_each_network_of_kda_sees_has_unit_length():
    for seen in ensemble("kda").views(images()):
        torch.testing.assert_close(seen.flatten(1).norm(dim=1), torch.ones(5))
    for seen, twice in zip(ensemble("kda").views(images()), ensemble("kda").views(images() / 2), strict=True):
        torch.testing.assert_close(seen, twice)


def test_what_lies_in_the_low_frequencies_passes_every_channel_unchanged_up_to_scale():
    low = low_frequencies()
    assert 0 <= float(low.min()) <= float(low.max()) <= 1
    unit = low / low.flatten(1).norm(dim=1)[:, None, None, None]
    for seen in ensemble("kda").views(low):
        torch.testing.assert_close(seen, unit, atol=1e-5, rtol=0)
    for seen in ensemble("kda").views(images()):
        assert not torch.allclose(seen, images() / images().flatten(1).norm(dim=1)[:, None, None, None], atol=0.01)


def test_a_low_frequency_perturbation_passes_every_channel_unchanged_before_the_scaling():
    change = 0.1 * (low_frequencies() - 0.5)
    for each in ensemble("kda").transforms:
        moved = each.transform(images() + change) - each.transform(images())
        torch.testing.assert_close(moved, change, atol=1e-5, rtol=0)


def test_a_black_image_gives_finite_logits_and_gradients():
    black = torch.zeros(2, *SHAPE, requires_grad=True)
    logits = ensemble("kda")(black)
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), black)
    assert bool(torch.isfinite(logits).all())
    assert bool(torch.isfinite(gradient).all())
    assert torch.equal(UnitNorm(nn.Identity())(black), black)


@pytest.mark.parametrize("defence", ["kda", "voting"])
def test_all_that_is_seen_is_shown_side_by_side(defence):
    model = ensemble(defence)
    seen, grid = model.views(images()), model.view(images())
    assert len(model.titles) == len(set(model.titles)) == len(seen)
    columns = 3  # of 9, and of 5
    assert grid.shape == (5, 1, 8 * -(-len(seen) // columns), 8 * columns)
    for number, each in enumerate(seen):
        top, left = 8 * (number // columns), 8 * (number % columns)
        assert torch.equal(grid[:, :, top : top + 8, left : left + 8], each)
    assert float(grid[:, :, 8:, 16:].abs().sum()) == 0 or defence == "kda"


@pytest.mark.parametrize("defence", ["kda", "voting"])
def test_a_master_key_is_worth_256_bits_at_most(defence):
    assert DEFENCES[defence].entropy_bits((1, 28, 28)) == DEFENCES[defence].entropy_bits((3, 32, 32)) == 256
    assert DEFENCES["kda"].entropy_bits((1, 4, 4)) == 9 * 4, "few signs are worth less"


# Voting


class Says(nn.Module):
    """A network that says the same of every image."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, images):
        return self.logits.expand(len(images), -1)


def voters(*logits: tuple[float, ...], kind: type[EnsembleClassifier] = VotingClassifier) -> EnsembleClassifier:
    return kind([nn.Identity() for _ in logits], [Says(*each) for each in logits], SHAPE)


WEAK, STRONG = (0.1, 0.0, -9.0), (-9.0, 9.0, -9.0)


def test_the_majority_decides_however_sure_the_others_are():
    for order in set(itertools.permutations([WEAK, WEAK, WEAK, STRONG, STRONG])):
        assert voters(*order)(images()).argmax(1).tolist() == [0] * 5
        assert voters(*order, kind=EnsembleClassifier)(images()).argmax(1).tolist() == [1] * 5, "the mean says else"


def test_the_mean_soft_output_decides_a_tie():
    third = (-9.0, -9.0, 0.1)
    assert voters(WEAK, STRONG)(images()).argmax(1).tolist() == [1] * 5
    assert voters(STRONG, WEAK)(images()).argmax(1).tolist() == [1] * 5
    assert voters(WEAK, WEAK, STRONG, STRONG, third)(images()).argmax(1).tolist() == [1] * 5
    sure = (5.0, 0.0, -9.0)
    assert voters(sure, sure, third, (0.0, 0.1, -9.0), (0.0, 0.1, -9.0))(images()).argmax(1).tolist() == [0] * 5


def test_the_probability_of_a_class_is_its_votes_and_its_mean_soft_output():
    said = [WEAK, (0.0, 1.0, 2.0), (0.0, 3.0, 1.0), (1.0, 3.0, 1.0)]
    found = voters(*said)(images()).exp()
    soft = torch.tensor(said).softmax(1).mean(0)
    expected = (torch.tensor([1.0, 2.0, 1.0]) + soft) / 5
    torch.testing.assert_close(found, expected.expand(5, -1))
    torch.testing.assert_close(found.sum(1), torch.ones(5))


def test_a_class_without_a_vote_and_without_a_chance_has_a_finite_logit():
    assert bool(torch.isfinite(voters((90.0, -90.0), (90.0, -90.0))(images())).all())


def test_the_gradient_of_a_vote_is_that_of_the_mean_soft_output():
    logits = torch.randn(5, 3, CLASSES, generator=torch.Generator().manual_seed(0))  # voters, images, classes
    weights = torch.rand(3, CLASSES, generator=torch.Generator().manual_seed(1))
    gradients = []
    for kind in (VotingClassifier, EnsembleClassifier):
        inputs = logits.clone().requires_grad_()
        said = voters(*[(0.0, 0.0)] * 5, kind=kind).combine(tuple(inputs))
        gradients += torch.autograd.grad((weights * said).sum(), inputs)
    assert torch.equal(gradients[0], gradients[1])
    assert bool((gradients[0] != 0).all())


def test_voters_have_block_sizes_in_turn_and_keys_of_their_own():
    for shape, names in (
        ((1, 28, 28), ["shuffle-2", "shuffle-4", "shuffle-7", "shuffle-2", "shuffle-4"]),
        ((3, 8, 4), ["shuffle-2", "shuffle-4", "shuffle-2", "shuffle-4", "shuffle-2"]),
        ((1, 7, 14), ["shuffle-7"] * 5),
    ):
        model = ensemble("voting", shape=shape)
        assert len(model.transforms) == len(names) == DEFENCES["voting"].networks
        for number, (transform, name) in enumerate(zip(model.transforms, names, strict=True)):
            child = MASTER.child(TRANSFORMS[name].key_length(shape), f"channel {number}, {name}")
            assert torch.equal(transform.order, transforms.make(name, child, shape).order)
        assert len({each.fingerprint for each in model.transforms}) == 5


def test_an_image_without_whole_blocks_has_no_voters():
    with pytest.raises(ValueError, match=r"images of shape \(1, 9, 9\) are not made of whole blocks of \(2, 4, 7\)"):
        DEFENCES["voting"].key_lengths((1, 9, 9))


@pytest.mark.parametrize("defence", ["kda", "voting"])
def test_no_two_networks_begin_alike(defence):
    weights = [network[1].weight for network in ensemble(defence).network]
    for first, second in itertools.combinations(weights, 2):
        assert not torch.allclose(first, second, atol=1e-3)
