"""What Carlini and Wagner's three attacks share: the margin's slope, their change of variable, Adam, their options.

Each of cw_l2, cw_l0 and cw_linf has two solvers for one problem: the smallest perturbation in its norm, inside the
box, that the wrong class leads by `confidence`. "reference" goes the way of the authors; "fast" gets to the same
place, or a better one, with a fraction of the gradients (walk.py for l2 and linf, sparse.py for l0).
"""

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.base import Option
from kerckhoffs.attacks.logits import beaten, look, margins

BETA1, BETA2, ADAM_EPSILON = 0.9, 0.999, 1e-8
SHRINK = 0.999999  # keeps atanh finite, and its gradient alive, at pixels that are exactly 0 or 1
STEADY = 4  # see `penalty`

SOLVER = Option(
    "solver", str, "fast", "How it is solved: fast, or as the authors did (reference).", choices=("fast", "reference")
)
CONFIDENCE = Option("confidence", float, 0.0, "By how many logits the wrong class must lead (kappa).", high=100.0)


def learning_rate(default: float) -> Option:
    """Adam's step size, an option of the reference solvers."""
    return Option("learning_rate", float, default, "Adam's step size.", low=1e-5, when=("solver", "reference"))


def max_iterations(default: int) -> Option:
    """The length of a solve, an option of the reference solvers."""
    help_ = "Gradient steps for each c, at most."
    return Option("max_iterations", int, default, help_, low=1, high=100_000, when=("solver", "reference"))


def initial_const(default: float, high: float = 1e6) -> Option:
    """Where c starts, an option of the reference solvers."""
    return Option("initial_const", float, default, "The first c.", low=1e-9, high=high, when=("solver", "reference"))


def iterations(default: int, help_: str = "Gradients for each start.") -> Option:
    """The length of a walk, an option of the fast solvers."""
    return Option("iterations", int, default, help_, low=2, high=100_000, when=("solver", "fast"))


def starts(default: int, most: int) -> Option:
    """How many walks an image gets, an option of the fast solvers."""
    return Option("starts", int, default, "Tries for each image.", low=1, high=most, when=("solver", "fast"))


def margin_slope(
    model: nn.Module, images: Tensor, labels: Tensor, targeted: bool, confidence: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The margins with their gradients, in chunks, so that the memory does not grow with the number of images.

    Args:
        images: (M, C, H, W); labels: (M,).

    Returns:
        margin + confidence (M,), its gradient (M, C, H, W), and where the model is fooled (M,) bool.
    """
    margin, gradient, logits = look(model, images, labels, targeted, margins)
    return margin + confidence, gradient, beaten(margin, logits, confidence)


def penalty(
    model: nn.Module, images: Tensor, labels: Tensor, targeted: bool, lead: float, const: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The second term of the reference solvers' losses, c max(margin + lead, 0), with its gradient.

    The batch is `filled` to a multiple of STEADY. On the processors that were tried an image's logits and gradient
    then are the same to the last bit in whatever batch it comes, which a thousand steps of Adam need to end in the
    same place.

    Args:
        images: (M, C, H, W); labels: (M,); const: (M,), c.

    Returns:
        The penalty (M,), its gradient (M, C, H, W), and the logits (M, K).
    """
    count = len(images)
    images, labels, const = (filled(each, STEADY) for each in (images, labels, const))

    def hinge(logits: Tensor, labels: Tensor, targeted: bool) -> Tensor:
        return (margins(logits, labels, targeted) + lead).clamp_min(0)

    value, gradient, logits = look(model, images, labels, targeted, hinge, weights=const)
    return value[:count], gradient[:count], logits[:count]


def filled(batch: Tensor, multiple: int) -> Tensor:
    """A batch (R, ...) with as many copies of its last entry as make R a multiple."""
    missing = -len(batch) % multiple
    return torch.cat((batch, batch[-1:].expand(missing, *batch.shape[1:]))) if missing else batch


def to_w(images: Tensor) -> Tensor:
    """w with x = (tanh(w) + 1) / 2, for x in [0, 1] shrunk by a hair towards 1/2."""
    between = (2 * images - 1) * SHRINK
    return (between.log1p() - (-between).log1p()) / 2  # atanh


def to_x(w: Tensor) -> Tensor:
    """The images of w, in [0, 1]."""
    return torch.tanh(w) / 2 + 0.5


def through_w(gradient: Tensor, w: Tensor) -> Tensor:
    """The gradient with respect to w, given that with respect to `to_x(w)`."""
    through: Tensor = torch.ops.aten.tanh_backward(gradient / 2, torch.tanh(w))  # (1 - tanh^2), rounded as torch does
    return through


def doublings(const: float, largest: float) -> int:
    """How often c doubles until it is at least the largest: it never goes back."""
    count = 0
    while const < largest:
        count, const = count + 1, 2 * const
    return count


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) on rows of w (M, C, H, W) that each count their own steps.

    Its epsilon stands beside the corrected root, as in the paper and in torch. TensorFlow's Adam, which the authors
    ran, has it beside the uncorrected one, which is up to 30 times smaller: pixels at 0 or 1, whose gradients are
    as small as epsilon, then start more slowly, and on MNIST l2 is 1 % larger.

    The order of the operations is foolbox's, so that CW l2 can be compared with it to the last bit. To the last bit a
    row is the same in whatever batch, too: the powers of the betas are products, because the last bit of torch's
    power of a tensor depends on the place in the tensor.
    """

    def __init__(self, w: Tensor, rate: float, epsilon: float = ADAM_EPSILON) -> None:
        self.mean, self.variance = torch.zeros_like(w), torch.zeros_like(w)
        self.power1 = torch.ones(len(w), 1, 1, 1, dtype=torch.float64, device=w.device)  # BETA1 ** steps
        self.power2 = self.power1.clone()
        self._rate, self._epsilon = rate, epsilon

    def restart(self, rows: Tensor) -> None:
        """Forget everything about these rows, (R,) indices or (M,) bool."""
        self.mean[rows], self.variance[rows], self.power1[rows], self.power2[rows] = 0.0, 0.0, 1.0, 1.0

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows alone."""
        self.mean, self.variance = self.mean[rows], self.variance[rows]
        self.power1, self.power2 = self.power1[rows], self.power2[rows]

    def step(self, gradient: Tensor) -> Tensor:
        """What to add to w."""
        self.power1 *= BETA1
        self.power2 *= BETA2
        self.mean = BETA1 * self.mean + (1 - BETA1) * gradient
        self.variance = BETA2 * self.variance + (1 - BETA2) * gradient**2
        mean, variance = self.mean / (1 - self.power1).float(), self.variance / (1 - self.power2).float()
        return -self._rate * mean / (variance.sqrt() + self._epsilon)
