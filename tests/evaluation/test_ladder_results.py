"""The shipped ladders: their lines are what their rows say, and their rows are whole."""

from types import SimpleNamespace

import pandas as pd
import pytest

from benchmarks import climbed
from kerckhoffs.evaluation import ladder, lessons
from kerckhoffs.evaluation.experiments import Experiment
from kerckhoffs.room import Scene
from kerckhoffs.ui.stage import rungs
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


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_a_line_is_held_against_is_what_its_advantage_says(path):
    lines = ladder.read_lines(path.with_suffix(".csv"))
    compared = 0
    for _, line in lines[lines["evaluated_on"] != ladder.CONTROL].iterrows():
        control = ladder.like(lines, line)
        assert (control is None) == pd.isna(line["advantage"])
        if control is not None and (control["keys"], control["samples"]) == (line["keys"], line["samples"]):
            assert control["error"] - line["error"] == pytest.approx(line["advantage"], abs=1e-9)
            compared += 1
    assert compared > 10


def test_what_is_said_of_every_rung_beside_the_control_is_of_the_same_attack():
    for path in SHIPPED:
        lines = ladder.read_lines(path.with_suffix(".csv"))
        for epsilon in lines["epsilon"].unique():
            for name in lines["attacker"].unique():
                at = lines[(lines["attacker"] == name) & (lines["epsilon"] == epsilon) & lines["advantage"].notna()]
                if not at.empty:
                    best = at.loc[at["error"].idxmax()]
                    said = lessons.lesson(name, lines, epsilon)
                    assert f"wrong, and {ladder.share(ladder.like(lines, best))} % of the control" in said


def test_the_stage_shows_the_control_under_the_same_attack():
    scene = Scene("rungs", "x", ladder="mnist-table1-keyed", epsilon=0.1, rungs=("labels", "scores", "key"))
    [bars] = [each for each in rungs.shown(scene).after["blocks"] if each["kind"] == "bars"]
    lines = ladder.read_lines(ROOT / "results" / "ladder" / "mnist-table1-keyed.csv")
    for row, name in zip(bars["rows"], scene.rungs, strict=True):
        at = lines[(lines["attacker"] == name) & (lines["epsilon"] == 0.1) & lines["advantage"].notna()]
        best = at.loc[at["error"].idxmax()]
        assert [each["value"] for each in row["values"]] == [best["error"], ladder.like(lines, best)["error"]]


def test_what_two_runs_have_is_taken_from_the_first_and_what_is_not_whole_is_left_out():
    columns = {"crafted_on": "m", "attack": "fgsm", "targets": "untargeted", "seed": 0, "evaluated_on": "m"}
    first = pd.DataFrame([{**columns, "options": "{}", "index": number, "after": 1} for number in range(3)])
    second = pd.DataFrame([{**columns, "options": "{}", "index": number, "after": 2} for number in range(2, 5)])
    found = climbed.together([first.astype({"attack": "category"}), second])
    assert found["after"].tolist() == [1, 1, 1, 2, 2]
    run = SimpleNamespace(experiments=[Experiment("fgsm", "m", ("m",), stop=3)])
    other = first.iloc[:2].assign(options="another")
    assert set(climbed.whole(pd.concat([first, other]), run)["options"]) == {"{}"}
