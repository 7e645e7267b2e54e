"""Transforms that hide nothing: a first convolution can do without the key what it does behind it.

    conv(P(x, k)) = conv'(x)

for every image x, where conv' has the weights of conv in another order (block-wise shuffling), or with other signs and
another bias (block-wise negation). So the networks behind such a key are the networks without it: trained alike they
are alike, and what misleads one misleads the other. It takes a convolution that reads whole blocks: no padding, a
stride and a kernel that are multiples of the block.
"""

import torch
from torch import nn

from kerckhoffs.checks import check_choice
from kerckhoffs.keys import Key
from kerckhoffs.transforms import TRANSFORMS
from kerckhoffs.transforms.base import check_key_length
from kerckhoffs.transforms.blocks import block_length, block_places, chosen_mask

ABSORBABLE = tuple(name for name, entry in TRANSFORMS.items() if entry.absorbable)


def absorbed(convolution: nn.Conv2d, transform: str, key: Key) -> nn.Conv2d:
    """The convolution that does on an image what this one does behind the key, up to the rounding of its sums.

    Raises:
        ValueError: on a transform that is not absorbable, a key of another length, or a convolution that does not read
            whole blocks.
    """
    check_choice(transform, ABSORBABLE, "absorbable transform")
    kind, _, side = transform.partition("-")
    block = int(side)
    channels, (height, width) = convolution.in_channels, (convolution.kernel_size[0], convolution.kernel_size[1])
    steps = (*convolution.stride, height, width)
    if any(step % block for step in steps) or convolution.padding not in ((0, 0), "valid"):
        raise ValueError(f"the convolution must read whole blocks of {block} x {block} without padding")
    if convolution.groups > 1 or convolution.dilation != (1, 1):
        raise ValueError("the convolution must have one group and no dilation")
    shape = (channels, height, width)
    check_key_length(key, block_length(shape, block), shape)
    with torch.no_grad():
        weight = convolution.weight.flatten(1)  # (filters, C * height * width)
        bias = torch.zeros(len(weight), dtype=weight.dtype) if convolution.bias is None else convolution.bias
        if kind == "shuffle":
            places = torch.from_numpy(block_places(shape, block))
            new = torch.empty_like(weight)
            new[:, places[:, torch.from_numpy(key.permutation())]] = weight[:, places]
        else:
            mask = torch.from_numpy(chosen_mask(key.values, shape, block)).flatten()
            new = torch.where(mask, -weight, weight)
            bias = bias + weight[:, mask].sum(1)
        made: nn.Conv2d = nn.utils.skip_init(  # nothing is drawn from torch's global generator
            nn.Conv2d, channels, len(weight), (height, width), stride=convolution.stride, dtype=weight.dtype
        )
        made.load_state_dict({"weight": new.view_as(convolution.weight), "bias": bias})
    return made
