"""docs/defences.md: every defence and keyed transform as the registries have them, and what was measured.

    python -m docs.defences > docs/defences.md

prints the page from the registries and from results/defences; a test compares them.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from kerckhoffs.defences import DEFENCES, RETRAININGS
from kerckhoffs.evaluation import summaries
from kerckhoffs.transforms import TRANSFORMS, Shape

SHAPE: Shape = (1, 28, 28)
RESULTS = Path(__file__).parent.parent / "results" / "defences"


def defences() -> Iterator[tuple[str, ...]]:
    """Id, what it is, what it costs, what is known against it, source; of what stands around a network."""
    for entry in DEFENCES.values():
        if entry.training == "clean":
            yield f"`{entry.id}`", entry.what, entry.cost, entry.known, entry.source


def retrainings() -> Iterator[tuple[str, ...]]:
    """The same of the ways to train."""
    for each in RETRAININGS.values():
        yield f"`{each.id}`", each.what, each.cost, each.known, each.source


def transforms() -> Iterator[tuple[str, ...]]:
    """Id, key length, bits, invertible, gradient, distances kept, absorbable and by what."""
    for each in TRANSFORMS.values():
        yield (
            f"`{each.id}`",
            str(each.key_length(SHAPE)),
            f"{each.entropy_bits(SHAPE):.0f}",
            "yes" if each.invertible else "no",
            each.differentiable,
            ", ".join(each.keeps) or "none",
            f"{'yes' if each.absorbable else 'no'}. {each.absorbed_by}",
        )


def measured(
    questions: Sequence[str], by: Sequence[str], columns: str = "evaluated_on", *, epsilons: Sequence[float] = ()
) -> str:
    """Attacked errors as a table: a line for each combination of `by`, a column for each value of `columns`.

    Where several attacks fall into one cell, it has the worst of them for the defence, on the same samples.

    Args:
        by: of "crafted on", "attack", "epsilon", "arithmetic".
        epsilons: only these; left out, all.
    """
    lines = pd.read_csv(RESULTS / "summary.csv").query("question in @questions").copy()
    options = [json.loads(each) for each in lines["options"]]
    lines["epsilon"] = [each.get("epsilon", "-") for each in options]
    lines["arithmetic"] = [each.get("arithmetic", "exact") for each in options]
    itself = lines["crafted_on"] == lines["evaluated_on"]
    lines["crafted on"] = lines["crafted_on"].map(short).where(~itself, "itself")
    lines["attack"] = [named(attack, each) for attack, each in zip(lines["attack"], options, strict=True)]
    if epsilons:
        lines = lines[lines["epsilon"].isin(epsilons)]
    lines["column"] = lines[columns].map(short)
    heads = list(dict.fromkeys(lines["column"]))
    clean = {head: part.iloc[0] for head, part in lines.groupby("column", sort=False)}
    rows = [[*["no attack", *[""] * (len(by) - 1)], *(cell(clean[head], "clean_error") for head in heads)]]
    for key, part in lines.groupby(list(by), sort=False):
        found = {head: each.loc[each["attacked_error"].idxmax()] for head, each in part.groupby("column", sort=False)}
        cells = [cell(found[head], "attacked_error") if head in found else "" for head in heads]
        rows.append([*map(str, key), *cells])
    return table(" | ".join([*by, *heads]), iter(map(tuple, rows)))


OVERVIEW = "defence | clean error | strangers, 0.2 | strangers, 0.3 | trained alike, 0.2 | itself, 0.2"


def overview() -> Iterator[tuple[str, ...]]:
    """Each shipped defence of Table 1 on MNIST: the worst of what was measured of each kind of attacker."""
    lines = pd.read_csv(RESULTS / "summary.csv")
    lines["epsilon"] = [json.loads(each).get("epsilon") for each in lines["options"]]
    itself = lines["crafted_on"] == lines["evaluated_on"]
    carried = lines["question"] == "carried"
    for model, of in lines[carried].groupby("evaluated_on", sort=False):

        def worst(chosen: pd.Series, epsilon: float, model: str = str(model)) -> str:
            found = lines[chosen & (lines["epsilon"] == epsilon) & (lines["evaluated_on"] == model)]
            return cell(found.loc[found["attacked_error"].idxmax()], "attacked_error") if len(found) else "-"

        strangers = [worst(carried & ~itself, epsilon) for epsilon in (0.2, 0.3)]
        alike = worst((lines["question"] == "carried_alike") & ~itself, 0.2)
        white = worst(itself & lines["question"].str.startswith("white_box"), 0.2)
        yield short(str(model)), cell(of.iloc[0], "clean_error"), *strangers, alike, white


def short(model: str) -> str:
    """What a model is called in a table: its id without the set, of several that are averaged "averaged"."""
    if "+" in model:
        return "all of them averaged"
    folder, _, name = model.rpartition("/")
    own = {"attackers": "trained alike: ", "measured": ""}.get(folder, "")
    return own + name.partition("-")[2]


def named(attack: str, options: dict[str, object]) -> str:
    """An attack with the option that tells it from another line's."""
    return f"{attack}, {options['loss']}" if "loss" in options else attack


def cell(line: pd.Series, name: str) -> str:
    """A share with its interval."""
    return summaries.percent(*(line[f"{name}{end}"] for end in ("", "_low", "_high")))


def table(heading: str, rows: Iterator[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    names = heading.split(" | ")
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


HEAD = """# The defences

What stands around a network, how one can be trained, and what became of each under attack. The tables come from the
registries and from `results/defences`, whose rows `python -m benchmarks.defences` made; that file names every attack
with its options, and `results/defences/README.md` has every line and the warnings.

`kerckhoffs defences` lists what can be trained: each defence below, and each that stands around one network also in
each of the ways to train (`keyed-adversarial`, `shuffle-4-distilled`, ...). `kerckhoffs train SET-NETWORK-DEFENCE`
trains it; interrupted, the same command goes on where it was.

Errors are percent of the first 1000 MNIST test samples, or fewer where the text says so, with 95 % intervals. They
count what was misread before, too. Where several attacks fall into one cell, it has the one that is worst for the
defence.

"""

KNOWN = "id | what it is | what it costs | what is known against it | source"
SECTIONS: dict[str, tuple[str, Callable[[], str]]] = {
    "Around a network": ("", lambda: table(KNOWN, defences())),
    "Ways to train": (
        "Each of them behind a key as well as without one.",
        lambda: table(KNOWN, retrainings()),
    ),
    "Keyed transforms": (
        "The length of the key and its worth in bits are for images of 1 x 28 x 28.",
        lambda: table("id | key's values | bits | invertible | gradient | distances kept | absorbable", transforms()),
    ),
    "In one table": (
        "Table 1's network. *Strangers* have no key and do not know how the defence was trained: the classical twin, "
        "an MLP, a network behind a key of their own, and the mean of the three, with FGSM, MI-FGSM and PGD. *Trained "
        "alike*: networks that an attacker trained as the defence was, with pools, keys and seeds of their own. "
        "*Itself*: everything is known.",
        lambda: table(OVERVIEW, overview()),
    ),
    "Carried over from strangers": (
        "By what it was crafted on; the worst of FGSM, MI-FGSM and PGD with 40 steps.",
        lambda: measured(("carried",), ("epsilon", "crafted on")),
    ),
    "Carried over from who trains alike": (
        "The worst of the same three attacks. The adversarially trained twin without a key is the shipped one; the one "
        "behind a key has half the filters.",
        lambda: measured(("carried_alike", "carried_alike_wider"), ("epsilon", "crafted on")),
    ),
    "White box: adversarial training": (
        "Both trained at epsilon 0.2 with PGD of 5 steps. PGD here has 40 steps and two restarts, APGD 100 steps.",
        lambda: measured(("white_box",), ("epsilon", "attack")),
    ),
    "White box: the others": (
        "100 samples. FGSM, and PGD of 40 steps with two restarts.",
        lambda: measured(("white_box_others",), ("epsilon", "attack")),
    ),
    "Trained at 0.3": (
        "Without a key, the same training at epsilon 0.3. White box. It does not ship.",
        lambda: measured(("white_box_wider",), ("epsilon", "attack")),
    ),
    "Adversarial training behind each transform": (
        "Table 1 with half the filters, the same recipe and budget for all: PGD of 3 steps at 0.2, 3 epochs. White "
        "box, 500 samples. The last one is a channel of KDA, without the scaling to unit length. These do not ship.",
        lambda: measured(("behind_each",), ("epsilon", "attack")),
    ),
    "Many networks, attacked from outside": (
        "Table 1 with half the filters in every network, 500 samples. Low-frequency PGD passes KDA's keyed quarters "
        "unchanged.",
        lambda: measured(("many_networks",), ("epsilon", "crafted on", "attack")),
    ),
    "Distillation": (
        "At temperature 100. FGSM and PGD at epsilon 0.3 along the gradient as float32 has it, and along its exact "
        "direction; Carlini and Wagner's l2 attack on 100 samples, whose success is the point.",
        lambda: measured(("distilled", "distilled_cw"), ("attack", "arithmetic")),
    ),
}
"""What the page says, by heading: a text and a table."""


def page() -> str:
    """The page, in Markdown."""
    parts = (f"## {title}\n\n{text}\n\n{make()}\n" for title, (text, make) in SECTIONS.items())
    return HEAD + "\n".join(part.replace("\n\n\n\n", "\n\n") for part in parts)


if __name__ == "__main__":
    print(page(), end="")
