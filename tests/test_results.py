"""What is in results/: how runs of Table 3 are put together."""

import pandas as pd

from benchmarks import table3 as merging
from kerckhoffs.evaluation.table3 import ROWS
from tests import ROOT


def rows(**values):
    return pd.DataFrame([{"dataset": "mnist", "attack": attack, "after": after} for attack, after in values.items()])


def test_a_runs_rows_take_the_place_of_the_same_rows_and_leave_the_others_in_the_tables_order():
    merged = merging.merged(rows(cw_l2="1", fgsm="2", cw_l0="3"), rows(fgsm="4"))
    assert list(merged.itertuples(index=False, name=None)) == [
        ("mnist", "cw_l2", "1"),
        ("mnist", "cw_l0", "3"),
        ("mnist", "fgsm", "4"),
    ]


def test_the_manifest_names_the_run_of_every_row_once_and_forgets_runs_that_have_none_left():
    first = merging.manifest({"command": "all"}, {"command": "fgsm"}, {"mnist-fgsm", "fashion-mnist-fgsm"})
    assert [each["manifest"]["command"] for each in first["runs"]] == ["all", "fgsm"]
    assert first["runs"][1]["rows"] == ["mnist-fgsm", "fashion-mnist-fgsm"]
    again = merging.manifest(first, {"command": "again"}, {"mnist-fgsm", "fashion-mnist-fgsm"})
    assert [each["manifest"]["command"] for each in again["runs"]] == ["all", "again"]
    assert sorted(name for each in again["runs"] for name in each["rows"]) == sorted(ROWS)


def test_what_is_said_of_autoattack_was_measured():
    [case] = pd.read_csv(ROOT / "results" / "peers" / "autoattack.csv").to_dict("records")
    said = " ".join((ROOT / "results" / "peers" / "README.md").read_text(encoding="utf-8").split())
    assert f"ours leaves {case['errors']} of {case['images']} images wrong" in said
    assert f"torchattacks' as it comes {case['torchattacks_errors']}, all of which ours has too" in said
    assert f"With 100 steps it leaves {case['torchattacks_100_errors']}, again all of ours" in said
    assert case["torchattacks_alone"] == case["torchattacks_100_alone"] == 0
