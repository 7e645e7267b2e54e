"""Several models as one: what is crafted on their mean fools what they have in common, and so carries over further.

Liu, Chen, Liu and Song, "Delving into transferable adversarial examples and black-box attacks" (ICLR 2017), section 4,
average probabilities; Dong et al. 2018, section 3.2, logits, which they find stronger.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Averaged(nn.Module):
    """The mean of the models' logits: (1 / M) sum_m Z_m(x).

    Args:
        models: images (N, C, H, W) to logits (N, K), at least one.
    """

    thread_safe = True

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        if not models:
            raise ValueError("models must be at least one")
        self.models = nn.ModuleList(models)
        self.train(any(model.training for model in models))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K)."""
        return torch.stack([model(images) for model in self.models]).mean(0)
