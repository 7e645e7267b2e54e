"""Table 3 on the page: the shipped lines, the paper's beside ours, and any line made again."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pandas as pd
import streamlit as st

from kerckhoffs import places
from kerckhoffs.checks import FileRefused
from kerckhoffs.evaluation import summaries, table3
from kerckhoffs.evaluation.examples import COLUMNS
from kerckhoffs.evaluation.experiments import Experiment
from kerckhoffs.evaluation.runs import Run
from kerckhoffs.evaluation.table3 import ROWS
from kerckhoffs.plots import runs as plots_runs
from kerckhoffs.plots.runs import table3_words
from kerckhoffs.ui.batch.results import kept, warned, warnings
from kerckhoffs.ui.batch.runner import Status

SHIPPED = places.shipped("results") / "table3"
ICONS = {"reproduced": "≈", "better": "▼", "not reproduced": "✗", "too few samples": "?"}
MEANS = {
    "reproduced": "it agrees with the paper's: the 95 % intervals overlap",
    "better": "it is below the paper's; smaller perturbations alone can do that",
    "not reproduced": "it is above the paper's, or the attack did less to the classical classifier than there",
    "too few samples": "the intervals overlap, but ours is wider than "
    f"{100 * table3.TOO_WIDE:.0f} points: so wide a one overlaps almost anything",
}


def shipped() -> pd.DataFrame | None:
    """The lines that come with the program, as table3.compare gives them; None where they are missing."""
    path = SHIPPED / "rows.csv.gz"
    return counted(str(path), path.stat().st_mtime_ns) if path.is_file() else None


@st.cache_data(max_entries=1, show_spinner=False)
def counted(path: str, changed: int) -> pd.DataFrame:
    """The lines of a file of rows.

    Args:
        changed: when the file was, so that another one under the same name is read.

    Raises:
        FileRefused: if it is damaged.
    """
    try:
        return table3.compare(pd.read_csv(path, dtype=COLUMNS, usecols=list(summaries.NEEDED)))
    except (OSError, EOFError, zlib.error, ValueError, KeyError) as error:
        raise FileRefused("the shipped rows results/table3/rows.csv.gz are damaged; restore the file") from error


def table(lines: pd.DataFrame) -> pd.DataFrame:
    """Those lines for people: the verdict, and the paper's figures beside ours, in percent."""
    shown = pd.DataFrame({"verdict": [f"{ICONS[each]} {each}" for each in lines["verdict"]]})
    shown["row, crafted on classical"] = [table3_words(line) for line in lines.to_dict("records")]
    for what, words in (("attacked", "attacked"), ("success", "attack success"), ("clean", "clean")):
        for kind in ("keyed", "classical", "control"):
            name = f"{kind}_{what}"
            ends = zip(lines[name], lines[f"{name}_low"], lines[f"{name}_high"], strict=True)
            shown[f"{words}, evaluated on {kind}"] = [summaries.percent(*each) for each in ends]
            if (paper := f"paper_{name}") in lines:
                shown[f"paper: {what}, {kind}"] = [f"{100 * value:.2f}" for value in lines[paper]]
    shown["examples"] = list(lines["examples"])
    return shown


def draw(lines: pd.DataFrame, key: str) -> None:
    """The table, what its verdicts mean, and the figure."""
    st.dataframe(
        table(lines),
        hide_index=True,
        height="content",
        key=f"{key}_table",
        alt="Table 3: errors in percent after attacks crafted on the classical classifier, here and in the paper",
    )
    st.caption(
        "In percent, with 95 % intervals. Attacked and clean errors count all samples, those misread before the attack "
        "too; attack success counts what was turned wrong among those right before. Every example is **crafted on the "
        "classical** classifier and evaluated on it, on the keyed one, and on a **control** that is not in the paper: "
        "the classical classifier of the other network, which has no key either. Verdicts, on the keyed classifier's "
        "attacked error: " + "; ".join(f"{ICONS[name]} **{name}**: {words}" for name, words in MEANS.items()) + "."
    )
    figure = plots_runs.beside_the_paper(lines)
    alt = "Error after the attack, in the paper and here, evaluated on the classical, the keyed and the control model"
    st.plotly_chart(figure, key=f"{key}_figure", config={"displayModeBar": False}, alt=alt)


@dataclass(frozen=True)
class Again:
    """A line to make again: a row of the table, with the options and targets that the shipped one has."""

    row: str
    options: str
    targets: str
    seed: int

    @property
    def words(self) -> str:
        """For a menu."""
        return table3_words(asdict(self))

    @property
    def models(self) -> tuple[str, str, str]:
        """The ids of its classical, keyed and control classifier."""
        row = ROWS[self.row]
        return row.classical, row.keyed, row.control

    def experiment(self, samples: int) -> Experiment:
        """The experiment on the first so many test samples."""
        options = json.loads(self.options)
        attack, crafted_on = ROWS[self.row].attack, self.models[0]
        return Experiment(
            attack, crafted_on, self.models, options=options, targets=self.targets, seed=self.seed, stop=samples
        )


def choices(lines: pd.DataFrame | None) -> list[Again]:
    """The lines that can be made again: the shipped ones, and each other row with one target."""
    found = []
    if lines is not None:
        found = [Again(*each) for each in lines[["row", "options", "targets", "seed"]].itertuples(index=False)]
    for name, row in ROWS.items():
        if name not in {each.row for each in found}:
            fgsm = {"epsilon": table3.FGSM_EPSILON, "perturb_all": True}
            options, targets = (fgsm, "untargeted") if row.attack == "fgsm" else (table3.SHORT[row.attack], "random")
            found.append(Again(name, json.dumps(options), targets, 0))
    return found


def is_table3(experiments: Sequence[Experiment]) -> bool:
    """Whether a run is about rows of Table 3, which the address does not promise."""
    rows = {(row.attack, row.classical, (row.classical, row.keyed, row.control)) for row in ROWS.values()}
    return all((each.attack, each.crafted_on, each.evaluated_on) in rows for each in experiments)


@st.cache_data(max_entries=32, show_spinner=False)
def compared(_run: Run, kept: str) -> pd.DataFrame:
    """What is done of a run, beside the paper."""
    return table3.compare(_run.rows(summaries.NEEDED))


def results(run: Run, status: Status) -> None:
    """What a line that was made again has given, so far."""
    if not is_table3(run.experiments):
        raise ValueError("this run is not one of Table 3; open its address on the page Batch")
    done = len(run.shards())
    if done:
        now = kept(run, done if status.busy else None)
        draw(compared(run, now), "again")
        warnings(warned(run, now))
        st.caption(f"{'So far' if status.busy else 'Altogether'}: {status.done} of {status.total} examples.")
