"""What the Play page would say of many examples, held against their rows: is every sentence true?

    python -m benchmarks.sentences --samples 300

Crafts FGSM on the classical MNIST classifiers (gray box), evaluates it on the keyed ones, and counts each kind of
sentence by what the rows say happened. Ends with status 1 if a sentence says what its row does not.
"""

import argparse
import re
import sys
from collections import Counter

import pandas as pd
import torch

from kerckhoffs.evaluation import Verdict, evaluate, succeeded
from kerckhoffs.ui.models import pair
from kerckhoffs.ui.play.consequences import consequence
from kerckhoffs.ui.play.experiment import Experiment, Reading

NETWORKS = ("table1", "table2")
EPSILONS = (0.05, 0.1, 0.15, 0.3)
DATASET = "mnist"


def said(rows: pd.DataFrame, experiment: Experiment) -> str:
    """The page's words of one example, from its rows on both classifiers."""
    readings = {}
    for _, row in rows.iterrows():
        verdict = Verdict(
            crafted_on=experiment.names[experiment.crafted_on],
            evaluated_on=experiment.names[row["evaluated_on"]],
            label=int(row["label"]),
            target=None,
            before=int(row["before"]),
            after=int(row["after"]),
            confidence=float(row["confidence_after"]),
            crafted_success=bool(row["crafted_success"]),
            nothing_to_attack=succeeded(int(row["crafted_before"]), int(row["label"]), None),
        )
        readings[row["evaluated_on"]] = Reading(torch.empty(0), torch.empty(0), [], [], verdict)
    return consequence(experiment, readings)


def lies(words: str, there: pd.Series, keyed: pd.Series) -> list[str]:
    """What the words say that the rows do not, or leave out."""
    worked = there["before"] == there["label"] != there["after"]
    right, fooled = keyed["before"] == keyed["label"], keyed["before"] == keyed["label"] != keyed["after"]
    claims = {
        "works there": worked,
        "failed there": there["before"] == there["label"] == there["after"],
        "nothing to attack": there["before"] != there["label"],
        "the defence failed": fooled,
        "does not carry over": worked and right and not fooled,
        "says nothing about the defence": right and not fooled and not worked,
        "wrong before any attack": not right,
    }
    return [claim for claim, so in claims.items() if (claim in words) != bool(so)]


def main() -> int:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=300)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    wrong = 0
    for network in NETWORKS:
        left, right = pair(DATASET, network)
        for epsilon in EPSILONS:
            fgsm = {"epsilon": epsilon, "perturb_all": True}
            rows = evaluate({"fgsm": fgsm}, left, [left, right], stop=options.samples)
            for index, both in rows.groupby("index"):
                there, keyed = (both[both["evaluated_on"] == name].iloc[0] for name in (left, right))
                label = int(there["label"])
                of = "sample", str(index), label
                experiment = Experiment(DATASET, left, right, *of, "fgsm", tuple(fgsm.items()), None, "twin")
                words = said(both, experiment)
                if found := lies(words, there, keyed):
                    wrong += 1
                    print(f"{network}, epsilon {epsilon}, sample {index}: {found}: {words}")
                counts[re.sub(r"\d → \d|as \d|reads \d|Try this.*", "#", words)] += 1
    for kind, number in counts.most_common():
        print(f"{number:5} {kind}")
    print(f"{counts.total()} examples, {len(counts)} kinds of sentences, {wrong} that their rows do not hold")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
