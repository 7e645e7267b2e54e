import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerckhoffs.evaluation import summaries
from kerckhoffs.evaluation.metrics import wilson


def rows(**columns) -> pd.DataFrame:
    """Rows of one group: label 0, right before and wrong after unless said otherwise."""
    count = len(next(iter(columns.values())))
    shared = dict.fromkeys(summaries.GROUP, "a") | {
        "label": 0,
        "before": 0,
        "after": 1,
        "after_8bit": 1,
        "target": None,
        "crafted_before": 0,
    }
    shared |= {"crafted_success": True, "success": True, "l0": 5, "l2": 1.0, "linf": 0.5, "index": np.arange(count)}
    return pd.DataFrame(shared | columns)


def test_errors_count_all_samples_and_success_only_those_that_were_right():
    (line,) = summaries.summarise(rows(before=[0, 0, 0, 3], after=[1, 0, 0, 3])).to_dict("records")
    assert line["clean_error"] == 1 / 4
    assert line["attacked_error"] == 2 / 4
    assert line["attack_success"] == 1 / 3
    assert (line["attack_success_low"], line["attack_success_high"]) == pytest.approx(wilson(1, 3))


def test_transfer_asks_only_examples_that_worked_where_they_were_crafted():
    table = rows(after=[1, 0, 1, 1], crafted_success=[True, True, False, False])
    (line,) = summaries.summarise(table).to_dict("records")
    assert line["transfer"] == 1 / 2
    assert line["crafted_success"] == 1 / 2


def test_transfer_leaves_out_what_needed_no_attack():
    """The crafted-on model misread the clean image, so it came back unchanged: that it misleads nobody is no merit."""
    table = rows(after=[1, 0, 0, 1], crafted_before=[0, 0, 3, 3])
    (line,) = summaries.summarise(table).to_dict("records")
    assert line["transfer"] == 1 / 2
    aimed = rows(after=[2, 0, 0, 2], target=[2, 2, 2, 2], crafted_before=[0, 1, 2, 2])
    (line,) = summaries.summarise(aimed).to_dict("records")
    assert line["transfer"] == 1 / 2


def test_transfer_says_nothing_when_no_example_worked():
    (line,) = summaries.summarise(rows(crafted_success=[False, False])).to_dict("records")
    assert np.isnan(line["transfer"])
    assert summaries.report(pd.DataFrame([line]))["transfer %"].item() == "-"


def test_an_example_that_failed_has_no_distance():
    (line,) = summaries.summarise(rows(l2=[1.0, 0.0, 2.0], crafted_success=[True, False, True])).to_dict("records")
    assert line["median_l2"] == 2.0
    (line,) = summaries.summarise(rows(l2=[1.0, 0.0, 2.0], crafted_success=[True, False, False])).to_dict("records")
    assert line["median_l2"] == np.inf


def test_rounding_to_8_bits_is_counted_apart():
    (line,) = summaries.summarise(rows(after=[1, 1], after_8bit=[0, 1])).to_dict("records")
    assert (line["attacked_error"], line["attacked_error_8bit"]) == (1.0, 0.5)


def test_groups_are_kept_apart():
    table = pd.concat([rows(after=[0, 0]), rows(after=[1, 1]).assign(evaluated_on="b")])
    assert summaries.summarise(table).set_index("evaluated_on")["attacked_error"].to_dict() == {"a": 0.0, "b": 1.0}


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_one_example_a_sample_has_wilsons_interval(hits):
    counted, everyone = np.array(hits), np.ones(len(hits), dtype=bool)
    share, low, high = summaries.interval(counted, everyone, np.arange(len(hits)))
    assert share == counted.mean()
    assert (low, high) == pytest.approx(wilson(int(counted.sum()), len(hits)))


def test_examples_that_share_a_sample_are_not_taken_for_independent():
    samples, each = 100, 9
    hits = np.repeat(np.arange(samples) % 4 == 0, each)  # nine times the same answer
    share, low, high = summaries.interval(hits, np.ones(len(hits), dtype=bool), np.repeat(np.arange(samples), each))
    wilson_low, wilson_high = wilson(25, samples)
    assert share == 0.25
    assert high - low == pytest.approx(wilson_high - wilson_low, rel=0.15)  # as wide as for the samples themselves


def test_when_all_samples_say_the_same_the_interval_is_not_a_point():
    hits = np.zeros(900, dtype=bool)
    share, low, high = summaries.interval(hits, ~hits, np.repeat(np.arange(100), 9))
    assert (share, low, high) == (0.0, *wilson(0, 100))
    assert high > 0.03


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.integers(2, 20), st.integers(2, 9))
def test_the_bootstrap_holds_the_share_and_repeats_itself(seed, samples, each):
    hits = np.random.default_rng(seed).random(samples * each) < 0.4
    index, everyone = np.repeat(np.arange(samples), each), np.ones(samples * each, dtype=bool)
    share, low, high = summaries.interval(hits, everyone, index)
    assert 0 <= low <= share <= high <= 1
    assert (share, low, high) == summaries.interval(hits, everyone, index)


def test_markdown_is_a_table():
    text = summaries.markdown(pd.DataFrame({"a": ["x|y"], "b": [1]}))
    assert text == "| a | b |\n| --- | --- |\n| x\\|y | 1 |\n"


def test_a_summary_survives_csv():
    summary = summaries.summarise(rows(after=[1, 0, 1]))
    again = pd.read_csv(io.StringIO(summary.to_csv(index=False)))
    pd.testing.assert_frame_equal(again, summary, check_dtype=False)
