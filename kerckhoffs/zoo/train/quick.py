"""The same convolutions, computed in the way that costs a CPU least when gradients of the images are wanted.

Adversarial training asks for many of those. On a CPU the gradient of a strided convolution with few input channels
takes ten times its forward pass, and that of one whose kernel is as large as its input could be a matrix product. Both
have an equivalent that is a multiple faster (benchmarks/convolutions.py measures it); only last bits differ, so
networks are quickened while they learn, and are as they were afterwards.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEW = 4  # input channels


class QuickConv2d(nn.Conv2d):
    """nn.Conv2d with the same parameters and, up to rounding, the same results."""

    def forward(self, images: Tensor) -> Tensor:
        """As nn.Conv2d's."""
        if self.padding == (0, 0) and tuple(images.shape[2:]) == self.kernel_size:
            assert self.bias is not None  # nor is any other quickened
            flat = images.permute(0, 2, 3, 1).flatten(1) @ self.weight.permute(2, 3, 1, 0).flatten(0, 2)
            return (flat + self.bias)[:, :, None, None]
        if self._splits(images):
            step = self.stride[0]
            across, along = int(self.padding[1]), int(self.padding[0])
            padded = F.pad(images, (across, across, along, along))
            return F.conv2d(_apart(padded, step), _apart(self.weight, step), self.bias)
        return super().forward(images)

    def _splits(self, images: Tensor) -> bool:
        """Whether image and kernel can be taken apart into as many images as a step has pixels."""
        step = self.stride[0]
        sides = (images.shape[2] + 2 * int(self.padding[0]), images.shape[3] + 2 * int(self.padding[1]))
        whole = all(side % step == 0 for side in (*sides, *self.kernel_size))
        return self.stride == (step, step) and step > 1 and self.in_channels <= FEW and whole


def _apart(images: Tensor, step: int) -> Tensor:
    """Every step-th pixel as a channel of its own: a convolution with this step becomes one with step 1."""
    return F.pixel_unshuffle(images, step).contiguous(memory_format=torch.channels_last)


def quicken(network: nn.Module, on: bool = True) -> nn.Module:
    """Let a network's plain convolutions be computed so, or no longer; returns the network."""
    old, new = (nn.Conv2d, QuickConv2d) if on else (QuickConv2d, nn.Conv2d)
    for module in network.modules():
        if type(module) is old and _plain(module):
            module.__class__ = new
    return network


def _plain(module: nn.Conv2d) -> bool:
    dense = module.groups == 1 and module.dilation == (1, 1) and module.bias is not None
    return dense and module.padding_mode == "zeros" and not isinstance(module.padding, str)
