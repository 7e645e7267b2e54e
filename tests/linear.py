"""Linear models, whose boundaries are known: what the tests of the attacks measure against."""

import torch
from torch import nn


class Linear(nn.Module):
    """Logits W x + b; it counts what it is asked."""

    def __init__(self, weight, bias=0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.as_tensor(weight))
        self.register_buffer("bias", torch.as_tensor(bias))
        self.forwards = self.queries = self.backwards = 0

    def forward(self, images):
        self.forwards += 1
        self.queries += len(images)
        logits = images.flatten(1) @ self.weight.T + self.bias
        if logits.requires_grad:
            logits.register_hook(self._count)
        return logits

    def _count(self, gradient):
        self.backwards += 1


def random_linear(classes, depth=0.5, side=6, scale=1.0, count=12):
    """A frozen model, and images that lie this deep inside their classes and, unless deep, far from the box."""
    generator = torch.Generator().manual_seed(0)
    weight = scale * torch.randn(classes, side * side, generator=generator)
    noise = 0.05 * torch.randn(count, side * side, generator=generator)
    inward = nn.functional.normalize(weight)[torch.arange(count) % classes]
    images = (0.5 + noise + depth * inward).clamp(0, 1).view(count, 1, side, side)
    return Linear(weight, -0.5 * weight.sum(1)).requires_grad_(False), images


def boundaries(model, images, labels, norm):
    """How far each image is from each class of a linear model, (N, K), if the box is far; infinite for its own."""
    with torch.no_grad():
        logits, weight = model(images), model.weight
        margin = logits.gather(1, labels[:, None]) - logits
        towards = weight - weight[labels][:, None]  # (N, K, pixels)
        if norm == "l0":  # the pixels that gain most, up to the walls of the box
            pixels = images.flatten(1)[:, None]
            gain = torch.maximum(towards * (1 - pixels), -towards * pixels).sort(2, descending=True).values.cumsum(2)
            distance = 1.0 + (gain <= margin[..., None]).sum(2)
        else:
            distance = margin / towards.norm(p={"l2": 2, "linf": 1}[norm], dim=2)
        return distance.scatter(1, labels[:, None], torch.inf)


def sizes(adversarial, images, norm):
    """The size of each perturbation, (N,); in l0 the pixels that changed, however little."""
    delta = (adversarial - images).detach()
    if norm == "l0":
        return (delta != 0).any(1).flatten(1).sum(1).float()
    return delta.flatten(1).norm(p={"l2": 2, "linf": torch.inf}[norm], dim=1)
