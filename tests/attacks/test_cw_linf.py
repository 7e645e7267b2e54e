import pytest
import torch

from kerckhoffs.attacks import cw_linf
from kerckhoffs.attacks.cw import to_w, to_x
from tests.linear import Linear, boundaries, random_linear, sizes

MODEST = {"solver": "reference", "max_iterations": 100, "learning_rate": 0.01, "initial_const": 0.3}
each_solver = pytest.mark.parametrize("options", [{}, MODEST], ids=["fast", "reference"])


@each_solver
@pytest.mark.parametrize("targeted", [False, True])
def test_it_finds_the_only_boundary_of_two_classes(options, targeted):
    model, images = random_linear(classes=2, scale=3.0)
    labels = model(images).argmax(1)
    adversarial = cw_linf(model, images, 1 - labels if targeted else labels, targeted=targeted, **options)
    assert torch.equal(model(adversarial).argmax(1), 1 - labels)
    ratio = sizes(adversarial, images, "linf") / boundaries(model, images, labels, "linf").amin(1)
    assert 1 - 1e-4 <= ratio.min() <= ratio.max() <= 1.05


@each_solver
def test_where_the_box_is_in_the_way(options):
    """The logit must rise by 1.5: 0.1 * 3 from pixel 0, 0.05 from pixel 2, and 3 d from the other two.

    The limits of the reference fall by a tenth each.
    """
    weight = torch.tensor([[0.0, 0.0, 0.0, 0.0], [3.0, 1.0, -1.0, 2.0]])
    image = torch.tensor([0.9, 0.5, 0.05, 0.0]).view(1, 1, 2, 2)
    model = Linear(weight, torch.tensor([0.0, -4.65]))
    assert model(image)[0, 1].item() == pytest.approx(-1.5)
    adversarial = cw_linf(model, image, torch.tensor([0]), **options)
    optimum = (1.5 - 0.3 - 0.05) / 3
    assert optimum <= sizes(adversarial, image, "linf").item() <= (1 / 0.9 if options else 1.05) * optimum


@each_solver
def test_the_wrong_class_leads_by_a_confidence_of_40(options):
    model, images = random_linear(classes=2, scale=10.0)
    labels = model(images).argmax(1)
    adversarial = cw_linf(model, images, labels, confidence=40.0, **options)
    logits = model(adversarial)
    assert (logits.gather(1, 1 - labels[:, None]) - logits.gather(1, labels[:, None])).min() >= 40


def test_the_reference_goes_through_the_limits_and_the_constants():
    """Step by step the loop of the publication for one image, with torch's Adam; no c gets below the last limit."""
    model = Linear(torch.tensor([[0.0, 0.0, 0.0], [30.0, -15.0, 2.0]]), torch.tensor([4.0, 0.0]))
    image, length, rate = torch.tensor([0.2, 0.5, 0.6]).view(1, 1, 1, 3), 40, 0.05
    w = to_w(image).requires_grad_(True)
    origin, limit, const = to_x(w).detach(), 1.0, 0.01
    expected, limits = [origin], [limit]
    while limit > 1 / 256 and const < 20:
        adam, solved = torch.optim.Adam([w], lr=rate), False
        while not solved and const < 20:
            for _ in range(length):
                delta, logits = to_x(w) - origin, model(to_x(w))[0]
                loss = const * (logits[0] - logits[1]).clamp_min(0) + (delta.abs() - limit).clamp_min(0).sum()
                near = loss < 1e-4 * const
                adam.zero_grad()
                loss.backward()
                adam.step()
                expected.append(to_x(w).detach())
                if near and model(expected[-1]).argmax() == 1:
                    solved = True
                    break
            else:
                const *= 2
        if solved:
            limit = 0.9 * min(limit, (expected[-1] - origin).abs().max().item())
            limits.append(limit)
    assert len(limits) > 3
    steps = []
    options = {"solver": "reference", "max_iterations": length, "learning_rate": rate, "initial_const": 0.01}
    result = cw_linf(model, image, torch.tensor([0]), on_step=steps.append, **options)
    walked = torch.cat([step.current for step in steps])
    torch.testing.assert_close(walked, torch.cat(expected)[: len(walked)], atol=1e-3, rtol=0)
    assert len(expected) - 1 <= len(walked) <= len(expected)
    fooling = [x for x in walked if model(x[None]).argmax() == 1]
    assert sizes(result, image, "linf").item() == pytest.approx(min((x - image[0]).abs().max().item() for x in fooling))


def test_what_never_succeeds_comes_back_clean():
    model = Linear(torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([2.5, 0.0]))
    image = torch.tensor([0.3, 0.4]).view(1, 1, 1, 2)
    assert torch.equal(cw_linf(model, image, torch.tensor([0]), **MODEST), image)
