"""Whether an attack depends on its company: the same images one by one, and many at once.

    python -m benchmarks.batch_size cw_l2:solver=reference --images 64 --batch 64

Prints the largest difference between the returned pixels, and between their distances from the originals.
"""

import argparse

import torch

from kerckhoffs import bench, data, zoo
from kerckhoffs.bench import contestants


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attack", help="id or id:option=value")
    parser.add_argument("--model", default="mnist-table2-classical")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64, help="what is compared with one by one")
    parser.add_argument("--targets", choices=bench.TARGETS, default="random")
    parser.add_argument("--seed", type=int, default=0, help="of the random targets")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    contestant = contestants.ours(options.attack)
    network = zoo.load(options.model)
    test = data.load(zoo.card(options.model).dataset)
    shown, labels = bench.examples(network, *test, count=options.images, targets=options.targets, seed=options.seed)
    alone, together = (
        bench.measure(contestant, network, shown, labels, targeted=options.targets != "none", batch=batch)
        for batch in (1, options.batch)
    )
    print(bench.summary([alone, together]))
    if alone.images is None or together.images is None:
        raise SystemExit(1)
    pixels = (alone.images - together.images).abs().flatten(1).amax(1)
    print(f"largest difference of a pixel: {float(pixels.max()):.2e}; {int((pixels > 1e-4).sum())} images beyond 1e-4")
    for norm in bench.NORMS:
        difference = (getattr(alone.sizes, norm) - getattr(together.sizes, norm)).abs()
        print(f"largest difference of {norm}: {float(difference.max()):.2e}")


if __name__ == "__main__":
    main()
