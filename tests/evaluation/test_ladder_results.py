"""The shipped ladders: their lines are what their rows say, and their rows are whole."""

import pandas as pd
import pytest

from benchmarks import climbed
from kerckhoffs.evaluation import ladder
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


def lines(*attackers):
    columns = {"epsilon": 0.1, "options": "", "attack": "fgsm", "attack_options": "{}", "evaluated_on": "x"}
    return pd.DataFrame([{**columns, "attacker": name} for name in attackers])


def test_runs_are_put_together_in_the_order_of_the_ladder_and_nothing_twice():
    joined = climbed.joined([lines("key", "twin"), lines("noise")])
    assert list(joined["attacker"]) == ["noise", "twin", "key"]
    with pytest.raises(ValueError, match="two runs have lines of the same attack"):
        climbed.joined([lines("key"), lines("key")])
