"""Attacks side by side, measured from outside: seconds, gradient calls, success, distortion, memory.

Every contestant, ours or a peer, gets its own copy of the same images and the same model, whose calls are counted.
What comes back is judged here, in float32 and in small batches, whatever the attack says of it. A contestant that
raises, or returns something that is no image, becomes a row with the sentence and no figures: never "robust".
"""

import gc
import math
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from kerckhoffs.checks import check_choice, check_images, check_labels
from kerckhoffs.evaluation.judge import Counted, predictions
from kerckhoffs.evaluation.metrics import Distances, distances

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import pandas as pd  # slow

NORMS = ("l0", "l2", "linf")
TARGETS = ("random", "all", "none")

Run = Callable[[nn.Module, Tensor, Tensor, bool], Tensor]


@dataclass(frozen=True)
class Contestant:
    """An attack to measure.

    Args:
        name: what it is called in tables.
        library: whose code it is, with the version.
        norm: "l0", "l2" or "linf", in which it counts distortion.
        kind: "budget", "minimal" or "universal".
        settings: what was set, for people: "steps=1000, gamma=0.05".
        run: (model, images, labels, targeted) -> images.
    """

    name: str
    library: str
    norm: str
    kind: str
    settings: str
    run: Run


@dataclass(frozen=True)
class Result:
    """What became of one contestant on N examples.

    Args:
        examples: N.
        seconds: of wall clock, for all N.
        cpu_seconds: of processor time, all threads together: the one to trust where others use the machine too.
        forwards, gradients: images that went through the model forwards, and backwards.
        peak_mib: the most memory that the process held meanwhile, imports and model included, MiB. What earlier
            contestants left behind counts too: measure alone what is to be exact. NaN where the system does not say.
        error: why there is nothing to judge, in one line; empty if there is.
        images: what came back, (N, C, H, W); None after an error, and so are the next two.
        success: (N,) bool, as judged here.
        sizes: of every perturbation, successful or not.
    """

    contestant: Contestant
    examples: int
    seconds: float
    cpu_seconds: float
    forwards: int
    gradients: int
    peak_mib: float
    error: str = ""
    images: Tensor | None = None
    success: Tensor | None = None
    sizes: Distances | None = None

    def distortion(self, norm: str) -> Tensor:
        """Distance of each example (N,) in a norm; infinite where the attack failed, nothing after an error."""
        if self.sizes is None or self.success is None:
            return torch.empty(0)
        size: Tensor = getattr(self.sizes, norm)
        return size.to(torch.float32).where(self.success, torch.inf)


def measure(
    contestant: Contestant, model: nn.Module, images: Tensor, labels: Tensor, *, targeted: bool, batch: int = 0
) -> Result:
    """Run one contestant and judge what it returns.

    Global random numbers start from seed 0 for it, and go on afterwards as if it had not run.

    Args:
        model: images to logits, in eval mode.
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,): the classes to get away from, or to reach if targeted.
        batch: images that the contestant gets at once; 0 for all.

    Raises:
        ValueError: on bad images or labels, or a negative batch. Never for what the contestant does.
    """
    check_images(images)
    check_labels(labels, len(images))
    if batch < 0:
        raise ValueError(f"batch must be at least 0, but is {batch}")
    counted = Counted(model)
    gc.collect()
    _forget_peak()
    size = batch or len(images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        began, cpu_began = time.perf_counter(), time.process_time()
        try:
            adversarial, error = _attack(contestant, counted, images, labels, targeted, size), ""
        except Exception as reason:
            adversarial, error = None, " ".join(f"{type(reason).__name__}: {reason}".split())
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    calls = counted.calls
    figures = Result(contestant, len(images), seconds, cpu_seconds, calls.forwards, calls.gradients, _peak_mib(), error)
    if adversarial is None:
        return figures
    said = predictions(model.eval(), adversarial)  # an attack may have left it in another mode
    success = said == labels if targeted else said != labels
    return replace(figures, images=adversarial, success=success, sizes=distances(images, adversarial))


def _attack(
    contestant: Contestant, model: nn.Module, images: Tensor, labels: Tensor, targeted: bool, size: int
) -> Tensor:
    """What the contestant returns for copies of the images, `size` at once.

    Raises:
        ValueError: if that is not float32 of the same shape, finite and in [0, 1].
    """
    parts = []
    for some, their in zip(images.split(size), labels.split(size), strict=True):
        returned = contestant.run(model, some.clone(), their.clone(), targeted)
        check_images(returned, "what it returned")
        if returned.shape != some.shape:
            raise ValueError(f"what it returned must have shape {tuple(some.shape)}, but has {tuple(returned.shape)}")
        parts.append(returned.detach())
    return torch.cat(parts)


def examples(
    model: nn.Module, images: Tensor, labels: Tensor, *, count: int, targets: str, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """The first `count` images that the model reads right, and what the attacks are to do with them.

    Args:
        targets: "none": away from the label; "random": towards one of the other classes; "all": towards each of
            them, so that every image comes once for each.
        seed: of the random targets.

    Returns:
        Images (N, C, H, W) and labels or targets (N,).

    Raises:
        ValueError: on a count that is not from 1 to the images that are read right, or unknown targets.
    """
    check_choice(targets, TARGETS, "targets")
    check_images(images)
    check_labels(labels, len(images))
    right = (predictions(model, images) == labels).nonzero().squeeze(1)
    if not 1 <= count <= len(right):
        raise ValueError(f"images must be between 1 and {len(right)}, those that the model reads right, but is {count}")
    images, labels = images[right[:count]], labels[right[:count]]
    if targets == "none":
        return images, labels
    with torch.inference_mode():
        number = model(images[:1]).shape[1]
    if targets == "random":
        generator = torch.Generator().manual_seed(seed)
        shift = torch.randint(1, number, labels.shape, generator=generator)
        return images, (labels + shift) % number
    shift = torch.arange(1, number).repeat(count)
    return images.repeat_interleave(number - 1, 0), (labels.repeat_interleave(number - 1) + shift) % number


def warm_up(model: nn.Module, images: Tensor) -> None:
    """One forward and backward of some, so that no contestant pays for what the first one finds cold."""
    with torch.enable_grad():
        some = images[:100].clone().requires_grad_(True)
        torch.autograd.grad(model(some).sum(), some)


def table(results: Iterable[Result], **conditions: Any) -> "pd.DataFrame":
    """One row a contestant.

    Args:
        conditions: columns with the same value in every row, such as what `machine` says.

    Returns:
        Columns attack, library, norm, kind, settings, examples; seconds, cpu_seconds, gradients, forwards, all an
        example; success, a share; for each norm median_<norm>, where a failure is infinite, and mean_<norm>, of the
        successes; peak_mib, error, and the conditions. After an error, what was to be judged is NaN.
    """
    import pandas as pd

    return pd.DataFrame([_row(result) | conditions for result in results])


def _row(result: Result) -> dict[str, Any]:
    row: dict[str, Any] = {
        "attack": result.contestant.name,
        "library": result.contestant.library,
        "norm": result.contestant.norm,
        "kind": result.contestant.kind,
        "settings": result.contestant.settings,
        "examples": result.examples,
        "seconds": result.seconds / result.examples,
        "cpu_seconds": result.cpu_seconds / result.examples,
        "gradients": result.gradients / result.examples,
        "forwards": result.forwards / result.examples,
        "success": math.nan if result.success is None else float(result.success.float().mean()),
    }
    for norm in NORMS:
        size = result.distortion(norm)
        row[f"median_{norm}"] = float(np.median(size.numpy())) if len(size) else math.nan
        row[f"mean_{norm}"] = float(size[size < torch.inf].mean())
    return row | {"peak_mib": result.peak_mib, "error": result.error}


def report(results: Iterable[Result]) -> "pd.DataFrame":
    """The table for people, seconds and calls an example."""
    import pandas as pd

    rows = table(results)
    shown = pd.DataFrame({"attack": rows["attack"], "success %": 100 * rows["success"]})
    for norm in NORMS:
        shown[f"median {norm}"] = rows[f"median_{norm}"]
    shown["mean"] = [row[f"mean_{row['norm']}"] for _, row in rows.iterrows()]
    shown["of"] = rows["norm"]
    shown = shown.join(
        rows[["seconds", "cpu_seconds", "gradients", "forwards"]].rename(columns={"cpu_seconds": "cpu s"})
    )
    shown["peak MiB"] = rows["peak_mib"].round()
    return shown


def notes(results: Iterable[Result]) -> list[str]:
    """A line for the settings of each contestant, and one for each error."""
    lines = []
    for result in results:
        name = result.contestant.name
        lines.append(f"{name}: {result.contestant.library}, {result.contestant.settings}")
        if result.error:
            lines.append(f"{name}: ERROR, nothing can be said of it: {result.error}")
    return lines


def summary(results: Iterable[Result]) -> str:
    """The report as text, and below it the notes."""
    results = list(results)
    if not results:
        return "nothing was measured"
    text = report(results).to_string(index=False, na_rep="-", float_format="{:.4g}".format)
    return "\n".join([text, *notes(results)])


def security_curve(results: Iterable[Result]) -> "pd.DataFrame":
    """The share of examples that each contestant turns within a budget of its own norm.

    Returns:
        Columns attack, norm, budget, success: a step function that starts at budget 0 and rises at each budget that
        is listed. Contestants with an error have no rows.
    """
    import pandas as pd

    frames = [
        pd.DataFrame({"attack": [], "norm": [], "budget": [], "success": []}).astype({"attack": str, "norm": str})
    ]
    for result in results:
        size = result.distortion(result.contestant.norm).sort().values.double()
        if len(size) == 0:
            continue
        budget = torch.cat([size.new_zeros(1), size[(size > 0) & (size < torch.inf)]]).unique()
        share = torch.searchsorted(size, budget, right=True).double() / len(size)
        frames.append(
            pd.DataFrame(
                {
                    "attack": result.contestant.name,
                    "norm": result.contestant.norm,
                    "budget": budget.tolist(),
                    "success": share.tolist(),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _forget_peak() -> None:
    """Let the process's peak memory start again from what it holds now, where Linux allows it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mib() -> float:
    """The most memory that this process has held, MiB; NaN where the system does not say (Windows)."""
    with suppress(OSError, IndexError):
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    if resource is None:
        return math.nan
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)
