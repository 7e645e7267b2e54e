"""The shipped ladders: their lines are what their rows say, and their rows are whole."""

from types import SimpleNamespace

import pandas as pd
import pytest

from benchmarks import climbed
from kerckhoffs.evaluation import ladder
from kerckhoffs.evaluation.experiments import Experiment
from tests import ROOT

SHIPPED = sorted((ROOT / "results" / "ladder").glob("*.parquet"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_errors_of_the_lines_are_those_of_the_rows(path):
    lines = ladder.read_lines(path.with_suffix(".csv"))
    rows = pd.read_parquet(path)
    wrong = (rows["after"] != rows["label"]).groupby(
        [rows[name].astype(str) for name in ("crafted_on", "attack", "options", "evaluated_on")]
    )
    errors = wrong.mean()
    single = lines[(lines["keys"] == 1) & ~lines["attack"].isin(["rays"])]
    several = lines[(lines["keys"] > 1) & ~lines["attack"].isin(["rays"])]
    assert len(lines) > 50
    for line in single.itertuples():
        found = errors[line.crafted_on, line.attack, line.attack_options]
        assert (found - line.error).abs().min() < 1e-9
    shared = several[~several["crafted_on"].str.contains("@") & (several["evaluated_on"] != ladder.CONTROL)]
    shared = shared[shared["attacker"].isin(["data", "twin", "own-key"])]
    for line in shared.itertuples():
        found = errors[line.crafted_on, line.attack, line.attack_options]
        keyed = found[[name for name in found.index if "-keyed" in name]]
        assert keyed.mean() == pytest.approx(line.error, abs=1e-9)
        assert len(keyed) == line.keys


def test_what_two_runs_have_is_taken_from_the_first_and_what_is_not_whole_is_left_out():
    columns = {"crafted_on": "m", "attack": "fgsm", "targets": "untargeted", "seed": 0, "evaluated_on": "m"}
    first = pd.DataFrame([{**columns, "options": "{}", "index": number, "after": 1} for number in range(3)])
    second = pd.DataFrame([{**columns, "options": "{}", "index": number, "after": 2} for number in range(2, 5)])
    found = climbed.together([first.astype({"attack": "category"}), second])
    assert found["after"].tolist() == [1, 1, 1, 2, 2]
    run = SimpleNamespace(experiments=[Experiment("fgsm", "m", ("m",), stop=3)])
    other = first.iloc[:2].assign(options="another")
    assert set(climbed.whole(pd.concat([first, other]), run)["options"]) == {"{}"}
