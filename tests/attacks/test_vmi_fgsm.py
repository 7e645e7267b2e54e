import pytest
import torch
import torchattacks

from kerckhoffs import data, zoo
from kerckhoffs.attacks import mi_fgsm, vmi_fgsm
from tests.linear import Linear
from tests.peers import Doubled, Single, targeted_peer

OPTIONS = {"epsilon": 0.1, "iterations": 4, "perturb_all": True}


class Drawn:
    """A tensor whose `uniform_` draws what our generator would."""

    def __init__(self, images, generator):
        self.shape, self.generator = images.shape, generator

    def uniform_(self, low, high):
        return low + (high - low) * torch.rand(self.shape, generator=self.generator)


def digits(model_id):
    images, labels = data.load("mnist", indices=range(6))
    return zoo.load(model_id), images, labels


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize(("arithmetic", "wrapped"), [("exact", Doubled), ("float32", Single)])
def test_it_is_torchattacks_with_the_same_neighbours(monkeypatch, targeted, arithmetic, wrapped):
    model, images, labels = digits("mnist-table2-classical")
    goal = (labels + 1) % 10 if targeted else labels
    ours = vmi_fgsm(model, images, goal, targeted=targeted, samples=3, arithmetic=arithmetic, **OPTIONS)
    generator = torch.Generator().manual_seed(0)
    monkeypatch.setattr(torch, "randn_like", lambda like: Drawn(like, generator))
    peer = torchattacks.VMIFGSM(wrapped(model), eps=0.1, alpha=0.025, steps=4, N=3)
    theirs = targeted_peer(peer, targeted)(images, goal)
    same = ((ours - theirs).abs() < 1e-6).float().mean()
    assert same > 0.999, "but for a last bit in a gradient next to 0"
    assert not torch.allclose(ours, mi_fgsm(model, images, goal, targeted=targeted, arithmetic=arithmetic, **OPTIONS))


@pytest.mark.parametrize("neighbours", [{"samples": 0}, {"bound": 0.0, "samples": 2}])
def test_without_neighbours_or_with_itself_as_its_neighbours_it_is_mi_fgsm(neighbours):
    model, images, labels = digits("mnist-table1-classical")
    ours = vmi_fgsm(model, images, labels, **neighbours, **OPTIONS)
    torch.testing.assert_close(ours, mi_fgsm(model, images, labels, **OPTIONS), atol=1e-6, rtol=0)


def test_a_neighbour_weighs_what_the_cross_entropy_gives_it_however_sure_the_model_is():
    """At a lead of 300 logits 1 - p_y is 0 in float32 and float64 alike; between neighbours it differs by e^20 a pixel.

    Pixel 1 counts for class 1 where pixel 0 is low, and against it where pixel 0 is high. The model is less sure
    there, so that side decides in the mean of J's gradients, which in the mean of u's would all but cancel out.
    """

    class Bent(torch.nn.Module):
        def forward(self, images):
            x, y = images.flatten(1).T
            return torch.stack([300 + 0 * x, 100 * (x - 0.5) + torch.where(x < 0.5, 3 * y, -2 * y)], 1)

    image, label = torch.full((1, 1, 1, 2), 0.5), torch.tensor([0])
    seen = []
    vmi_fgsm(
        Bent(),
        image,
        label,
        epsilon=0.2,
        iterations=2,
        decay=0.0,
        on_step=lambda step: seen.append(step.current - image),
    )
    (first, then) = torch.stack(seen)[:, 0, 0, 0]
    assert first.tolist() == pytest.approx([0.1, -0.1])
    assert then.tolist() == pytest.approx([0.2, -0.2])


def test_the_neighbours_lie_as_far_away_as_is_said_and_in_the_last_step_there_are_none():
    class Watching(Linear):
        seen = ()

        def forward(self, images):
            self.seen = (*self.seen, images.detach().clone())
            return super().forward(images)

    model, image = Watching(torch.eye(3)), torch.tensor([[[[0.9, 0.5, 0.1]]]])
    vmi_fgsm(model, image, torch.tensor([0]), epsilon=0.1, iterations=2, samples=50, bound=2.0, perturb_all=True)
    assert len(model.seen) == 1 + 1 + 50 + 1 + 1  # the clean look, the start, its neighbours, two steps
    away = (torch.cat(model.seen[2:52]) - image).abs()
    assert 0.19 < away.max() <= 0.2 + 1e-6
