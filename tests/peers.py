"""What it takes to run torchattacks beside our attacks."""

import torch
from torch import nn


class Single(nn.Module):
    """A model that has a parameter, which tells torchattacks the device."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.device_mark = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.eval()

    def forward(self, images):
        return self.model(images)


class Doubled(Single):
    """Likewise, and its logits are float64."""

    def forward(self, images):
        return super().forward(images).double()


def targeted_peer(attack, targeted):
    """An attack of torchattacks that takes the targets as its labels, if targeted."""
    if targeted:
        attack.set_mode_targeted_by_function(lambda images, labels: labels)
    return attack
