"""A gradient of a batch by plain convolutions and by those that training uses (zoo/train/quick.py), in turns.

    python -m benchmarks.convolutions

One thread, processor's seconds, the least of many turns: of the images alone, as an attack within training asks for,
and of the weights too.
"""

import argparse
import time
from collections.abc import Sequence

import torch
from torch import nn

from kerckhoffs.zoo import NETWORKS, networks
from kerckhoffs.zoo.train.judging import bfloat16_is_fast
from kerckhoffs.zoo.train.quick import quicken

BATCH, TURNS = 128, 30


def seconds(network: nn.Module, images: torch.Tensor, of_weights: bool, fast: bool) -> float:
    """What one gradient takes."""
    wanted = [images, *network.parameters()] if of_weights else [images]
    began = time.process_time()
    with torch.autocast("cpu", torch.bfloat16, enabled=fast, cache_enabled=False):
        logits = network(images)
    torch.autograd.grad(logits.float().logsumexp(1).sum(), wanted)
    return time.process_time() - began


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=TURNS)
    turns = parser.parse_args(arguments).turns
    torch.set_num_threads(1)
    print(f"{'network':8} {'arithmetic':10} {'of':16} {'plain ms':>9} {'quick ms':>9} {'ratio':>6}")
    for name in NETWORKS:
        plain = networks.build(name, "mnist").to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        quick = quicken(networks.build(name, "mnist").to(memory_format=torch.channels_last))  # type: ignore[call-overload]
        images = torch.rand(BATCH, 1, 28, 28).requires_grad_()
        for fast in (False, True)[: 1 + bfloat16_is_fast()]:
            for of_weights in (False, True):
                taken = [
                    [seconds(network, images, of_weights, fast) for network in (plain, quick)] for _ in range(turns)
                ]
                slow, soon = (1000 * min(times) for times in zip(*taken, strict=True))
                of = "images, weights" if of_weights else "images"
                how = "bfloat16" if fast else "float32"
                print(f"{name:8} {how:10} {of:16} {slow:9.1f} {soon:9.1f} {soon / slow:6.2f}", flush=True)


if __name__ == "__main__":
    main()
