"""The paper's keyed transform: the same pixels in a secret order."""

import math

from kerckhoffs.keys import Key
from kerckhoffs.transforms.base import Reordering, Shape, Transform, log2_orders


class Permutation(Reordering):
    """P(x, k)_i = x_argsort(k)_i: the same pixels in a secret order (paper, section 4.3).

    One order of all C * H * W values: those of a colour image move between the channels too.

    Args:
        key: one value for every entry of an image, C * H * W of them.
        shape: (C, H, W) of one image.

    Raises:
        ValueError: if the key's length is not C * H * W.
    """

    thread_safe = True

    def __init__(self, key: Key, shape: Shape) -> None:
        super().__init__(key, shape, math.prod(shape))
        self.set_order(key.permutation())


PERMUTATION = Transform(
    id="permutation",
    name="Pixel permutation",
    summary="The same pixels in a secret order.",
    make=Permutation,
    key_length=math.prod,
    entropy_bits=lambda shape: log2_orders(math.prod(shape)),
    invertible=True,
    differentiable="exact",
    keeps=("l0", "l2", "linf"),
    absorbable=False,
    absorbed_by="No convolution; a first fully connected layer does, whatever the order.",
    keyless_attack="Examples crafted on a twin that was trained in the same way, behind a key of the attacker's own or "
    "none, carry over; attacks that read the answers alone need no key.",
    source="Taran et al. 2018, section 4.3",
)
