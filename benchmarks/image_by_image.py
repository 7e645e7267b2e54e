"""Whether two attacks are the same algorithm: their distances image by image, and how far their medians are apart.

    python -m benchmarks.image_by_image cw_l2:solver=reference foolbox.cw_l2 --images 400 --csv pairs.csv

Both get the same images and targets, in the same batches. foolbox's CW leaves a solve when the loss of its whole
batch has stopped falling, ours image by image. So `--alone 4` shows the second attack each image by itself, four times
over: the last bits of a network's logits depend on the batch, and four is what our reference fills one up to.

Every finished batch is written to the CSV file at once, and a second start of the same command goes on from there. A
failure counts as an infinite distance in the medians, and pairs with one are left out of the ratios.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import stats

from kerckhoffs import bench, data, zoo
from kerckhoffs.bench import contestants
from kerckhoffs.evaluation.machine import machine

PART = 100  # images of which single medians are shown
RESAMPLES = 10_000
LEAST_SUCCESS = 0.75  # below, medians of the resamples could be infinite


def contestant(spec: str) -> bench.Contestant:
    """One of ours, or one of a peer, whose id begins with the name of its library."""
    return contestants.peer(spec) if "." in spec.split(":")[0] else contestants.ours(spec)


def compare(conditions: dict[str, Any], images: int, first: int) -> pd.DataFrame:
    """Run both on the batch that begins with image number `first`: one row an image, with the conditions."""
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False  # float32, as a processor has it
    network = zoo.load(conditions["model"])
    test = data.load(zoo.card(conditions["model"]).dataset)
    shown, targets = bench.examples(network, *test, count=images, targets="random", seed=conditions["seed"])
    part = slice(first, first + conditions["batch"])
    device = conditions["device"]
    network, shown, targets = network.to(device), shown[part].to(device), targets[part].to(device)
    bench.warm_up(network, shown)
    columns: dict[str, Any] = {"image": range(first, first + len(shown))}
    for which, copies in (("a", 0), ("b", conditions["alone"])):  # in batches of so many copies of one image
        images, labels = (each.repeat_interleave(copies or 1, 0) for each in (shown, targets))
        result = bench.measure(contestant(conditions[which]), network, images, labels, targeted=True, batch=copies)
        if result.error:
            raise RuntimeError(f"{conditions[which]}: {result.error}")
        columns[f"distance_{which}"] = result.distortion(conditions["norm"])[:: copies or 1].cpu().numpy()
        columns[f"gradients_{which}"] = result.gradients / result.examples
        columns[f"cpu_seconds_{which}"] = result.cpu_seconds / result.examples
    processor = torch.cuda.get_device_name() if device == "cuda" else machine()["cpu"]
    return pd.DataFrame(columns).assign(**conditions, processor=processor)


def done(path: Path | None, conditions: dict[str, Any]) -> pd.DataFrame:
    """The rows of an earlier start.

    Raises:
        SystemExit: if they are of something else.
    """
    if path is None or not path.exists():
        return pd.DataFrame({"image": pd.Series(dtype=int)})
    rows = pd.read_csv(path)
    for name, value in conditions.items():
        if not (rows[name] == value).all():
            raise SystemExit(f"{path} holds rows of another {name} than {value}: name another file")
    return rows


def report(rows: pd.DataFrame, a: str, b: str, norm: str) -> Iterator[str]:
    """What to print."""
    pairs = rows[["distance_a", "distance_b"]].to_numpy()
    for which, name in (("a", a), ("b", b)):
        size = rows[f"distance_{which}"]
        yield (
            f"{name}: success {100 * np.isfinite(size).mean():.4g} %, median {norm} {np.median(size):.5g}, mean "
            f"{size[np.isfinite(size)].mean():.5g}; gradients {rows[f'gradients_{which}'].mean():.0f}, cpu s "
            f"{rows[f'cpu_seconds_{which}'].mean():.3g} an image"
        )

    if np.isfinite(pairs).mean(axis=0).min() < LEAST_SUCCESS:
        yield f"no ratios: fewer than {LEAST_SUCCESS:.0%} succeeded, and medians may be infinite"
        return

    def medians(first: Any, second: Any, axis: int = -1) -> Any:
        return np.median(first, axis=axis) / np.median(second, axis=axis)

    interval = stats.bootstrap(
        tuple(pairs.T), medians, paired=True, method="percentile", n_resamples=RESAMPLES, rng=np.random.default_rng(0)
    ).confidence_interval
    yield f"ratio of the medians {medians(*pairs.T):.4f}, 95 % interval {interval.low:.4f} to {interval.high:.4f}"
    parts = ", ".join(f"{medians(*pairs[start : start + PART].T):.4f}" for start in range(0, len(pairs), PART))
    yield f"of each {PART} images: {parts}"
    pairs = pairs[np.isfinite(pairs).all(1)]
    ratios = pairs[:, 0] / pairs[:, 1]
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    yield (
        f"image by image, {len(ratios)} pairs: ratio's median {middle:.4f}, quartiles {low:.4f} and {high:.4f}, "
        f"geometric mean {stats.gmean(ratios):.4f}, standard error {stats.sem(np.log(ratios)):.4f}"
    )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", help="id or id:option=value; a peer's id begins with its library")
    parser.add_argument("b", help="likewise")
    parser.add_argument("--norm", choices=bench.NORMS, default="l2")
    parser.add_argument("--model", default="mnist-table2-classical")
    parser.add_argument("--images", type=int, default=100, help="the first ones that the model reads right")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--alone", type=int, default=0, help="show b each image by itself, so many times over")
    parser.add_argument("--seed", type=int, default=0, help="of the random targets")
    parser.add_argument("--workers", type=int, default=1, help="processes, of one thread each")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    if options.images % options.batch:
        parser.error("images must be a multiple of batch")
    if options.alone < 0:
        parser.error("alone must be at least 0")
    for spec in (options.a, options.b):
        contestant(spec)  # refuses here what is not understood
    names = ("a", "b", "norm", "model", "batch", "alone", "seed", "device")
    conditions = {name: getattr(options, name) for name in names}
    rows = done(options.csv, conditions)
    left = sorted(set(range(0, options.images, options.batch)) - set(rows["image"]))
    run = partial(compare, conditions, options.images)
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as processes:
        for future in as_completed([processes.submit(run, first) for first in left]):
            rows = pd.concat([rows, future.result()], ignore_index=True).sort_values("image")
            if options.csv is not None:
                rows.to_csv(options.csv, index=False)
            print(f"{len(rows)} of {options.images} images", flush=True)
    rows = rows[rows["image"] < options.images]
    print(*report(rows, options.a, options.b, options.norm), sep="\n")


if __name__ == "__main__":
    main()
