"""The tables of docs/defaults.md: each attack's defaults beside torchattacks' and foolbox's, and what was measured.

    python -m docs.defaults

Our defaults are read from the registry, theirs from the signatures of the installed packages, and what was measured
from results/peers, so the tables cannot say what is not so: a test compares them. Prints the lines of the tables;
without foolbox its column is left empty.
"""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from kerckhoffs.attacks import ATTACKS
from kerckhoffs.bench.contestants import installed
from kerckhoffs.data import DATASETS
from kerckhoffs.data.torchvision_import import torchvision
from kerckhoffs.evaluation import summaries

RESULTS = Path(__file__).parent.parent / "results" / "peers"
BENCHES = ("others", "own_defaults")
WHO = ("arithmetic=exact", "arithmetic=float32", "torchattacks", "foolbox")  # in a contestant's name
OF_GRADIENTS = "of gradients"  # in that of foolbox's MI-FGSM as benchmarks/arithmetic.py changes it

PEERS: dict[str, tuple[str, str]] = {  # attack: the classes of torchattacks and of foolbox, "" where there is none
    "fgsm": ("FGSM", "LinfFastGradientAttack"),
    "rand_fgsm": ("RFGSM", ""),
    "otcm": ("", ""),
    "bim": ("BIM", "LinfBasicIterativeAttack"),
    "illc": ("", ""),
    "mi_fgsm": ("MIFGSM", "LinfMomentumIterativeFastGradientMethod"),
    "vmi_fgsm": ("VMIFGSM", ""),
    "pgd": ("PGD", "LinfProjectedGradientDescentAttack"),
    "apgd": ("APGD", ""),
    "autoattack": ("AutoAttack", ""),
    "low_frequency": ("", ""),
    "jsma": ("", ""),
    "lbfgs": ("", ""),
    "cw_l2": ("CW", "L2CarliniWagnerAttack"),
    "cw_linf": ("", ""),
    "cw_l0": ("", ""),
    "ddn": ("", "DDNAttack"),
    "deepfool": ("DeepFool", "L2DeepFoolAttack"),
    "fmn_l0": ("", "L0FMNAttack"),
    "fmn_l2": ("", "L2FMNAttack"),
    "fmn_linf": ("", "LInfFMNAttack"),
    "fab": ("FAB", ""),
    "universal": ("", ""),
    "square": ("Square", ""),
    "finite_differences": ("", ""),
    "one_pixel": ("OnePixel", ""),
    "zoo": ("", ""),
    "rays": ("", ""),
    "hop_skip_jump_linf": ("", "HopSkipJumpAttack"),
    "surfree": ("", ""),
    "hop_skip_jump": ("", "HopSkipJumpAttack"),
    "noise": ("", "LinfRepeatedAdditiveUniformNoiseAttack"),
}

OURS: dict[str, dict[str, str]] = {  # what a peer's option is called here, where it is not called the same
    "": {"eps": "epsilon", "alpha": "step_size", "steps": "iterations"}
    | {"rel_stepsize": "step_size", "abs_stepsize": "step_size"}
    | {"n_restarts": "restarts", "n_queries": "max_queries", "popsize": "population"},
    "cw_l2": {"c": "initial_const", "kappa": "confidence", "steps": "max_iterations", "lr": "learning_rate"}
    | {"stepsize": "learning_rate"},
    "mi_fgsm": {"momentum": "decay"},
    "vmi_fgsm": {"N": "samples", "beta": "bound"},
    "fab": {"n_classes": "classes"},
    "noise": {"repeats": "tries"},
    "ddn": {"init_epsilon": "initial_norm"},
    "deepfool": {"steps": "max_iterations"},
    **{f"fmn_{norm}": {"max_stepsize": "step_size"} for norm in ("l0", "l2", "linf")},
    "hop_skip_jump_linf": {"initial_gradient_eval_steps": "initial_probes"},
    "hop_skip_jump": {"initial_gradient_eval_steps": "initial_probes"},
}
UNSAID = (
    "self",
    "model",
    "verbose",
    "seed",
    "inf_batch",
    "tensorboard",
)  # options that change nothing of what the attack is


def value(of: Any) -> str:
    """A default for people: 8/255 for 0.0313..."""
    if isinstance(of, bool) or of is None or isinstance(of, str):
        return str(of)
    whole, text = of * 255, f"{of:g}"
    return f"{round(whole)}/255" if len(text) > 5 and abs(whole - round(whole)) < 1e-9 else text


def theirs(module: str, name: str, attack: str) -> dict[str, str]:
    """The options of another library's class by the names that they have here: "`eps` 8/255"."""
    names = OURS[""] | OURS.get(attack, {})
    found: dict[str, str] = {}
    parameters = inspect.signature(getattr(importlib.import_module(module), name).__init__).parameters
    for parameter in parameters.values():
        if parameter.name not in UNSAID:
            text = f"`{parameter.name}` {value(parameter.default)}"
            ours = names.get(parameter.name, parameter.name)
            found[ours] = f"{found[ours]}, {text}" if ours in found else text
    return found


def lines() -> Iterator[tuple[str, str, str, str, str]]:
    """The table: attack, option, ours, torchattacks', foolbox's; "-" where the attack has no such option."""
    torchvision("transforms")  # torchattacks wants it, and it has to be mended in some environments
    for id_, attack in ATTACKS.items():
        torchattacks, foolbox = PEERS[id_]
        ours = {option.name: value(option.default) for option in attack.options if option.name != "perturb_all"}
        first = theirs("torchattacks", torchattacks, id_) if torchattacks else {}
        second = theirs("foolbox.attacks", foolbox, id_) if foolbox and installed("foolbox") else {}
        if torchattacks or foolbox:
            yield f"`{id_}`", "", "", f"`{torchattacks}`" * bool(torchattacks), f"`{foolbox}`" * bool(foolbox)
            for name in dict.fromkeys((*ours, *first, *second)):
                yield "", name, *(each.get(name, "-") for each in (ours, first, second))
        else:
            yield f"`{id_}`", ", ".join(f"{name} {each}" for name, each in ours.items()), "", "", ""


def arithmetic() -> Iterator[str]:
    """The errors of results/peers/arithmetic.csv, a line an attack: ours in both arithmetics, and the peers'."""
    rows = pd.read_csv(RESULTS / "arithmetic.csv")
    for (model, attack, epsilon), group in rows.groupby(["model", "attack", "epsilon"], sort=False):
        changed = group["spec"].str.contains(OF_GRADIENTS)
        cells = [_error(group[group["spec"].str.contains(each) & ~changed]) for each in WHO]
        if changed.any():
            cells[-1] += f"; {OF_GRADIENTS} {_error(group[changed])}"
        dataset = DATASETS[model.removesuffix("-table1-classical")].name
        yield f"| {dataset}, {attack}, ε = {epsilon:g} | {' | '.join(cells)} |"


def _error(rows: pd.DataFrame) -> str:
    [row] = rows.to_dict("records")
    return summaries.percent(*(row[f"error{end}"] for end in ("", "_low", "_high")))


def others(name: str) -> Iterator[str]:
    """Success and distances of a table of `kerckhoffs bench` in results/peers, a line a contestant."""
    for _, row in pd.read_csv(RESULTS / f"{name}.csv").iterrows():
        distance = f"{row['median_' + row['norm']]:.4g}, {row['mean_' + row['norm']]:.4g}"
        shown = distance if row["kind"] == "minimal" else ""
        yield f"| `{row['attack']}` | {row['norm']} | {100 * row['success']:.4g} | {shown} | {row['gradients']:.0f} |"


def main() -> None:
    """Print the lines."""
    for line in lines():
        print(f"| {' | '.join(line)} |")
    print(*arithmetic(), *(line for name in BENCHES for line in others(name)), sep="\n")


if __name__ == "__main__":
    main()
