"""How long one image takes from a cold worker: the first attack in a new thread of a new process, as in the app.

    python -m benchmarks.one_image cw_l2 --images 20

Each image gets a process of its own that loads the model, then starts the app's pool of workers and submits the
attack with a random target. Prints the median and the worst of the seconds from there to the first progress report,
and to the end. On one core: prefix with `taskset -c 0`.
"""

import argparse
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from torch import Tensor

from kerckhoffs import bench, data, zoo
from kerckhoffs.attacks import ATTACKS, Step
from kerckhoffs.bench import contestants
from kerckhoffs.evaluation import predictions
from kerckhoffs.evaluation.machine import machine


def once(spec: str, model_id: str, images: int, seed: int, index: int) -> tuple[float, float, bool]:
    """Seconds to the first report and to the end, and whether the attack succeeded; in a process of its own."""
    from kerckhoffs.ui.jobs import Job, Jobs

    attack, options = contestants.read(spec)
    network = zoo.load(model_id)
    test = data.load(zoo.card(model_id).dataset)
    shown, targets = bench.examples(network, *test, count=images, targets="random", seed=seed)
    image, target = shown[index : index + 1], targets[index : index + 1]
    reports: list[float] = []

    def work(job: Job) -> Tensor:
        def on_step(step: Step) -> bool:
            reports.append(time.perf_counter())
            return job.on_step(step)

        result = ATTACKS[attack].run(network, image, target, targeted=True, on_step=on_step, **options)
        reports.append(time.perf_counter())
        return result

    began = time.perf_counter()
    job = Jobs().submit(work)
    while not job.done:
        time.sleep(0.01)
        _ = job.step  # asking keeps it alive
    result = job.result()
    assert result is not None
    return reports[0] - began, reports[-1] - began, bool(predictions(network, result) == target)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attack", help="id or id:option=value")
    parser.add_argument("--model", default="mnist-table2-classical")
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the random targets")
    options = parser.parse_args()
    contestants.ours(options.attack)  # refuses here what is not understood
    measured = partial(once, options.attack, options.model, options.images, options.seed)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as processes:
        firsts, wholes, successes = zip(*processes.map(measured, range(options.images)), strict=True)
    print(f"{options.attack} on {options.images} images of {options.model}, {machine()['cpu']}")
    for what, seconds in (("first report", firsts), ("whole attack", wholes)):
        print(f"{what}: median {statistics.median(seconds):.3f} s, worst {max(seconds):.3f} s")
    print(f"success: {sum(successes)} of {options.images}")


if __name__ == "__main__":
    main()
