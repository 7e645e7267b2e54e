import json

import pandas as pd
import pytest

from kerckhoffs import cli
from kerckhoffs.checks import FileRefused
from kerckhoffs.cli import runs as cli_runs
from kerckhoffs.evaluation import engines, runs
from kerckhoffs.evaluation.engines import Task, Worker
from kerckhoffs.evaluation.examples import COLUMNS

CLASSICAL, KEYED = "mnist-table1-classical", "mnist-table1-keyed"
GRID = ["--attack=fgsm:epsilon=0.2", f"--crafted-on={CLASSICAL}", f"--evaluated-on={CLASSICAL},{KEYED}", "--stop=5"]


@pytest.fixture
def at_once(monkeypatch):
    """The engine, without processes of its own."""

    def execute(run, *, on_progress, **_):
        worker = Worker(Task(run.experiments, run.models, run.model_folder, run.uploaded))
        with run.writing():
            for block in run.blocks:
                if block.number not in run.shards():
                    run.write(block, worker.make(block)[1])
                    on_progress(engines.Progress(block.number, 1, 1.0, 1.0))

    monkeypatch.setattr(engines, "execute", execute)


def test_evaluate_writes_a_report_a_summary_and_the_rows(tmp_path, capsys):
    folder, csv = tmp_path / "run", tmp_path / "run" / "rows.csv.gz"
    assert cli.main(["evaluate", *GRID, f"--out={folder}", f"--csv={csv}"]) == 0
    shown = capsys.readouterr().out
    assert f"| {CLASSICAL} | {KEYED} | 5 |" in shown
    assert shown.strip() in (folder / "report.md").read_text()
    rows = pd.read_csv(csv, dtype=COLUMNS)
    assert len(rows) == 10
    summary = pd.read_csv(folder / "summary.csv").set_index("evaluated_on")
    for name in (CLASSICAL, KEYED):
        mine = rows[rows["evaluated_on"] == name]
        assert summary.loc[name, "attacked_error"] == (mine["after"] != mine["label"]).mean()
    assert {line["evaluated_on"] for line in json.loads((folder / "summary.json").read_text())} == {CLASSICAL, KEYED}


def test_a_grid_is_every_attack_model_rule_and_seed(tmp_path, at_once):
    more = ["--attack=otcm", "--targets=untargeted,random", "--seed=0", "--seed=1", f"--out={tmp_path / 'run'}"]
    assert cli.main(["evaluate", *GRID, *more]) == 0
    assert len(pd.read_csv(tmp_path / "run" / "summary.csv")) == 2 * 2 * 2 * 2


def test_a_stopped_run_says_how_to_go_on_and_does(tmp_path, capsys, monkeypatch, at_once):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    folder = tmp_path / "a run"
    with monkeypatch.context() as patch:
        patch.setattr(engines, "execute", stopped)
        assert cli.main(["evaluate", *GRID, f"--out={folder}"]) == 130
    assert f"--resume '{folder}'" in capsys.readouterr().err
    assert cli.main(["evaluate", f"--resume={folder}"]) == 0
    assert (folder / "report.md").is_file()


def test_a_worker_that_died_ends_with_one_line_and_keeps_what_is_done(tmp_path, capsys, monkeypatch):
    def died(*_, **__):
        raise RuntimeError("a worker died")

    monkeypatch.setattr(engines, "execute", died)
    assert cli.main(["evaluate", *GRID, f"--out={tmp_path / 'run'}"]) == 1
    assert "error: a worker died; what is done is kept: --resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "--attack is missing"),
        (GRID[:1], "--crafted-on is missing"),
        (GRID[:2], "--evaluated-on is missing"),
        ([*GRID, "--attack=fgsm:epsilon=7"], "epsilon must be between 0 and 1"),
        ([*GRID, "--attack=nothing"], "unknown attack 'nothing'"),
        ([*GRID, "--targets=some"], "unknown targets 'some'"),
        ([*GRID, "--crafted-on=mnist"], "unknown model 'mnist'"),
        ([*GRID, "--evaluated-on=fashion-mnist-table1-keyed"], "different datasets"),
        ([*GRID, "--stop=0"], "stop must be a whole number from 1"),
        ([*GRID, "--zip=/nowhere.zip"], "cannot read the zip: No such file"),
        ([*GRID, "--csv=/nowhere/rows.csv"], "there is no folder /nowhere"),
        ([*GRID, "--resume=/nowhere"], "--resume goes on with what the run's manifest says"),
        (["--resume=/nowhere"], "there is no run in /nowhere"),
    ],
)
def test_bad_arguments_end_with_status_2_and_one_line(arguments, sentence, capsys, at_once):
    assert cli.main(["evaluate", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith("error: ")
    assert sentence in error


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (["--workers=0"], "workers must be between 1 and 1024, but is 0"),
        (["--engine=steam"], "unknown engine 'steam'; choose one of: local, ray"),
        (["--stop=1001"], "there are 1000 samples in test, so stop cannot be 1001"),
        (["--split=validation", "--stop=5001"], "there are 5000 samples in validation, so stop cannot be 5001"),
        (["--split=uploaded"], "choose one of: test, test-full, train, validation"),
        (["--attack=universal", "--stop=1000"], "but only 0 are left; evaluate fewer"),
        (["--csv=."], ". is a folder; name a file in it"),
        (["--csv=run"], "run is going to be a folder; name another file"),
    ],
)
def test_what_cannot_be_done_is_refused_before_there_is_a_run(wrong, sentence, tmp_path, capsys, monkeypatch, at_once):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["evaluate", *GRID, "--out=run", *wrong]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_an_engine_that_is_not_installed_is_refused_before_there_is_a_run(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    assert cli.main(["table3", "--rows=mnist-cw_l2", "--engine=ray", f"--out={tmp_path / 'run'}"]) == 2
    assert 'the engine ray needs the package: pip install "ray[default]"' in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_attacks_are_listed_with_commas_or_repeated_and_count_once(tmp_path, at_once):
    more = ["--attack=fgsm:epsilon=0.1,otcm", "--attack=fgsm:epsilon=0.20", "--seed=0", "--seed=0"]
    assert cli.main(["evaluate", *GRID, *more, f"--out={tmp_path / 'run'}"]) == 0
    summary = pd.read_csv(tmp_path / "run" / "summary.csv")
    assert summary["examples"].tolist() == [5] * 6
    assert summary["attack"].tolist() == ["fgsm"] * 4 + ["otcm"] * 2


def test_a_row_of_table3_that_is_named_twice_counts_once(tmp_path, at_once):
    rows = ["--rows=mnist-cw_l2,mnist-cw_l2", "--samples=3", f"--out={tmp_path / 'run'}"]
    assert cli.main(["table3", *rows]) == 0
    (line,) = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert line["examples"] == 3


def test_table3_sets_the_papers_figures_beside_ours(tmp_path, capsys, at_once):
    assert cli.main(["table3", "--rows=mnist-cw_l2", "--samples=3", f"--out={tmp_path / 'run'}"]) == 0
    assert "MNIST, Carlini-Wagner l2" in capsys.readouterr().out
    (line,) = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (line["row"], line["examples"], line["paper_keyed_attacked"]) == ("mnist-cw_l2", 3, 0.0864)


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [("--rows=mnist-pgd", "unknown row 'mnist-pgd'"), ("--samples=0", "samples must be"), ("--targets=x", "targets")],
)
def test_bad_tables_end_with_status_2_and_one_line(argument, sentence, capsys):
    assert cli.main(["table3", argument]) == 2
    assert sentence in capsys.readouterr().err


def test_rows_that_cannot_be_exported_are_one_sentence(tmp_path, at_once):
    cli.main(["evaluate", *GRID, f"--out={tmp_path / 'run'}"])
    with pytest.raises(FileRefused, match=r"cannot write .*no-folder"):
        cli_runs.export(runs.open_run(tmp_path / "run"), tmp_path / "no-folder" / "rows.csv")
