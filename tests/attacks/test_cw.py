import pytest
import torch

from kerckhoffs import data, zoo
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.attacks.cw import Adam, margin_slope, penalty, through_w, to_w, to_x
from tests.linear import random_linear


@pytest.fixture(scope="module")
def shipped():
    """A classifier, images, and a target each."""
    images, labels = data.load("mnist", indices=range(13))
    return zoo.load("mnist-table2-classical"), images, (labels + 1 + torch.arange(13) % 9) % 10


def test_adam_is_torchs():
    w = torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    ours, theirs = w.clone(), w.clone().requires_grad_(True)
    adam, reference = Adam(w, 0.02), torch.optim.Adam([theirs], lr=0.02)
    for _ in range(20):
        ours = ours + adam.step(2 * (ours - 0.3))
        theirs.grad = 2 * (theirs.detach() - 0.3)
        reference.step()
    torch.testing.assert_close(ours, theirs.detach(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("rows", [torch.tensor([1]), torch.tensor([False, True, False])], ids=["index", "bool"])
def test_rows_of_adam_that_restart_are_fresh_and_the_others_go_on(rows):
    gradients = torch.randn(6, 3, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    w = torch.zeros(3, 1, 2, 2)
    adam, onward, fresh = Adam(w, 0.1), Adam(w, 0.1), Adam(w, 0.1)
    for gradient in gradients[:4]:
        adam.step(gradient)
        onward.step(gradient)
    adam.restart(rows)
    for gradient in gradients[4:]:
        step = adam.step(gradient)
        torch.testing.assert_close(step[1], fresh.step(gradient)[1])
        torch.testing.assert_close(step[[0, 2]], onward.step(gradient)[[0, 2]])


def test_rows_of_adam_that_stay_go_on():
    gradients = torch.randn(5, 3, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    all_, some, rows = Adam(gradients[0], 0.1), Adam(gradients[0], 0.1), torch.tensor([True, False, True])
    for gradient in gradients[:4]:
        all_.step(gradient)
        some.step(gradient)
    some.keep(rows)
    torch.testing.assert_close(some.step(gradients[4][rows]), all_.step(gradients[4])[rows])


def test_a_row_of_adam_is_the_same_to_the_last_bit_in_whatever_batch():
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn(60, 40, 1, 4, 4, generator=generator)
    many, alone = Adam(gradients[0], 0.01), [Adam(gradients[0, :1], 0.01) for _ in range(40)]
    for number, gradient in enumerate(gradients):
        if number % 9 == 0:  # so that the rows count apart
            many.restart(torch.tensor([number % 40]))
            alone[number % 40].restart(torch.tensor([0]))
        step = many.step(gradient)
        for row, adam in enumerate(alone):
            assert torch.equal(adam.step(gradient[row : row + 1])[0], step[row]), (number, row)


def test_the_change_of_variable_is_finite_and_alive_at_the_walls():
    x = torch.tensor([0.0, 1e-4, 0.3, 0.5, 0.9, 1.0])
    w = to_w(x).requires_grad_(True)
    assert w.isfinite().all()
    torch.testing.assert_close(to_x(w.detach()), x, atol=1e-5, rtol=0)
    (expected,) = torch.autograd.grad(2 * to_x(w).sum(), w)
    assert torch.equal(through_w(torch.full_like(x, 2.0), w.detach()), expected)
    assert (expected > 0).all()


def test_the_slope_is_that_of_the_margin():
    model, images = random_linear(classes=2)
    labels = model(images).argmax(1)
    margin, slope, success = margin_slope(model, images, labels, False, 0.25)
    logits, weight = model(images), model.weight
    torch.testing.assert_close(margin, logits.amax(1) - logits.amin(1) + 0.25)
    torch.testing.assert_close(slope.flatten(1), weight[labels] - weight[1 - labels])
    assert not success.any()
    assert margin_slope(model, images, 1 - labels, False, 0.0)[2].all()


def test_the_penalty_is_c_times_the_hinge_of_the_margin():
    model, images = random_linear(classes=2)
    labels = model(images).argmax(1)
    const = torch.arange(1.0, len(images) + 1)
    value, slope, logits = penalty(model, images, labels, False, 0.25, const)
    torch.testing.assert_close(logits, model(images))
    torch.testing.assert_close(value, const * (logits.amax(1) - logits.amin(1) + 0.25))
    torch.testing.assert_close(slope.flatten(1), const[:, None] * (model.weight[labels] - model.weight[1 - labels]))
    lead = (logits.amax(1) - logits.amin(1)).min() / 2
    value, slope, _ = penalty(model, images, 1 - labels, False, float(lead), const)
    assert (value == 0).all()
    assert (slope == 0).all()


@pytest.mark.parametrize("batch", [1, 3, 4, 7, 13])
def test_a_penalty_does_not_depend_on_the_batch(shipped, batch):
    model, images, targets = shipped
    const = torch.full((13,), 0.3)
    alone = penalty(model, images[:1], targets[:1], True, 0.0, const[:1])
    within = penalty(model, images[:batch], targets[:batch], True, 0.0, const[:batch])
    assert [len(part) for part in within] == [batch] * 3
    for part, one in zip(within, alone, strict=True):  # but for rounding, by the processor
        torch.testing.assert_close(part[:1], one, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("attack", "options"),
    [
        ("cw_l2", {"binary_search_steps": 3, "initial_const": 10.0, "learning_rate": 0.2}),
        ("cw_linf", {"initial_const": 0.3, "learning_rate": 0.05}),
        ("cw_l0", {"initial_const": 1.0, "learning_rate": 0.1}),
    ],
)
def test_the_reference_gives_an_image_the_same_alone_and_in_a_batch(shipped, attack, options):
    """Stopped after 150 steps, because the last limits and sets of pixels take thousands."""
    model, images, targets = shipped
    options |= {"solver": "reference", "max_iterations": 60, "targeted": True}

    def run(rows):
        def stop(step):
            return step.done >= 150

        return ATTACKS[attack].run(model, images[rows], targets[rows], on_step=stop, **options)

    together = run(slice(0, 5))
    assert (together != images[:5]).flatten(1).any(1).sum() >= 4
    for row in (0, 3):
        torch.testing.assert_close(together[row : row + 1], run(slice(row, row + 1)), atol=1e-4, rtol=0)
