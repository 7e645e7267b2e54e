"""docs/ladder.md: the attackers, from nothing to the key, and what was measured of each: a teacher's page.

    python -m docs.ladder > docs/ladder.md

prints the page from the registry and from results/ladder; a test compares them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmarks import climbed
from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.evaluation import ladder, lessons, summaries
from kerckhoffs.plots.ladder import rung_words

RESULTS = Path(__file__).parent.parent / "results" / "ladder"
HEAD = """# The ladder: from knowing nothing to having the key

A defence by a secret key is worth what it is worth against an attacker who knows this or that. Each rung is an
attacker; the images, the largest change of a pixel and the judge are the same for all. What an attacker trains is
trained on training samples, with seeds and keys of its own, in a process that is told nothing of the defender's key
(tests/attackers/test_secrets.py looks into its memory, its messages and its files).

    python -m kerckhoffs attackers list
    python -m kerckhoffs attackers make own-keys:number=8@mnist-table1-keyed
    python -m kerckhoffs ladder mnist-table1-keyed \\
        --samples 200

The **key advantage** is the attacked error of a control, which has no key, minus that of the keyed classifier, paired
by sample; right of 0 the key helped. Control and keyed classifier are attacked in the same way: shown the same
examples, asked as many questions, or, from the weights on, known; from the weights on a control has nothing to hide.
Each is judged by the attack of the rung that does most to it: one attack for both would flatter either.
`results/ladder/*.attacks.csv` has each attack by itself, with its advantage on the same examples. Intervals are over
samples and, where there are several, over keys; results/ladder/coverage.md has how often they hold the truth.

A rung is one way of using what is known, and whoever knows more can use them all. So *what it comes to* stands before
the rungs: by what is known, the strongest of all that was tried with it.

"""


def attackers() -> pd.DataFrame:
    """Each attacker, what is never given to it, and how long what it makes takes."""
    parts = {"transform": "the transform", "key": "the key", "network": "design", "weights": "the weights"}
    lines = [
        {
            "attacker": f"`{each.id}`",
            "who": f"{each.name}. {each.summary}",
            "never given": ", ".join(parts[name] for name in each.hidden) or "nothing is hidden",
            "options": ", ".join(f"`{option.name}`" for option in each.options) or "-",
            "makes first": each.takes or "-",
        }
        for each in ATTACKERS.values()
    ]
    return pd.DataFrame(lines)


def measured() -> Iterator[str]:
    """A section a measured ladder: what it comes to, its rungs at every budget, and the lessons at the middle one."""
    for name, path in ladder.measured(RESULTS).items():
        points = ladder.read_points(path)
        epsilons = sorted(points["epsilon"].unique())
        middle = epsilons[len(epsilons) // 2]
        levels = points["level"] != ""
        yield f"## Measured: {name}\n"
        yield (
            f"Percent with 95 % intervals, of the first {points['samples'].max()} test samples at most and "
            f"{points['keys'].max()} of the defender's keys at most.\n"
        )
        if levels.any():
            yield f"### What it comes to\n\n{summaries.markdown(ladder.report(points[levels]))}"
        yield f"### Rung by rung\n\n{summaries.markdown(ladder.report(points[~levels]))}"
        yield f"### What each rung shows, at ε {middle:g}\n"
        for attacker in dict.fromkeys(points[~levels]["attacker"]):
            yield f"**{ATTACKERS[attacker].name}.** {lessons.lesson(attacker, points, middle)}\n"


SHORT = ("noise", "labels", "scores", "data", "twin", "own-key", "own-keys", "recovery", "key")


def short(model: str = "mnist-table1-keyed", epsilon: float = 0.2) -> str:
    """The ladder in a few rows: what the strongest of a rung's attacks does to the keyed classifiers, and the strongest
    to the controls."""
    points = ladder.read_points(RESULTS / f"{model}.csv")
    found = [point for name in SHORT if (point := ladder.top(points, name, epsilon)) is not None]
    return _few(found, [rung_words(each["attacker"], each["options"], each["queries"]) for each in found])


def comes_to(model: str = "mnist-table1-keyed", epsilon: float = 0.2) -> str:
    """By what is known, the strongest of all that can be done with it."""
    points = ladder.read_points(RESULTS / f"{model}.csv")
    levels = points[(points["level"] != "") & (points["epsilon"] == epsilon)]
    return _few([each for _, each in levels.iterrows()], list(levels["level"]))


def _few(points: Sequence[pd.Series], words: Sequence[str]) -> str:
    table = ladder.report(pd.DataFrame(points)).rename(
        columns={"attacked error %": "keyed", "control %": "control", "key advantage %": "key advantage"}
    )
    who = "what the attacker knows" if points[0]["level"] else "who attacks"
    return summaries.markdown(table.assign(**{who: words}), (who, "keyed", "control", "key advantage", "keys, samples"))


def without_the_first(model: str = "mnist-table1-keyed", epsilon: float = 0.2) -> str:
    """What becomes of the advantages where all keys are shown the same if the first key, which was trained otherwise,
    and its control are left out: for results/ladder/README.md."""
    rows = pd.read_parquet(RESULTS / f"{model}.parquet")
    at = rows["options"].astype(str).str.contains(f'"epsilon": {epsilon},', regex=False)
    rows = rows[at & ~rows["crafted_on"].astype(str).str.contains("@")]
    rows = rows[rows["attack"].astype(str).isin(["noise", "fgsm", "mi_fgsm"])]
    groups, controls = climbed.sides(rows, model)
    found = []
    for first in (0, 1):
        fewer, beside = (replace(each, ids=each.ids[first:]) for each in (*groups, controls))
        points = ladder.points(rows, (fewer,), beside, (epsilon,))
        found.append(points[(points["level"] == "") & (points["attacker"] != "key")])
    names = [" ".join(filter(None, each)) for each in zip(found[0]["attacker"], found[0]["options"], strict=True)]
    columns = {
        f"advantage over {part['keys'].max()} keys": [ladder.share(each, "advantage") for _, each in part.iterrows()]
        for part in found
    }
    return summaries.markdown(pd.DataFrame({"attacker": names, **columns}))


def page() -> str:
    """The page, in Markdown."""
    parts = [f"## The attackers\n\n{summaries.markdown(attackers())}", *measured()]
    return HEAD + "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
