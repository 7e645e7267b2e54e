"""Several models as one: what is crafted on their mean fools what they have in common, and so carries over further.

Liu, Chen, Liu and Song, "Delving into transferable adversarial examples and black-box attacks" (ICLR 2017), section 4,
average probabilities; Dong et al. 2018, section 3.2, logits, which they find stronger.

Their third way, the mean of the members' losses, and with it of their gradients, is no classifier: where members
disagree, exp(-loss) summed over the classes falls short of 1, so no logits have this mean as their cross-entropy for
every label. Nor is the mean of log-probabilities another way: it is the mean of the logits but for a constant for each
image, which no loss sees.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kerckhoffs.checks import check_choice

MEANS = ("logits", "probabilities")


class Averaged(nn.Module):
    """One mean of several models.

    Args:
        models: images (N, C, H, W) to logits (N, K), at least one.
        of: "logits": (1 / M) sum_m Z_m(x); a member that is surer than the others weighs more. "probabilities":
            log((1 / M) sum_m softmax(Z_m(x))); each member has one vote, but one that is surely wrong has no slope.

    Raises:
        ValueError: if there is no model, or `of` is none of these.
    """

    thread_safe = True

    def __init__(self, models: Sequence[nn.Module], of: str = "logits") -> None:
        super().__init__()
        if not models:
            raise ValueError("models must be at least one")
        check_choice(of, MEANS, "mean")
        self.models = nn.ModuleList(models)
        self.of = of
        self.train(any(model.training for model in models))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K)."""
        logits = torch.stack([model(images) for model in self.models])  # (M, N, K)
        if self.of == "logits":
            return logits.mean(0)
        return logits.log_softmax(2).logsumexp(0) - math.log(len(self.models))
