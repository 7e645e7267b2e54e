"""The linf attacks by the sign of the gradient: one or more steps, computed by hand."""

import pytest
import torch
import torchattacks
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from kerckhoffs import data, zoo
from kerckhoffs.attacks import ATTACKS, apgd, bim, ddn, fgsm, illc, mi_fgsm, otcm, pgd, rand_fgsm, vmi_fgsm
from kerckhoffs.attacks.geometry import into_ball
from kerckhoffs.attacks.sign import cross_entropy, rounded
from tests.linear import Linear
from tests.peers import Doubled, Single, targeted_peer

ONE = torch.tensor([0])


class Hill(nn.Module):
    """Class 1 is most likely where pixel 0 is 0.3, and where pixel 1 is 1; class 0 always leads."""

    def forward(self, images):
        x, y = images.flatten(1).T
        return torch.stack([0 * x + 30, y - 10 * (x - 0.3).square()], 1)


def identity():
    """The pixels are the logits."""
    return Linear(torch.eye(3))


def picture(*pixels):
    return torch.tensor([[[list(pixels)]]])


def trajectory(attack, model, image, label, **options):
    """The pixels after each step, (steps, pixels)."""
    seen = []
    attack(model, image, torch.tensor([label]), on_step=lambda step: seen.append(step.current.flatten()), **options)
    return torch.stack(seen)


def test_bim_takes_small_steps_and_stops_at_the_ball_and_at_the_box():
    seen = trajectory(bim, identity(), picture(0.9, 0.5, 0.05), 0, epsilon=0.15, step_size=0.1, iterations=2)
    torch.testing.assert_close(seen, torch.tensor([[0.8, 0.6, 0.15], [0.75, 0.65, 0.2]]))
    seen = trajectory(
        bim, identity(), picture(0.9, 0.5, 0.05), 2, epsilon=0.15, step_size=0.1, iterations=2, targeted=True
    )
    torch.testing.assert_close(seen, torch.tensor([[0.8, 0.4, 0.15], [0.75, 0.35, 0.2]]))
    seen = trajectory(bim, identity(), picture(0.9, 0.95, 0.05), 1, epsilon=0.15, step_size=0.1, iterations=1)
    torch.testing.assert_close(seen, torch.tensor([[1.0, 0.85, 0.15]]))


def test_bim_keeps_the_last_step_that_fools():
    """With steps of 0.3 from 0.5 / 0.4 the second is farther in the wrong class than the first."""
    found = bim(identity(), picture(0.5, 0.4, 0.0), ONE, epsilon=0.4, step_size=0.3, iterations=2)
    torch.testing.assert_close(found, picture(0.1, 0.8, 0.4))


def test_otcm_goes_to_the_least_likely_class_or_to_the_target():
    least = otcm(identity(), picture(0.9, 0.5, 0.1), ONE, epsilon=0.2, perturb_all=True)
    torch.testing.assert_close(least, picture(0.7, 0.3, 0.3))
    to_1 = otcm(identity(), picture(0.9, 0.5, 0.1), torch.tensor([1]), targeted=True, epsilon=0.2, perturb_all=True)
    torch.testing.assert_close(to_1, picture(0.7, 0.7, 0.0))


def test_illc_goes_on_to_the_class_that_was_least_likely_at_first():
    """After the first step it is class 1 that is least likely."""
    seen = trajectory(illc, identity(), picture(0.9, 0.3, 0.2), 0, epsilon=0.2, step_size=0.1, iterations=3)
    torch.testing.assert_close(seen, torch.tensor([[0.8, 0.2, 0.3], [0.7, 0.1, 0.4], [0.7, 0.1, 0.4]]))


def test_any_wrong_class_is_a_success_of_the_least_likely_methods():
    """Class 1 wins on the way to class 2, which cannot be reached."""
    model = Linear(torch.tensor([[1.0, 0.0], [0.9, 0.0], [-0.1, 0.0]]), torch.tensor([0.0, 0.04, -1.0]))
    image, goal = picture(0.5, 0.5), picture(0.3, 0.5)
    torch.testing.assert_close(otcm(model, image, ONE, epsilon=0.2), goal)
    torch.testing.assert_close(illc(model, image, ONE, epsilon=0.2, step_size=0.1, iterations=2), goal)


def test_mi_fgsm_is_carried_on_by_its_momentum():
    """Gradients / l1: (2, 1) / 3, (0, 1), (-2, 1) / 3; with decay 1/2 the sums of pixel 0 are 2/3, 1/3, -1/2."""
    options = {"epsilon": 0.3, "iterations": 3}
    seen = trajectory(mi_fgsm, Hill(), picture(0.2, 0.2), 0, decay=0.5, **options)
    torch.testing.assert_close(seen, torch.tensor([[0.3, 0.3], [0.4, 0.4], [0.3, 0.5]]))
    seen = trajectory(mi_fgsm, Hill(), picture(0.2, 0.2), 0, decay=2.0, **options)  # 2/3, 4/3, 2
    torch.testing.assert_close(seen, torch.tensor([[0.3, 0.3], [0.4, 0.4], [0.5, 0.5]]))


def test_rand_fgsm_takes_the_gradient_where_the_random_step_ended():
    """From 0.25 a step of 0.1 either way goes beyond the top of the hill or away from it."""
    images = picture(0.25, 0.5).repeat(8, 1, 1, 1)
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(3)).sign()
    labels = torch.zeros(8, dtype=torch.int64)
    options = {"epsilon": 0.15, "random_share": 2 / 3, "perturb_all": True}
    moved = rand_fgsm(Hill(), images, labels, generator=generator, **options)
    start = images + 0.1 * noise
    back = torch.tensor([0.3, 1.0]) - start
    assert noise[..., 0].unique().tolist() == [-1, 1]
    torch.testing.assert_close(moved, start + 0.05 * back.sign())


def test_rand_fgsm_without_a_random_step_is_one_step_of_bim():
    images = picture(0.9, 0.5, 0.1)
    options = {"epsilon": 0.2, "perturb_all": True}
    expected = bim(identity(), images, ONE, step_size=0.2, iterations=1, **options)
    assert torch.equal(rand_fgsm(identity(), images, ONE, random_share=0.0, **options), expected)


def test_pgd_starts_anywhere_in_the_ball():
    images = torch.full((400, 1, 2, 3), 0.5)
    labels = torch.zeros(400, dtype=torch.int64)
    flat = Linear(torch.zeros(3, 6), torch.tensor([1.0, 0.0, 0.0]))  # no gradient moves it
    moved = pgd(flat, images, labels, epsilon=0.2, iterations=1, perturb_all=True)
    delta = (moved - images) / 0.2
    assert delta.abs().max() <= 1
    assert delta.abs().max() > 0.99
    assert delta.mean().abs() < 0.05
    assert delta.abs().mean() == pytest.approx(0.5, abs=0.03)


def test_pgd_restarts_only_what_has_not_been_turned():
    stubborn = Linear(torch.zeros(2, 3), torch.tensor([1.0, 0.0]))
    options = {"epsilon": 0.3, "step_size": 0.3, "iterations": 2}
    assert len(trajectory(pgd, stubborn, picture(0.5, 0.5, 0.5), 0, restarts=3, **options)) == 6
    assert len(trajectory(pgd, stubborn, picture(0.5, 0.5, 0.5), 0, random_start=False, **options)) == 2
    assert len(trajectory(pgd, identity(), picture(0.6, 0.5, 0.5), 0, restarts=3, **options)) == 2


@pytest.mark.parametrize("attack", [pgd, apgd])
def test_a_random_start_that_fools_is_an_example(attack):
    """The model is fooled below 0.7, and its gradient points up: each step leaves what the start has found."""
    rising = Linear(torch.tensor([[0.0], [1.0]]), torch.tensor([0.0, 0.0]))

    class Torn(torch.nn.Module):
        def forward(self, images):
            logits = rising(images)  # a gradient towards class 1 ...
            below = (images.flatten(1) < 0.7).float() * 2 - 1
            return logits + (torch.cat([-below, below], 1) - logits).detach()  # ... which is said below 0.7

    image = torch.full((1, 1, 1, 1), 0.75)
    found = attack(Torn(), image, torch.tensor([0]), epsilon=0.25, iterations=5, restarts=20)
    assert float(found) < 0.7


def test_the_margin_moves_two_classes_only():
    options = {"epsilon": 0.1, "step_size": 0.1, "iterations": 1, "random_start": False}
    seen = trajectory(pgd, identity(), picture(0.9, 0.5, 0.3), 0, loss="margin", **options)
    torch.testing.assert_close(seen, torch.tensor([[0.8, 0.6, 0.3]]))
    seen = trajectory(pgd, identity(), picture(0.9, 0.5, 0.3), 0, loss="ce", **options)
    torch.testing.assert_close(seen, torch.tensor([[0.8, 0.6, 0.4]]))


@given(st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=6))
def test_what_is_climbed_is_the_cross_entropy_under_a_rising_function(values):
    logits, label = torch.tensor([values], dtype=torch.float64), torch.tensor([1])
    loss = functional.cross_entropy(logits, label, reduction="none")
    torch.testing.assert_close(functional.softplus(cross_entropy(logits, label, False)), loss)
    assert torch.equal(cross_entropy(logits, label, True), -cross_entropy(logits, label, False))


def test_a_confident_model_still_gives_a_direction():
    """exp(-200) is 0 in float32: the cross-entropy is flat there."""
    moved = bim(Linear(200 * torch.eye(3)), picture(1.0, 0.0, 0.0), ONE, epsilon=0.6, step_size=0.2, iterations=3)
    torch.testing.assert_close(moved, picture(0.4, 0.6, 0.6))


@given(st.floats(0, 1, width=32), st.floats(-2, 2, width=32), st.floats(0, 1))
@example(float(torch.tensor(1.6e-8)), 0.3, 0.25)  # the excess is lost where float32 numbers are subtracted
def test_into_ball_keeps_to_the_last_bit(pixel, moved, epsilon):
    image = torch.tensor([[[[pixel]]]])
    inside = into_ball(torch.tensor([[[[moved]]]]), image, epsilon)
    assert float((inside.double() - image.double()).abs()) <= epsilon
    assert 0 <= float(inside) <= 1


@pytest.mark.parametrize("targeted", [False, True])
def test_they_are_torchattacks_where_nothing_saturates(targeted):
    """torchattacks on float64 logits, because in float32 the cross-entropy of a confident prediction is flat."""
    model = zoo.load("mnist-table2-classical")
    images, labels = data.load("mnist", indices=range(8))
    goal = (labels + 1) % 10 if targeted else labels
    pairs = (
        (bim, {"step_size": 0.02}, torchattacks.BIM, {"alpha": 0.02}),
        (mi_fgsm, {}, torchattacks.MIFGSM, {"alpha": 0.02}),
        (pgd, {"step_size": 0.02, "random_start": False}, torchattacks.PGD, {"alpha": 0.02, "random_start": False}),
    )
    for attack, options, peer, peer_options in pairs:
        ours = attack(model, images, goal, targeted=targeted, epsilon=0.1, iterations=5, perturb_all=True, **options)
        theirs = targeted_peer(peer(Doubled(model), eps=0.1, steps=5, **peer_options), targeted)(images, goal)
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


# The arithmetic of other libraries

STEPS = {
    "fgsm": (fgsm, {}),
    "rand_fgsm": (rand_fgsm, {"random_share": 0.0}),
    "bim": (bim, {"step_size": 0.1, "iterations": 1}),
    "mi_fgsm": (mi_fgsm, {"iterations": 1}),
    "vmi_fgsm": (vmi_fgsm, {"iterations": 1}),
    "pgd": (pgd, {"step_size": 0.1, "iterations": 1, "random_start": False}),
    "apgd": (apgd, {"iterations": 1, "random_start": False}),
}
ONES_THAT_AIM = {"otcm": (otcm, {}), "illc": (illc, {"step_size": 0.1, "iterations": 1})}


def test_every_attack_with_the_option_is_tried_below():
    with_it = {each.id for each in ATTACKS.values() if any(option.name == "arithmetic" for option in each.options)}
    assert with_it == {*STEPS, *ONES_THAT_AIM, "ddn"}


@pytest.mark.parametrize("id", STEPS)
def test_in_float32_the_label_of_a_confident_prediction_is_left_out(id):
    """1 - p_0 is 4e-9, which float32 rounds to 0; the gradient is then that of the other classes alone."""
    attack, options = STEPS[id]
    model, image = Linear(torch.tensor([[20.0, 20.0], [-1.0, 2.0]])), picture(0.5, 0.5)
    options |= {"epsilon": 0.1, "perturb_all": True}
    exact, float32 = (attack(model, image, ONE, arithmetic=each, **options) for each in ("exact", "float32"))
    torch.testing.assert_close(exact, picture(0.4, 0.4))
    torch.testing.assert_close(float32, picture(0.4, 0.6))


def test_ddn_in_float32_leaves_out_the_label_too():
    """Its first step has length 1 along the gradient, and is cut to 1.05 of the first norm."""
    model, image = Linear(torch.tensor([[20.0, 20.0], [-1.0, 2.0]])), picture(0.5, 0.5)
    for arithmetic, goal in (("exact", (-21.0, -18.0)), ("float32", (-1.0, 2.0))):
        seen = trajectory(ddn, model, image, 0, iterations=1, initial_norm=0.1, arithmetic=arithmetic)
        step = functional.normalize(torch.tensor([goal])) * 0.105
        torch.testing.assert_close(seen, torch.tensor([[0.5, 0.5]]) + step)


@pytest.mark.parametrize("id", ONES_THAT_AIM)
def test_methods_that_aim_at_a_class_part_where_the_model_is_sure_of_it(id):
    attack, options = ONES_THAT_AIM[id]
    model, image = Linear(torch.tensor([[20.0, 20.0], [-1.0, 2.0]])), picture(0.5, 0.5)
    options |= {"epsilon": 0.1, "perturb_all": True}
    for label, goal in ((0, picture(0.6, 0.4)), (1, picture(0.4, 0.4))):
        moved = attack(model, image, torch.tensor([label]), targeted=True, arithmetic="float32", **options)
        torch.testing.assert_close(moved, goal)
        exact = attack(model, image, torch.tensor([label]), targeted=True, **options)
        torch.testing.assert_close(exact, picture(0.6, 0.6) if label == 0 else goal)


@pytest.mark.parametrize(
    ("lead", "label", "other"), [(16, True, True), (18, False, True), (103, False, True), (105, False, False)]
)
def test_from_which_lead_on_float32_leaves_out_what(lead, label, other):
    logits = torch.tensor([[float(lead), 0.0]], requires_grad=True)
    (gradient,) = torch.autograd.grad(rounded(logits, ONE, False).sum(), logits)
    assert (gradient != 0).tolist() == [[label, other]]
    (gradient,) = torch.autograd.grad(cross_entropy(logits, ONE, False).sum(), logits)
    assert gradient.tolist() == [[-1.0, 1.0]]


@pytest.mark.parametrize("id", STEPS)
def test_in_float32_a_gradient_of_zeros_takes_no_step(id):
    attack, options = STEPS[id]
    model, image = Linear(200 * torch.eye(3)), picture(1.0, 0.0, 0.0)
    options |= {"epsilon": 0.1, "perturb_all": True, "arithmetic": "float32"}
    assert torch.equal(attack(model, image, ONE, **options), image)


def test_momentum_carries_on_over_a_gradient_of_zeros():
    class Plateau(nn.Module):
        def forward(self, images):
            x = images.flatten(1)
            return torch.cat([torch.where(x > 0.15, 500.0, 0.0), x], 1)  # sure of class 0 beyond 0.15

    options = {"epsilon": 0.2, "iterations": 2, "arithmetic": "float32", "perturb_all": True}
    seen = trajectory(mi_fgsm, Plateau(), picture(0.1), 0, **options)
    torch.testing.assert_close(seen, torch.tensor([[0.2], [0.3]]))


@pytest.mark.parametrize("model_id", ["mnist-table1-classical", "fashion-mnist-table1-classical"])
@pytest.mark.parametrize("targeted", [False, True])
def test_in_float32_they_are_torchattacks_on_the_shipped_networks(model_id, targeted):
    """As torchattacks is, on float32 logits, where most predictions are confident."""
    model = zoo.load(model_id)
    images, labels = data.load(zoo.card(model_id).dataset, indices=range(16))
    goal = (labels + 1) % 10 if targeted else labels
    pairs = (
        (fgsm, {}, torchattacks.FGSM, {}),
        (bim, {"step_size": 0.02, "iterations": 5}, torchattacks.BIM, {"alpha": 0.02, "steps": 5}),
        (mi_fgsm, {"iterations": 5}, torchattacks.MIFGSM, {"alpha": 0.02, "steps": 5}),
        (
            pgd,
            {"step_size": 0.02, "iterations": 5, "random_start": False},
            torchattacks.PGD,
            {"alpha": 0.02, "steps": 5, "random_start": False},
        ),
    )
    for attack, options, peer, peer_options in pairs:
        options |= {"epsilon": 0.1, "perturb_all": True}
        ours = attack(model, images, goal, targeted=targeted, arithmetic="float32", **options)
        theirs = targeted_peer(peer(Single(model), eps=0.1, **peer_options), targeted)(images, goal)
        same = ((ours - theirs).abs() < 1e-6).float().mean()
        assert same > 0.999, "but for a last bit in a gradient next to 0"
