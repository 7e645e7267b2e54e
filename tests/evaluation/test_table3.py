import pandas as pd
import pytest

from kerckhoffs import zoo
from kerckhoffs.evaluation import examples, paper, summaries, table3
from kerckhoffs.evaluation.metrics import wilson


def test_there_is_a_row_for_each_of_the_papers_eight():
    assert len(table3.ROWS) == 8
    cards = zoo.models()
    for row in table3.ROWS.values():
        assert not cards[row.classical].keyed
        assert cards[row.keyed].keyed
        assert row.keyed == zoo.model_id(cards[row.classical].dataset, cards[row.classical].network, "keyed")
        assert ("table1" in row.classical) == (row.attack == "fgsm")


def test_examples_are_crafted_on_the_classical_classifier_and_shown_to_the_keyed_one_and_a_control():
    for experiment in table3.plan(["mnist-cw_l0", "fashion-mnist-cw_linf"], targets="all", samples=7):
        dataset = experiment.crafted_on.removesuffix("-table2-classical")
        keyed, control = f"{dataset}-table2-keyed", f"{dataset}-table1-classical"
        assert experiment.evaluated_on == (experiment.crafted_on, keyed, control)
        assert (experiment.targets, experiment.start, experiment.stop) == ("all", 0, 7)


def test_a_thorough_table_takes_the_defaults():
    attacks = ["mnist-cw_l0", "mnist-cw_linf", "mnist-cw_l2"]
    assert [dict(each.options) for each in table3.plan(attacks, thorough=True)] == [{}, {}, {}]
    short = [table3.SHORT[each.attack] for each in table3.plan(attacks)]
    assert [dict(each.options) for each in table3.plan(attacks)] == short
    assert all(short)


@pytest.mark.parametrize(("which", "arithmetic"), [(0, {"arithmetic": "float32"}), (2, {})], ids=["float32", "exact"])
def test_fgsm_runs_at_a_fixed_epsilon_and_at_the_one_that_reaches_the_papers_error(which, arithmetic):
    fixed, matched = table3.plan(["mnist-fgsm"], samples=20)[which : which + 2]
    assert fixed.options == arithmetic | {"epsilon": table3.FGSM_EPSILON, "perturb_all": True}
    assert matched.options == fixed.options | {"epsilon": matched.options["epsilon"]}
    errors = {}
    for epsilon in (matched.options["epsilon"], matched.options["epsilon"] - table3.EPSILON_STEP):
        options = {"fgsm": arithmetic | {"epsilon": epsilon, "perturb_all": True}}
        rows = examples.evaluate(options, fixed.crafted_on, fixed.crafted_on, stop=20)
        errors[epsilon] = float((rows["after"] != rows["label"]).mean())
    reached, missed = errors.values()
    assert reached >= paper.ATTACKED_ERROR["mnist", "fgsm"][0] / 100 > missed


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"rows": ["mnist-pgd"]}, "unknown row 'mnist-pgd'"),
        ({"rows": []}, "name rows, among: mnist-cw_l2"),
        ({"targets": "untargeted"}, "unknown targets 'untargeted'"),
        ({"samples": 0}, "samples must be between 1 and 1000, but is 0"),
        ({"samples": 1001}, "samples must be between 1 and 1000, but is 1001"),
    ],
)
def test_senseless_plans_are_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        table3.plan(**wrong)


def rows(
    classical_wrong: int, keyed_wrong: int, control_wrong: int = 0, attack: str = "cw_l2", count: int = 1000
) -> pd.DataFrame:
    """Rows of MNIST where so many are wrong after the attack, and none before it."""
    frames = []
    models = {"table2-classical": classical_wrong, "table2-keyed": keyed_wrong, "table1-classical": control_wrong}
    for model, wrong in models.items():
        shared = {
            "dataset": "mnist",
            "split": "test",
            "attack": attack,
            "options": "{}",
            "targets": "random",
            "seed": 0,
        }
        shared |= {"crafted_on": "mnist-table2-classical", "evaluated_on": f"mnist-{model}", "label": 0, "before": 0}
        shared |= {
            "success": True,
            "l0": 1,
            "l2": 1.0,
            "linf": 1.0,
            "after_8bit": 0,
            "target": None,
            "crafted_before": 0,
        }
        frame = pd.DataFrame(shared, index=range(count)).assign(index=range(count))
        frames.append(frame.assign(after=[int(i < wrong) for i in range(count)], crafted_success=True))
    return pd.concat(frames)


@pytest.mark.parametrize(
    ("classical", "keyed", "said"),
    [
        (1000, 86, "reproduced"),  # the paper: 100 and 8.64 %
        (1000, 110, "reproduced"),
        (1000, 40, "better"),
        (1000, 200, "not reproduced"),
        (600, 86, "not reproduced"),  # an attack that did less says nothing of the defence
        (600, 40, "not reproduced"),
    ],
)
def test_the_verdict_compares_both_errors_with_the_papers(classical, keyed, said):
    (line,) = table3.compare(rows(classical, keyed)).to_dict("records")
    assert line["verdict"] == said
    assert line["row"] == "mnist-cw_l2"
    assert line["keyed_attacked"] == keyed / 1000
    assert (line["keyed_attacked_low"], line["keyed_attacked_high"]) == pytest.approx(wilson(keyed, 1000))
    assert line["paper_keyed_attacked"] == pytest.approx(0.0864)


@pytest.mark.parametrize(
    ("count", "keyed", "said"),
    [
        (1, 0, "too few samples"),
        (50, 4, "too few samples"),
        (300, 26, "reproduced"),
        (50, 40, "not reproduced"),  # a wide interval that does not reach the paper's still tells
    ],
)
def test_a_wide_interval_is_no_agreement(count, keyed, said):
    (line,) = table3.compare(rows(count, keyed, count=count)).to_dict("records")
    assert line["verdict"] == said


def test_attack_success_leaves_out_what_was_wrong_before():
    made = rows(1000, 86, 70)
    made.loc[(made["evaluated_on"] == "mnist-table2-keyed") & (made["index"] < 80), "before"] = 1
    (line,) = table3.compare(made).to_dict("records")
    assert line["keyed_attacked"] == 0.086
    assert (line["keyed_success"], line["control_success"]) == (6 / 920, 0.07)
    assert (line["keyed_success_low"], line["keyed_success_high"]) == pytest.approx(wilson(6, 920))


def test_the_report_has_the_papers_figures_beside_ours():
    (line,) = table3.report(table3.compare(rows(1000, 86, 70))).to_dict("records")
    assert line["row"] == "MNIST, Carlini-Wagner l2"
    assert line["keyed attacked %"].startswith("8.6 (")
    assert line["paper: keyed attacked"] == "8.64"
    assert line["control attacked %"].startswith("7.0 (")
    assert line["verdict"] == "reproduced"


def test_other_experiments_are_no_rows_of_the_table():
    assert table3.compare(rows(1, 1, attack="ddn")).empty


def test_what_is_compared_needs_no_more_columns_than_summaries_read():
    assert set(summaries.NEEDED) <= set(rows(1, 1).columns)
