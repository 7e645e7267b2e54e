"""What a way of training gives the network to learn from."""

import pytest
import torch
from torch import nn

from kerckhoffs.zoo.train import Recipe, methods
from kerckhoffs.zoo.train.methods import Adversarial, Clean, Distilled, EnsembleAdversarial

SHAPE, COUNT = (1, 4, 4), 9
RECIPE = Recipe(epsilon=0.2, attack_steps=3)


def images(count: int = COUNT) -> torch.Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(0))


def labels(count: int = COUNT) -> torch.Tensor:
    return torch.arange(count) % 3


def network(seed: int = 0) -> nn.Module:
    """Three classes, with dropout, frozen as what stands still is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(16, 3)).eval()


class Untouchable(nn.Module):
    """A model that may not be asked."""

    def forward(self, images):
        pytest.fail("the model itself was asked")


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """With what `perturb` was called."""
    calls = []

    def noted(model, images, labels, **how):
        calls.append(how | {"model": model, "images": images, "labels": labels})
        return images

    monkeypatch.setattr(methods, "perturb", noted)
    return calls


def test_clean_training_learns_from_what_is_there():
    found = Clean().batch(Untouchable(), images(), labels(), 0.5)
    assert torch.equal(found[0], images())
    assert torch.equal(found[1], labels())
    assert Clean().attacked(Untouchable(), (images(), labels())) is None
    assert Clean().temperature == 1


# Distillation


@pytest.mark.parametrize("temperature", [1.0, 20.0])
def test_a_students_targets_are_the_teachers_soft_answers(temperature):
    teacher = network()
    method = Distilled(teacher, temperature)
    inputs, targets = method.batch(Untouchable(), images(), labels(), 0.5)
    scaled = (teacher(images()) / temperature).exp()
    assert torch.equal(inputs, images())
    torch.testing.assert_close(targets, scaled / scaled.sum(1, keepdim=True))
    assert not targets.requires_grad
    assert method.temperature == temperature
    assert method.attacked(Untouchable(), (images(), labels())) is None


def test_a_higher_temperature_makes_softer_targets():
    softest = [Distilled(network(), t).batch(Untouchable(), images(), labels(), 0)[1].amax(1) for t in (1.0, 5.0, 50.0)]
    assert (softest[0] > softest[1]).all()
    assert (softest[1] > softest[2]).all()
    assert (softest[2] > 1 / 3).all()


# Adversarial training


@pytest.mark.parametrize(("progress", "epsilon"), [(0.0, 0.0), (0.15, 0.1), (0.3, 0.2), (0.31, 0.2), (1.0, 0.2)])
def test_epsilon_grows_in_the_first_three_tenths(asked, progress, epsilon):
    model = network()
    Adversarial(RECIPE, False).batch(model, images(), labels(), progress)
    [call] = asked
    assert call["model"] is model
    assert call["epsilon"] == pytest.approx(epsilon)
    assert call["steps"] == 3
    assert call.get("random_start", True)


def test_each_image_of_a_batch_is_attacked_on_the_network_itself():
    model = network()
    inputs, targets = Adversarial(RECIPE, False).batch(model, images(), labels(), 1.0)
    assert torch.equal(targets, labels())
    change = (inputs - images()).abs().flatten(1)
    assert (change.amax(1) > 0.01).all()
    assert float(change.max()) <= 0.2
    before, after = (nn.functional.cross_entropy(model(x), labels(), reduction="none") for x in (images(), inputs))
    assert (after > before).all()


def test_what_the_best_epoch_is_chosen_by_is_attacked_in_the_full_epsilon_always_from_the_same_starts():
    model, method = network(), Adversarial(RECIPE, False)
    found, truth = method.attacked(model, (images(), labels()))
    assert torch.equal(truth, labels())
    assert float((found - images()).abs().max()) == pytest.approx(0.2)
    state = torch.get_rng_state()
    torch.manual_seed(7)
    assert torch.equal(method.attacked(model, (images(), labels()))[0], found)
    assert not torch.equal(method.attacked(network(1), (images(), labels()))[0], found), "the model is another"
    torch.set_rng_state(state)


def test_no_more_than_a_thousand_validation_samples_are_attacked(asked):
    many = images(1200), labels(1200)
    found, truth = Adversarial(RECIPE, False).attacked(network(), many)
    assert len(found) == len(truth) == 1000
    assert torch.equal(torch.cat([call["images"] for call in asked]), many[0][:1000])
    assert {call["steps"] for call in asked} == {10}
    found, truth = EnsembleAdversarial([network(seed) for seed in range(3)], RECIPE, False).attacked(network(), many)
    assert len(found) == len(truth) == 1000


# Ensemble adversarial training


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9, 11])
def test_the_first_half_stays_and_the_second_is_attacked_within_epsilon(count):
    method = EnsembleAdversarial([network(seed) for seed in range(4)], RECIPE, False)
    for _ in range(5):
        inputs, targets = method.batch(network(9), images(count), labels(count), 1.0)
        change = (inputs - images(count)).abs().flatten(1)
        assert torch.equal(inputs[: count // 2], images(count)[: count // 2])
        assert (change[count // 2 :].amax(1) > 0.01).all()
        assert float(change.max()) <= 0.2
        assert 0 <= float(inputs.min()) <= float(inputs.max()) <= 1
        assert torch.equal(targets, labels(count))


def test_a_quarter_is_crafted_on_the_pool_and_a_quarter_on_the_model_itself(asked):
    model, pool = network(9), [network(seed) for seed in range(4)]
    EnsembleAdversarial(pool, RECIPE, False).batch(model, images(8), labels(8), 0.15)
    strangers, own = asked
    assert {id(member) for member in strangers["model"].models} <= {id(member) for member in pool}
    assert own["model"] is model
    for call, part in ((strangers, slice(4, 6)), (own, slice(6, 8))):
        assert torch.equal(call["images"], images(8)[part])
        assert torch.equal(call["labels"], labels(8)[part])
    assert strangers["epsilon"] == 0.2, "the pool stands still: it is met with the whole from the start"
    assert (own["epsilon"], own["steps"]) == (pytest.approx(0.1), 3), "as in adversarial training"


def test_what_is_crafted_raises_the_loss_and_leaves_no_gradient_anywhere():
    model, pool = network(9), [network(seed) for seed in range(4)]
    method = EnsembleAdversarial(pool, RECIPE, False)

    def losses(inputs, part, models):
        return [nn.functional.cross_entropy(each(inputs[part]), labels(8)[part]).item() for each in models]

    for _ in range(20):
        inputs, _ = method.batch(model, images(8), labels(8), 1.0)
        for part, models in ((slice(4, 6), pool), (slice(6, 8), [model])):
            before, after = losses(images(8), part, models), losses(inputs, part, models)
            assert any(later > earlier for earlier, later in zip(before, after, strict=True))
    assert all(parameter.grad is None for each in (*pool, model) for parameter in each.parameters())
    assert not any(module.training for member in pool for module in member.modules()), "they stand still"


def test_every_member_is_used_alone_and_together_in_one_step_and_in_several(asked):
    pool = [network(seed) for seed in range(5)]
    method = EnsembleAdversarial(pool, RECIPE, False)
    for _ in range(100):
        method.batch(network(9), images(), labels(), 0.0)
    strangers = asked[::2]
    together = [list(call["model"].models) for call in strangers]
    assert {len(each) for each in together} == {1, 3}
    assert {id(each[0]) for each in together if len(each) == 1} == {id(member) for member in pool}
    assert all(len({id(member) for member in each}) == len(each) for each in together), "nobody twice"
    assert {(call["steps"], call["random_start"]) for call in strangers} == {(1, False), (1, True), (5, True)}


def test_a_pool_of_one_or_two_is_enough(asked):
    for size in (1, 2):
        method = EnsembleAdversarial([network(seed) for seed in range(size)], RECIPE, False)
        for _ in range(20):
            method.batch(network(9), images(), labels(), 0.0)
    assert {len(list(call["model"].models)) for call in asked[::2]} == {1, 2}


def test_torchs_generator_decides_what_is_drawn():
    method, found = EnsembleAdversarial([network(seed) for seed in range(4)], RECIPE, False), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(torch.cat([method.batch(network(9), images(), labels(), 1.0)[0] for _ in range(3)]))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_each_member_attacks_its_share_of_the_validation_samples_once():
    pool = [network(seed) for seed in range(3)]
    method = EnsembleAdversarial(pool, RECIPE, False)
    found, truth = method.attacked(Untouchable(), (images(), labels()))
    assert torch.equal(truth, labels())
    for number, member in enumerate(pool):
        share = slice(3 * number, 3 * number + 3)
        clean = images()[share].requires_grad_()
        loss = nn.functional.cross_entropy(member(clean), labels()[share], reduction="sum")
        step = 0.2 * torch.autograd.grad(loss, clean)[0].sign()
        torch.testing.assert_close(found[share], (clean.detach() + step).clamp(0, 1))
    for member in pool:
        member[2].weight.data.zero_()
    assert torch.equal(method.attacked(Untouchable(), (images(), labels()))[0], found), "the same after every epoch"
