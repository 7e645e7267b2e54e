"""The paper's keyed transform: the same pixels in a secret order."""

import math

import torch
from torch import Tensor, nn

from kerckhoffs.keys import Key
from kerckhoffs.transforms.base import Shape, Transform, check_key_length


class Permutation(nn.Module):
    """P(x, k)_i = x_argsort(k)_i: the same pixels in a secret order (paper, section 4.3).

    Exact, invertible and differentiable: a permutation only moves values, so distances between two images are
    the same before and after it.

    Args:
        key: one value for every entry of an image, C * H * W of them.
        shape: (C, H, W) of one image.

    Raises:
        ValueError: if the key's length is not C * H * W.
    """

    thread_safe = True
    order: Tensor
    inverse_order: Tensor

    def __init__(self, key: Key, shape: Shape) -> None:
        super().__init__()
        check_key_length(key, math.prod(shape), shape)
        order = torch.from_numpy(key.permutation())
        self.shape = shape
        self.fingerprint = key.fingerprint
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("inverse_order", torch.argsort(order), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Permute images (N, C, H, W) of the transform's shape; others raise ValueError."""
        self._check(images)
        return images.flatten(1).index_select(1, self.order).view(-1, *self.shape)

    def inverse(self, images: Tensor) -> Tensor:
        """Undo `forward`, exactly."""
        self._check(images)
        return images.flatten(1).index_select(1, self.inverse_order).view(-1, *self.shape)

    def _check(self, images: Tensor) -> None:
        if images.ndim != 4 or tuple(images.shape[1:]) != tuple(self.shape):
            needed = ", ".join(str(side) for side in self.shape)
            raise ValueError(f"this transform takes images of shape (N, {needed}), but was given {tuple(images.shape)}")

    def extra_repr(self) -> str:
        """What print(model) shows: the key's public name."""
        return f"fingerprint={self.fingerprint!r}"


PERMUTATION = Transform(
    id="permutation",
    name="Pixel permutation",
    summary="The same pixels in a secret order.",
    make=Permutation,
    key_length=math.prod,
    invertible=True,
    source="Taran et al. 2018, section 4.3",
)
