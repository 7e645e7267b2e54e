import pytest
import torch

from kerckhoffs import data, zoo
from kerckhoffs.attacks import deepfool, universal
from kerckhoffs.attacks.universal import apply, fit
from tests.linear import Linear, random_linear
from tests.states import every_state, states

# Two images that no v fools both: one pixel that must fall from 0.6, or rise from 0.4, beyond 0.5.
TORN = Linear(torch.tensor([[0.5], [-0.5]]), torch.tensor([-0.25, 0.25]))
BOTH = torch.tensor([[[[0.6]]], [[[0.4]]]]), torch.tensor([0, 1])


def test_one_image_gives_deepfools_step_clipped():
    model, images = random_linear(classes=2, count=1)
    label = model(images).argmax(1)
    step = deepfool(model, images, label) - images
    v = fit(model, images, label, epsilon=1.0, passes=1)
    torch.testing.assert_close(v, step)
    limit = float(step.abs().max()) / 2
    torch.testing.assert_close(fit(model, images, label, epsilon=limit, passes=1), step.clamp(-limit, limit))


@every_state
def test_what_is_switched_on_around_the_fit_changes_nothing(state):
    model, images = random_linear(classes=3, count=4)
    labels = model(images).argmax(1)
    expected = fit(model, images, labels)
    with state():
        before = states()
        v = fit(model, images.clone(), labels.clone())
        assert states() == before
    torch.testing.assert_close(v, expected, atol=1e-6, rtol=0)
    assert not v.is_inference()


def test_the_second_image_starts_from_what_the_first_has_left():
    """Both images need pixel 0 to rise, by 0.2 and by 0.3; the second adds the missing 0.1."""
    model = Linear(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([0.7, 0.0]))
    images, labels = torch.tensor([[[[0.5, 0.1]]], [[[0.4, 0.9]]]]), torch.tensor([0, 0])
    seen = []
    v = fit(model, images, labels, epsilon=0.5, on_fit=lambda done, total, v: bool(seen.append((done, total, v))))
    assert [each[:2] for each in seen] == [(1, 20), (2, 20)]
    assert [float(each[2][0, 0, 0, 0]) for each in seen] == pytest.approx([0.204, 0.3], abs=0.003)
    torch.testing.assert_close(v, seen[-1][2])


@pytest.mark.parametrize(("rate", "passes"), [(0.5, 1), (1.0, 3)])
def test_the_fit_ends_at_its_rate(rate, passes):
    seen = []
    fit(
        TORN,
        *BOTH,
        epsilon=0.5,
        fooling_rate=rate,
        passes=3,
        on_fit=lambda done, total, v: bool(seen.append(done)),
    )
    assert max(seen) <= 2 * passes
    assert (max(seen) > 2) == (passes > 1)


def test_what_is_misread_without_v_plays_no_part():
    model, images = random_linear(classes=2, count=6)
    labels = model(images).argmax(1)
    wrong = labels.clone()
    wrong[3:] = 1 - wrong[3:]
    expected = fit(model, images[:3], labels[:3])
    assert torch.equal(fit(model, images, wrong), expected)
    assert torch.equal(fit(model, images, 1 - labels), torch.zeros(1, 1, 6, 6))


def test_fitted_once_it_applies_to_any_batch_as_the_attack_does():
    model, images = random_linear(classes=3, count=60)
    labels = model(images).argmax(1)
    training = images[:30], labels[:30]
    options = {"epsilon": 0.1, "passes": 2}
    v = fit(model, *training, **options)
    assert v.shape == (1, 1, 6, 6)
    assert v.abs().max() == pytest.approx(0.1)
    moved = apply(images[30:], v, 0.1)
    fooled = model(moved).argmax(1) != labels[30:]
    assert 0 < fooled.sum() < 30
    attacked = universal(model, images[30:], labels[30:], training=training, perturb_all=True, **options)
    assert torch.equal(attacked, moved)
    kept = universal(model, images[30:], labels[30:], training=training, **options)
    assert torch.equal(kept, torch.where(fooled[:, None, None, None], moved, images[30:]))


def test_it_fools_digits_that_it_has_not_seen_and_noise_does_not():
    model = zoo.load("mnist-table1-classical")
    images, labels = data.load("mnist", indices=range(120))
    v = fit(model, images[:15], labels[:15], passes=2)
    noise = 0.3 * torch.rand(v.shape, generator=torch.Generator().manual_seed(0)).sub(0.5).sign()
    by_v, by_noise = ((model(apply(images[25:], each, 0.3)).argmax(1) != labels[25:]).sum() for each in (v, noise))
    assert by_v >= 15
    assert by_v > 3 * by_noise


def test_bad_training_images_and_options_are_refused():
    model, images = random_linear(classes=2, count=2)
    labels = model(images).argmax(1)
    with pytest.raises(ValueError, match=r"images must lie in \[0, 1\]"):
        universal(model, images, labels, training=(images + 1, labels))
    with pytest.raises(ValueError, match=r"labels must be int64 of shape \(2,\)"):
        universal(model, images, labels, training=(images, labels[:1]))
    with pytest.raises(ValueError, match="passes must be between 1 and 1000, but is 0"):
        fit(model, images, labels, passes=0)
