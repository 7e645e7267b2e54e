"""The defences under attack: who crafts on what, and what each defence reads afterwards. Writes results/defences.

    python -m benchmarks.defences white_box carried ... --out results/defences
    python -m benchmarks.defences --report --out results/defences

A question is a few attacks crafted on a few models and shown to others, always the first test samples, untargeted.
Every example counts, also one that fails where it was crafted (perturb_all). Models are named by their id; those that
do not ship by `folder/id`, from a folder below --models (results/defences/models.json has the commands); several that
are averaged by + between them. What is done is kept, so a second call does only what is missing.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from kerckhoffs import zoo
from kerckhoffs.attacks.averaged import Averaged
from kerckhoffs.bench import contestants
from kerckhoffs.evaluation import examples, experiments, flags, summaries, tables
from kerckhoffs.evaluation.examples import COLUMNS
from kerckhoffs.evaluation.experiments import Experiment
from kerckhoffs.zoo.train.quick import quicken

SAMPLES = 1000
KEPT = (*flags.WITH_SUMMARY, "crafted_after")
"""The columns of the rows that are kept."""
HEADING = """# The defences under attack

Made by `python -m benchmarks.defences`, which says what each question is. Percent with 95 % intervals, of the first
1000 test samples but where the column says otherwise. The rows are in the files of the questions, all columns of the
summary in summary.csv. models.json has the cards of the models that do not ship, with the command that made each.
"""
FOLDERS = ("attackers", "measured")
"""Of the models that do not ship: what an attacker trained, and what was trained to be measured."""
ALL = ":perturb_all=true"
WHERE = "where it is evaluated"  # crafted on each of the evaluated models itself

TABLE1 = "mnist-table1"
TWIN, OWN_KEY, MLP = f"{TABLE1}-classical", f"{TABLE1}-surrogate", "mnist-mlp-classical"
STRANGERS = (TWIN, MLP, OWN_KEY, f"{TWIN}+{MLP}+{OWN_KEY}")
"""Attackers without the key who do not know how the defence was trained."""

ADVERSARIAL = (f"{TABLE1}-adversarial", f"{TABLE1}-keyed-adversarial")
ENSEMBLES = (f"{TABLE1}-ensemble-adversarial", f"{TABLE1}-keyed-ensemble-adversarial")
OTHERS = tuple(f"{TABLE1}-{name}" for name in ("keyed", "shuffle-4", "dct-high", "binary", "median", "distilled"))
NOISE = f"{TABLE1}-noise"  # eight looks at an image
SHIPPED = (TWIN, *OTHERS, *ENSEMBLES, *ADVERSARIAL)
"""All of one network that do not draw; the first is what the paper's attacker crafts on."""

WIDER = ("measured/mnist-table1-adversarial",)  # trained at 0.3
ALIKE_ADVERSARIAL = (f"{TABLE1}-adversarial", "attackers/mnist-half-keyed-adversarial")
ALIKE_ENSEMBLES = ("attackers/mnist-table1-ensemble-adversarial", "attackers/mnist-table1-keyed-ensemble-adversarial")
"""Attackers without the key who know how the defence was trained: networks, pools and keys of their own. The first one
ships: to the keyed classifier a twin without a key, which began with the same weights; to itself a white box."""

STRUCTURES = ("keyed", "shuffle-4", "dct-high", "dct-horizontal")
BEHIND = tuple(f"measured/mnist-half-{name}adversarial" for name in ("", *(f"{each}-" for each in STRUCTURES)))
"""Trained in the same way with the same budget, without a key and behind each transform; the last is a KDA channel."""

HALF = tuple(f"mnist-half-{name}" for name in ("classical", "keyed", "kda", "voting"))


@dataclass(frozen=True)
class Question:
    """Attacks, as `kerckhoffs evaluate` writes them, and the models that they are crafted on and shown to."""

    attacks: tuple[str, ...]
    crafted_on: tuple[str, ...]
    evaluated_on: tuple[str, ...]
    samples: int = SAMPLES


def one_step(epsilon: float) -> str:
    """FGSM."""
    return f"fgsm:epsilon={epsilon}{ALL}"


def momentum(epsilon: float) -> str:
    """MI-FGSM."""
    return f"mi_fgsm:epsilon={epsilon}{ALL}"


def steps(epsilon: float, restarts: int = 1) -> str:
    """PGD of 40 steps; with restarts, as strong as it gets: what fooled is kept."""
    more = f":restarts={restarts}" if restarts > 1 else ALL
    return f"pgd:epsilon={epsilon}:step_size={epsilon / 10:g}:iterations=40{more}"


def carried(epsilon: float) -> tuple[str, ...]:
    """What is crafted elsewhere."""
    return one_step(epsilon), momentum(epsilon), steps(epsilon)


def low(epsilon: float) -> str:
    """PGD in low frequencies, which passes KDA's channels."""
    return f"low_frequency:epsilon={epsilon}{ALL}"


def strong(epsilon: float) -> tuple[str, ...]:
    """What is crafted on the defended classifier itself."""
    return one_step(epsilon), steps(epsilon, 2), f"apgd:epsilon={epsilon}", f"apgd:epsilon={epsilon}:loss=dlr"


QUESTIONS: dict[str, Question] = {
    "carried": Question((*carried(0.2), *carried(0.3)), STRANGERS, SHIPPED),
    "carried_alike": Question(carried(0.2), (*ALIKE_ADVERSARIAL, *ALIKE_ENSEMBLES), (*ENSEMBLES, *ADVERSARIAL)),
    "carried_alike_wider": Question(carried(0.3), ALIKE_ENSEMBLES, ENSEMBLES),
    "white_box": Question((*strong(0.1), *strong(0.2), *strong(0.3)), (WHERE,), ADVERSARIAL),
    "white_box_wider": Question((one_step(0.3), steps(0.3, 2), "apgd:epsilon=0.3"), (WHERE,), WIDER),
    "white_box_others": Question(
        (one_step(0.1), one_step(0.2), steps(0.1, 2), steps(0.2, 2)), (WHERE,), (TWIN, *OTHERS, *ENSEMBLES), 100
    ),
    "white_box_noise": Question((one_step(0.1), one_step(0.2), steps(0.1), steps(0.2)), (WHERE,), (NOISE,), 100),
    "black_box": Question(("square:epsilon=0.2:max_queries=1000",), (WHERE,), ADVERSARIAL, 200),
    "behind_each": Question((steps(0.2, 2), "apgd:epsilon=0.2"), (WHERE,), BEHIND, 500),
    "many_networks": Question(
        tuple(each for epsilon in (0.1, 0.2, 0.3) for each in (*carried(epsilon), low(epsilon))),
        ("mnist-half-classical", "mnist-half-surrogate"),
        HALF,
        500,
    ),
    "many_networks_white_box": Question(
        tuple(each for epsilon in (0.1, 0.2) for each in (one_step(epsilon), low(epsilon), steps(epsilon))),
        (WHERE,),
        HALF,
        200,
    ),
    "distilled": Question(
        tuple(f"{name}:epsilon=0.3:arithmetic={how}{ALL}" for name in ("fgsm", "pgd") for how in ("float32", "exact")),
        (WHERE,),
        (TWIN, f"{TABLE1}-distilled"),
    ),
    "distilled_cw": Question(("cw_l2",), (WHERE,), (TWIN, f"{TABLE1}-distilled"), 100),
}


class Models:
    """Classifiers and their cards by name, each read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, tuple[nn.Module, zoo.ModelCard]] = {}

    def __call__(self, name: str) -> tuple[nn.Module, zoo.ModelCard]:
        """A classifier and its card; of several that are averaged, the first one's with all keys' fingerprints."""
        if name not in self._read:
            parts = name.split("+")
            folder, _, id_ = parts[0].rpartition("/")
            where = self._folder / folder if folder else None
            if len(parts) > 1:
                read = [self(part) for part in parts]
                keys = tuple(key for _, card in read for key in card.keys)
                self._read[name] = Averaged([model for model, _ in read]), replace(read[0][1], keys=keys)
            else:
                model = zoo.load(id_, folder=where)
                quicken(model)  # a third less time for a gradient
                self._read[name] = model, zoo.card(id_, where)
        return self._read[name]


def grid(question: Question) -> Iterator[Experiment]:
    """The question as experiments."""
    for attack, options in map(contestants.read, question.attacks):
        for crafted_on in question.crafted_on:
            for judges in (
                [(each,) for each in question.evaluated_on] if crafted_on == WHERE else [question.evaluated_on]
            ):
                crafter = judges[0] if crafted_on == WHERE else crafted_on
                yield Experiment(attack, crafter, judges, options, stop=question.samples)


def answer(experiment: Experiment, models: Models) -> pd.DataFrame:
    """The rows of an experiment."""
    read = {name: models(name) for name in experiment.models}
    cards = {name: card for name, (_, card) in read.items()}
    shown = examples.samples(experiment, cards[experiment.crafted_on].dataset)
    classifiers = {name: model for name, (model, _) in read.items()}
    work = experiments.blocks([experiment], cards)
    rows = pd.concat([examples.examine(experiment, block, shown, classifiers, cards) for block in work])
    return rows[list(KEPT)]


def ask(name: str, out: Path, models: Models) -> None:
    """Answer what is missing of a question, and keep its rows."""
    path = out / f"{name}.csv.gz"
    rows = read(path) if path.exists() else pd.DataFrame()
    for experiment in grid(QUESTIONS[name]):
        if len(rows) and bool((_key(rows) == _wanted(experiment)).any()):
            continue
        found = answer(experiment, models)
        rows = pd.concat([rows, found], ignore_index=True)
        tables.export([rows], path)
        print(summaries.markdown(summaries.brief(summaries.summarise(found))), flush=True)


def read(path: Path) -> pd.DataFrame:
    """The rows of a question."""
    return pd.read_csv(path, dtype={name: kind for name, kind in COLUMNS.items() if name in KEPT})


def report(out: Path, folder: Path) -> None:
    """Write summary.csv, a line for each attack and pair of models of what is answered, README.md, and models.json.

    Args:
        folder: that of the folders of models that do not ship.
    """
    cards = {name: zoo.models(folder / name) for name in FOLDERS if (folder / name / zoo.MANIFEST).exists()}
    written = {f"{name}/{id_}": asdict(card) for name, found in cards.items() for id_, card in found.items()}
    (out / "models.json").write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    answered = {name: read(path) for name in QUESTIONS if (path := out / f"{name}.csv.gz").exists()}
    found = flags.raised(pd.concat(answered.values(), ignore_index=True))
    counted = {name: flags.marked(summaries.summarise(rows), found) for name, rows in answered.items()}
    tables.export([pd.concat(counted, names=["question"]).reset_index("question")], out / "summary.csv")
    wanted = ["attack", "options", "crafted on", "evaluated on", "clean error %", "attacked error %", "samples"]
    parts = [HEADING]
    for name, lines in counted.items():
        shown = summaries.report(lines)
        parts += [f"## {name}\n", summaries.markdown(shown, [each for each in wanted if each in shown])]
    (out / "README.md").write_text("\n".join([*parts, flags.markdown(found)]), encoding="utf-8")


def _key(rows: pd.DataFrame) -> pd.Series:
    return rows["attack"].astype(str) + rows["options"].astype(str) + rows["crafted_on"].astype(str)


def _wanted(experiment: Experiment) -> str:
    return experiment.attack + experiment.named_options() + experiment.crafted_on


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and work."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="*", choices=[[], *QUESTIONS], help="all by default")
    parser.add_argument("--out", type=Path, default=Path("results/defences"))
    parser.add_argument("--report", action="store_true", help="only write the summary of what is answered")
    parser.add_argument("--models", type=Path, default=Path("."), help="folder of the folders of models")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    chosen.out.mkdir(parents=True, exist_ok=True)
    models = Models(chosen.models)
    if chosen.report:
        report(chosen.out, chosen.models)
        return
    for name in chosen.questions or QUESTIONS:
        ask(name, chosen.out, models)


if __name__ == "__main__":
    main()
