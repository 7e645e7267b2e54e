"""The shipped ladders: their lines are what their rows say, and their rows are whole."""

import json
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


def read(path):
    """The points, lines and rows of a ladder."""
    return (
        ladder.read_points(path.with_suffix(".csv")),
        ladder.read_lines(path.with_name(f"{path.stem}{ladder.ATTACKS}")),
        pd.read_parquet(path),
    )


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_errors_of_the_lines_are_those_of_the_rows(path):
    _, lines, rows = read(path)
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
def test_a_point_is_the_strongest_of_its_lines_on_each_side_and_its_advantage_their_difference(path):
    points, lines, _ = read(path)
    lines = lines.assign(queries=[json.loads(each).get("max_queries", 0) for each in lines["attack_options"]])
    for point in points.to_dict("records"):
        level = point["level"]
        of_point = lines["epsilon"] == point["epsilon"]
        if level:
            of_point &= lines["attacker"].isin(ladder.LEVELS[level])
        else:
            of_point &= (lines["attacker"] == point["attacker"]) & (lines["options"] == point["options"])
            of_point &= lines["queries"] == point["queries"]
        known = (lines["epsilon"] == point["epsilon"]) & (lines["attacker"] == "key")
        of_control = known if not level and point["attacker"] in ladder.KNOWN else of_point
        if level and set(ladder.KNOWN) & set(lines.loc[of_point, "attacker"]):
            of_control = of_point | known
        for side, name, control in ((of_point, "error", False), (of_control, "control_error", True)):
            there = lines[side & ((lines["evaluated_on"] == ladder.CONTROL) == control)]
            whole = there[there["keys"] == there["keys"].max()]
            if not control or whole["keys"].max() == point["keys"]:  # else of the controls of these keys alone
                assert whole["error"].max() == pytest.approx(point[name], abs=1e-9), (point, name)
        counted = [(point[f"{side}keys"], point[f"{side}samples"]) for side in ("", "advantage_")]
        if counted[0] == counted[1]:
            assert point["control_error"] - point["error"] == pytest.approx(point["advantage"], abs=1e-9)
        assert level or counted[0] == counted[1], f"{point['attacker']}: an error and its advantage of other samples"


def test_what_is_said_of_every_rung_is_its_point():
    for path in SHIPPED:
        points, _, _ = read(path)
        for epsilon in points["epsilon"].unique():
            for name in points["attacker"].unique():
                if (best := ladder.top(points, name, epsilon)) is not None:
                    said = lessons.lesson(name, points, epsilon)
                    assert f"wrong, and {ladder.share(best, 'control_error')} % of the control" in said


def test_the_stage_shows_the_points():
    scene = Scene("rungs", "x", ladder="mnist-table1-keyed", epsilon=0.1, rungs=("labels", "scores", "key"))
    [bars] = [each for each in rungs.shown(scene).after["blocks"] if each["kind"] == "bars"]
    points = ladder.read_points(ROOT / "results" / "ladder" / "mnist-table1-keyed.csv")
    for row, name in zip(bars["rows"], scene.rungs, strict=True):
        best = ladder.top(points, name, 0.1)
        assert [each["value"] for each in row["values"]] == [best["error"], best["control_error"]]


def test_what_is_there_stays_where_a_run_does_not_have_it_anew(tmp_path):
    row = {"crafted_on": "m", "attack": "fgsm", "targets": "untargeted", "seed": 0, "evaluated_on": "m", "index": 0}
    there = pd.DataFrame([{**row, "options": f'{{"epsilon": {each}}}', "after": 1} for each in (0.1, 0.2)])
    there.to_parquet(tmp_path / "x.parquet")
    anew = there.iloc[1:].assign(after=2)
    found = climbed.with_before([anew], tmp_path / "x.parquet")
    assert dict(zip(found["options"], found["after"], strict=True)) == {'{"epsilon": 0.1}': 1, '{"epsilon": 0.2}': 2}
    assert climbed.epsilons(found) == (0.1, 0.2)
    assert len(climbed.with_before([], tmp_path / "x.parquet")) == 2
    assert len(climbed.with_before([anew], tmp_path / "none.parquet")) == 1


def test_what_two_runs_have_is_taken_from_the_first_and_what_is_not_whole_is_left_out():
    columns = {"crafted_on": "m", "attack": "fgsm", "targets": "untargeted", "seed": 0, "evaluated_on": "m"}
    first = pd.DataFrame([{**columns, "options": "{}", "index": number, "after": 1} for number in range(3)])
    second = pd.DataFrame([{**columns, "options": "{}", "index": number, "after": 2} for number in range(2, 5)])
    found = climbed.together([first.astype({"attack": "category"}), second])
    assert found["after"].tolist() == [1, 1, 1, 2, 2]
    run = SimpleNamespace(experiments=[Experiment("fgsm", "m", ("m",), stop=3)])
    other = first.iloc[:2].assign(options="another")
    assert set(climbed.whole(pd.concat([first, other]), run)["options"]) == {"{}"}
