import json

import numpy as np
import pandas as pd
import pytest

from kerckhoffs.evaluation import examples, summaries, table3
from kerckhoffs.evaluation.metrics import wilson
from kerckhoffs.plots import OKABE_ITO
from kerckhoffs.plots import runs as plots_runs
from kerckhoffs.plots.charts import ENDS

MODELS = ("mnist-table1-classical", "mnist-table1-keyed")


def made(index, evaluated_on, *, after=1, before=0, size=1.0, crafted_success=True, attack="fgsm", **options):
    """One row, of a sample of class 0."""
    row = dict.fromkeys(examples.COLUMNS, 0) | dict.fromkeys(("sample", "versions", "crafted_on_key"), "-")
    row |= {"dataset": "mnist", "split": "test", "index": index, "label": 0, "targets": "untargeted", "seed": 0}
    row |= {"attack": attack, "options": json.dumps(options), "crafted_on": MODELS[0], "evaluated_on": evaluated_on}
    row |= {"before": before, "after": after, "after_8bit": after, "crafted_success": crafted_success}
    return row | {"success": after != 0, "l0": 5, "l2": size, "linf": size}


@pytest.fixture
def rows():
    """Four samples and two values of epsilon; on the keyed model half as many are fooled."""
    return pd.DataFrame(
        [
            made(index, model, after=int(model == MODELS[0] or index % 2), size=epsilon * (1 + index), epsilon=epsilon)
            for epsilon in (0.1, 0.2)
            for index in range(4)
            for model in MODELS
        ]
    )


def test_errors_are_bars_with_intervals_that_name_both_models(rows):
    summary = summaries.summarise(rows)
    figure = plots_runs.errors(summary)
    assert [bar.name for bar in figure.data] == [f"evaluated on {model}" for model in MODELS]
    assert list(figure.data[0].x) == [1, 1]
    assert list(figure.data[1].x) == [0.5, 0.5]
    assert list(figure.data[1].y) == [f"FGSM, epsilon {e}<br>crafted on {MODELS[0]}" for e in (0.1, 0.2)]
    keyed = summary[summary["evaluated_on"] == MODELS[1]]
    assert np.allclose(0.5 + np.array(figure.data[1].error_x.array), keyed["attacked_error_high"])
    assert np.allclose(0.5 - np.array(figure.data[1].error_x.arrayminus), keyed["attacked_error_low"])
    assert figure.data[0].marker.pattern.shape != figure.data[1].marker.pattern.shape
    under = [f"{error}_{end}" for error in ("attacked_error", "clean_error") for end in ("low", "high")]
    assert np.allclose(np.array(figure.data[1].customdata)[:, [0, 1, 3, 4]], keyed[under])


def test_sizes_are_those_of_the_examples_that_worked_once_each(rows):
    rows.loc[rows["index"] == 3, "crafted_success"] = False
    figure = plots_runs.distortions(rows, "l2")
    assert len(figure.data) == 2
    assert figure.data[0].median[0] == pytest.approx(0.2)
    assert "3 of 4 worked" in figure.data[0].y[0]
    assert f"crafted on {MODELS[0]}" in figure.data[0].y[0]


def test_where_nothing_worked_there_is_no_box(rows):
    assert not plots_runs.distortions(rows.assign(crafted_success=False), "linf").data


def test_the_share_that_is_fooled_grows_with_the_size_and_counts_those_that_were_right(rows):
    rows.loc[rows["index"] == 0, "before"] = 5
    figure = plots_runs.fooled_within(rows, "linf")
    classical, keyed = figure.data[:2]
    assert classical.name.endswith(f"{MODELS[0]} → {MODELS[0]}")
    assert keyed.name.endswith(f"{MODELS[0]} → {MODELS[1]}")
    assert np.allclose(classical.x[:-1], [0, 0.2, 0.3, 0.4])
    assert np.allclose(classical.y, [0, 1 / 3, 2 / 3, 1, 1])
    assert keyed.y[-1] == pytest.approx(2 / 3)
    assert {line.x[-1] for line in figure.data} == {1.05 * rows["linf"].max()}, "all lines end together"


def test_a_curve_has_the_interval_of_each_share_for_as_many_examples_as_there_are_samples(rows):
    rows.loc[rows["index"] == 0, "before"] = 5
    for drawn in (rows, pd.concat([rows, rows])):  # one example a sample, or two
        classical, keyed = plots_runs.fooled_within(drawn, "linf").data[:2]
        assert classical.customdata[0] == pytest.approx(wilson(0, 3))
        assert keyed.customdata[-1] == pytest.approx(wilson(2, 3))
        assert len(keyed.customdata) == len(keyed.x) == len(keyed.y)
        assert ENDS in keyed.hovertemplate


def test_a_model_that_was_right_nowhere_has_no_share_of_it(rows):
    assert not plots_runs.fooled_within(rows.assign(before=5), "linf").data


def test_a_curve_of_many_examples_has_few_points_and_ends_where_they_do():
    many = pd.DataFrame([made(index, MODELS[0], size=float(index)) for index in range(5000)])
    [line] = plots_runs.fooled_within(many, "l2").data
    assert len(line.x) <= plots_runs.POINTS + 2
    assert line.y[-1] == 1


def test_a_model_that_nothing_fools_is_a_line_at_0(rows):
    [line, *_] = plots_runs.fooled_within(rows.assign(after=0), "l2").data
    assert set(line.y) == {0}


def test_the_error_is_drawn_against_what_was_varied_and_against_nothing_else(rows):
    summary = summaries.summarise(rows.iloc[::-1])
    figure = plots_runs.errors_by(summary, "epsilon")
    assert {line.name for line in figure.data} == {f"FGSM: {MODELS[0]} → {model}" for model in MODELS}
    assert all(list(line.x) == [0.1, 0.2] for line in figure.data)
    assert plots_runs.curves(summary, "max_queries") == {}
    assert plots_runs.curves(summary[summary["options"].str.contains("0.1")], "epsilon") == {}


def test_no_line_is_black_which_a_dark_page_hides(rows):
    summary = summaries.summarise(rows)
    for figure in (plots_runs.errors_by(summary, "epsilon"), plots_runs.fooled_within(rows, "l2")):
        assert OKABE_ITO[0] not in [line.line.color for line in figure.data]


def test_an_attack_in_words():
    line = {"attack": "square", "options": '{"max_queries": 50, "perturb_all": true}', "targets": "all", "seed": 3}
    assert plots_runs.attack_words(line) == "Square, max queries 50, all target, seed 3"


def test_table_3_has_the_papers_errors_beside_ours_with_intervals(rows):
    control = rows[rows["evaluated_on"] == MODELS[0]].assign(evaluated_on="mnist-table2-classical", after=0)
    lines = table3.compare(pd.concat([rows, control]))
    figure = plots_runs.beside_the_paper(lines)
    drawn = {trace.name: trace for trace in figure.data}
    assert list(drawn["paper, evaluated on keyed"].x) == [0.18, 0.18]
    assert list(drawn["here, evaluated on keyed"].x) == [0.5, 0.5]
    assert list(drawn["here, evaluated on classical"].x) == [1, 1]
    assert list(drawn["here, evaluated on control"].x) == [0, 0]
    assert "paper, evaluated on control" not in drawn
    paper = drawn["paper, evaluated on keyed"].error_x
    assert 0.02 < paper.array[0] < 0.03
    assert drawn["here, evaluated on keyed"].y[0] == "MNIST<br>FGSM, arithmetic exact,<br>epsilon 0.1"


def test_figures_become_one_page_that_needs_no_network(rows):
    figures = {"One": plots_runs.errors(summaries.summarise(rows)), "Two": plots_runs.fooled_within(rows, "l2")}
    page = plots_runs.html(figures, "a run")
    assert page.count("<h2>") == 2
    assert page.startswith("<!doctype html>")
    assert "<script src=" not in page
    assert page.count("Plotly.newPlot(") >= 2
