"""Examples crafted inside training: PGD on whole batches, lean, with no bookkeeping of successes.

The attacks of kerckhoffs.attacks keep the best example of each image; training wants the last step of all of them, in
the arithmetic that training computes in. The step follows the exact direction of the cross-entropy's gradient
(attacks/sign.py): training on rounded ones would teach a network to hide its gradient.
"""

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.geometry import into_ball
from kerckhoffs.attacks.sign import cross_entropy


def perturb(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    steps: int,
    random_start: bool = True,
    fast: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    """x' <- clip(x' + step sign(grad J(x', y))), `steps` times; the last x', whether it fools or not.

    One step is of 1.25 epsilon from a random start (Wong, Rice and Kolter 2020) and of epsilon without one (FGSM);
    each of several is of 2.5 epsilon / steps.

    Args:
        model: images (N, C, H, W) to logits (N, K); it is asked in eval mode, and left in the mode that it was in.
        images: float32 in [0, 1].
        epsilon: the largest change of a pixel.
        fast: compute in bfloat16.
        generator: where the start is drawn from; left out, torch's global one.

    Returns:
        Images (N, C, H, W) in [0, 1] with |x' - x| <= epsilon.
    """
    size = 2.5 * epsilon / steps if steps > 1 else (1.25 if random_start else 1.0) * epsilon
    x = images
    if random_start:
        noise = torch.rand(images.shape, generator=generator, dtype=images.dtype, device=images.device)
        x = into_ball(images + epsilon * (2 * noise - 1), images, epsilon)
    training = model.training
    model.eval()
    try:
        for _ in range(steps):
            x = x.detach().requires_grad_()
            # Uncached: inside a caller's autocast, weights that have moved on would stay in the cache.
            with torch.autocast("cpu", torch.bfloat16, enabled=fast, cache_enabled=False):
                logits = model(x)
            (gradient,) = torch.autograd.grad(cross_entropy(logits.float(), labels, False).sum(), x)
            x = into_ball(x.detach() + size * gradient.sign(), images, epsilon)
    finally:
        model.train(training)
    return x.detach()
