import json
import sys

import pandas as pd
import pytest
import torch

from kerckhoffs.evaluation import examples, runs, table3
from kerckhoffs.evaluation.experiments import Experiment
from kerckhoffs.evaluation.runs import MANIFEST
from kerckhoffs.ui.batch import runner
from kerckhoffs.ui.batch import table3 as batch_table3
from tests.batches import CLASSICAL, KEYED, fgsm, finished
from tests.pages import address, opened, words

PAGE = "table3"
MODELS = (CLASSICAL, KEYED, "mnist-table2-classical")  # with the control


pytestmark = pytest.mark.usefixtures("runs_end")


def row(epsilon, samples):
    return fgsm(options={"epsilon": epsilon, "perturb_all": True}, evaluated_on=MODELS, stop=samples)


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A small result where the page looks for the shipped one; returns its lines."""
    run = finished(*(row(epsilon, 10) for epsilon in (0.3, 0.05)))
    lines = table3.compare(run.rows())
    folder = tmp_path / "table3"
    folder.mkdir()
    run.rows().to_csv(folder / "rows.csv.gz", index=False)
    (folder / MANIFEST).write_bytes((run.folder / MANIFEST).read_bytes())
    monkeypatch.setattr(batch_table3, "SHIPPED", folder)
    return lines


def test_without_a_result_the_page_says_so_and_rows_can_be_made(tmp_path, monkeypatch):
    monkeypatch.setattr(batch_table3, "SHIPPED", tmp_path / "nothing")
    app = opened(PAGE)
    assert "there is no results/table3" in words(app.info)
    assert len(app.selectbox(key="table3_row").options) == len(table3.ROWS)
    assert "50 examples, about" in words(app.caption)


def test_the_table_has_the_papers_figures_beside_ours_and_a_verdict_in_words_with_an_icon(shipped):
    app = opened(PAGE)
    table = app.dataframe[0].value
    assert table["row, crafted on classical"].tolist() == [
        f"MNIST, FGSM, arithmetic exact, epsilon {epsilon}" for epsilon in (0.3, 0.05)
    ]
    assert table["paper: attacked, keyed"].tolist() == ["18.00", "18.00"]
    assert table["paper: attacked, classical"].tolist() == ["92.10", "92.10"]
    assert table["attacked, evaluated on keyed"][0].startswith(f"{100 * shipped['keyed_attacked'][0]:.1f} (")
    assert table["attacked, evaluated on control"][0].startswith(f"{100 * shipped['control_attacked'][0]:.1f} (")
    assert "paper: attacked, control" not in table
    success = [f"{100 * shipped[f'{kind}_success'][0]:.1f} (" for kind in ("keyed", "control")]
    shown = [table[f"attack success, evaluated on {kind}"][0] for kind in ("keyed", "control")]
    assert [each[: len(start)] for each, start in zip(shown, success, strict=True)] == success
    icons = [batch_table3.ICONS[verdict] for verdict in shipped["verdict"]]
    assert table["verdict"].tolist() == [f"{icon} {said}" for icon, said in zip(icons, shipped["verdict"], strict=True)]
    assert len(app.get("plotly_chart")) == 1
    assert "The likely reason" in words(app.markdown)
    assert table3.WHY in words(app.markdown)
    assert (
        "**crafted on the classical** classifier and evaluated on it, on the keyed one, and on a **control**"
        in words(app.caption)
    )
    labels = {element.proto.label for element in app.get("download_button")}
    assert labels == {"Rows (csv.gz)", "Manifest (json)"}


def test_every_verdict_has_an_icon_and_a_meaning():
    assert set(batch_table3.ICONS) == set(batch_table3.MEANS) == set(table3.VERDICTS)
    assert len(set(batch_table3.ICONS.values())) == len(table3.VERDICTS)


def test_a_row_is_made_again_with_the_options_that_the_shipped_one_has(shipped, monkeypatch):
    monkeypatch.setattr(runner, "command", lambda folder: [sys.executable, "-c", "import time; time.sleep(100)"])
    app = opened(PAGE)
    app.selectbox(key="table3_row").select_index(1).run()
    app.number_input(key="table3_samples").set_value(20).run()
    app.button(key="table3_start").click().run()
    assert not app.exception
    run = runs.find(address(app)["run"])
    [experiment] = run.experiments
    assert experiment.options == {"epsilon": 0.05, "perturb_all": True}
    assert (experiment.start, experiment.stop) == (0, 20)
    assert runner.runner().status(run).busy
    app.button(key="table3_run_new").click().run()
    assert address(app) == {}


def test_a_row_that_was_made_again_is_set_beside_the_paper(shipped):
    run = finished(row(0.3, 20))
    app = at(run.id)
    again = app.dataframe[1].value
    assert again["examples"].tolist() == [20]
    assert again["paper: attacked, keyed"].tolist() == ["18.00"]
    assert "Altogether: 20 of 20 examples." in words(app.caption)


def test_a_row_that_was_made_again_says_what_to_be_wary_of(shipped, monkeypatch):
    monkeypatch.setattr(examples.probes, "gradient_sizes", lambda model, images, labels: torch.zeros(len(images)))
    app = at(finished(row(0.3, 3)).id)
    assert "**Vanishing gradients.**" in words(app.warning)


def test_no_caption_praises_the_defence(shipped):
    said = words(opened(PAGE).caption)
    assert "≈ **reproduced**: it agrees with the paper's: the 95 % intervals overlap" in said
    assert "▼ **better**: it is below the paper's; smaller perturbations alone can do that" in said
    assert "? **too few samples**: the intervals overlap, but ours is wider than 10 points" in said


def at(run):
    app = opened(PAGE)
    app.query_params.clear()
    app.query_params["run"] = run
    app.run()
    assert not app.exception
    return app


def test_addresses_of_no_run_or_of_another_kind_are_sentences(shipped):
    assert "there is no such run" in words(at("../x").warning)
    other = finished(fgsm(evaluated_on=(KEYED,), stop=2))
    assert "this run is not one of Table 3; open its address on the page Batch" in words(at(other.id).error)


def test_the_rows_that_can_be_made_are_those_of_the_table(monkeypatch):
    choices = batch_table3.choices(None)
    assert [each.row for each in choices] == list(table3.ROWS)
    made = [each.experiment(1000) for each in choices]
    assert all(isinstance(each, Experiment) for each in made)
    assert batch_table3.is_table3(made)
    assert {each.targets for each in made} == {"untargeted", "random"}
    assert json.loads(choices[3].options) == {"epsilon": table3.FGSM_EPSILON, "perturb_all": True}
    assert not batch_table3.is_table3([fgsm(attack="bim")])
    assert pd.Series([each.words for each in choices]).is_unique
