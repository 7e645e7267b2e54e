"""docs/ladder.md: the attackers, from nothing to the key, and what was measured of each: a teacher's page.

    python -m docs.ladder > docs/ladder.md

prints the page from the registry and from results/ladder; a test compares them.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.evaluation import ladder, lessons, summaries

RESULTS = Path(__file__).parent.parent / "results" / "ladder"
HEAD = """# The ladder: from knowing nothing to having the key

A defence by a secret key is worth what it is worth against an attacker who knows this or that. Each rung is an
attacker; the images, the largest change of a pixel and the judge are the same for all. What an attacker trains is
trained on training samples, with seeds and keys of its own, in a process that is told nothing of the defender's key
(tests/attackers/test_secrets.py looks into its memory, its messages and its files).

    python -m kerckhoffs attackers list
    python -m kerckhoffs attackers make own-keys:number=8@mnist-table1-keyed
    python -m kerckhoffs ladder mnist-table1-keyed \\
        --control mnist-table2-classical --samples 200

The **key advantage** is the attacked error of a control, which has no key and which the attacker never saw, minus that
of the keyed classifier, paired by sample; right of 0 the key helped. Its interval is over samples and, where there are
several, over keys; results/ladder/coverage.md has how often it holds the truth. Against those who have the weights or
the key the control has nothing to hide: it is attacked as one that is known.

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
    """A section a measured ladder: its table at every budget, and the lessons at the middle one."""
    for name, path in ladder.measured(RESULTS).items():
        lines = ladder.read_lines(path)
        epsilons = sorted(lines["epsilon"].unique())
        middle = epsilons[len(epsilons) // 2]
        counts = lines[lines["advantage"].notna()]
        yield f"## Measured: {name}\n"
        yield (
            f"Percent with 95 % intervals, of the first {counts['samples'].max()} test samples at most and "
            f"{counts['keys'].max()} of the defender's keys at most. The attack of each rung that does best on the "
            "keyed classifiers, and what the same one does to the controls.\n"
        )
        yield summaries.markdown(ladder.brief(lines))
        yield f"### What each rung shows, at ε {middle:g}\n"
        for attacker in dict.fromkeys(lines["attacker"]):
            yield f"**{ATTACKERS[attacker].name}.** {lessons.lesson(attacker, lines, middle)}\n"


SHORT = ("noise", "labels", "scores", "data", "twin", "own-key", "own-keys", "recovery", "key")


def short(model: str = "mnist-table1-keyed", epsilon: float = 0.2) -> str:
    """The ladder in a few rows: what the strongest of a rung's attacks does to the keyed classifiers, and what the same
    does to the controls."""
    lines = ladder.read_lines(RESULTS / f"{model}.csv")
    at = lines[lines["epsilon"] == epsilon]
    rows = []
    for name in SHORT:
        keyed = at[(at["attacker"] == name) & (at["evaluated_on"] != ladder.CONTROL)]
        line = keyed.loc[keyed["error"].idxmax()]
        control = ladder.like(lines, line)
        assert control is not None
        rows.append(
            {
                "who attacks": ATTACKERS[name].name,
                "keyed": ladder.share(line),
                "control": ladder.share(control),
                "key advantage": ladder.share(line, "advantage"),
                "keys, samples": f"{line['keys']}, {line['samples']}",
            }
        )
    return summaries.markdown(pd.DataFrame(rows))


def page() -> str:
    """The page, in Markdown."""
    parts = [f"## The attackers\n\n{summaries.markdown(attackers())}", *measured()]
    return HEAD + "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
