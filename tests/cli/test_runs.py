import codecs
import gzip
import io
import json
import re
import stat
from contextlib import redirect_stdout

import pandas as pd
import pytest
import torch
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from kerckhoffs import cli
from kerckhoffs.checks import FileRefused
from kerckhoffs.cli import show
from kerckhoffs.evaluation import engines, examples, flags, listing, runs, tables
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
    assert f"| {CLASSICAL} | {KEYED} | " in shown
    assert shown.strip() in (folder / "report.md").read_text()
    rows = pd.read_csv(csv, dtype=COLUMNS)
    assert len(rows) == 10
    summary = pd.read_csv(folder / "summary.csv").set_index("evaluated_on")
    for name in (CLASSICAL, KEYED):
        mine = rows[rows["evaluated_on"] == name]
        assert summary.loc[name, "attacked_error"] == (mine["after"] != mine["label"]).mean()
    assert {line["evaluated_on"] for line in json.loads((folder / "summary.json").read_text())} == {CLASSICAL, KEYED}


@pytest.fixture
def vanishing(monkeypatch):
    """Models without a gradient to speak of."""
    monkeypatch.setattr(examples.probes, "gradient_sizes", lambda model, images, labels: torch.zeros(len(images)))


def test_warnings_stand_below_the_table_in_the_report_and_in_the_summary(tmp_path, capsys, at_once, vanishing):
    folder = tmp_path / "run"
    assert cli.main(["evaluate", *GRID, f"--out={folder}"]) == 0
    shown = capsys.readouterr().out
    [found] = flags.raised(runs.open_run(folder).rows())
    for text in (found.flag.title, found.flag.means, found.flag.raised_if, found.seen[0].words("`{}`".format)):
        assert text in shown.partition("## Warnings")[2]
    assert shown.strip() in (folder / "report.md").read_text()
    assert pd.read_csv(folder / "summary.csv")["warnings"].tolist() == ["vanishing-gradients"] * 2
    assert {line["warnings"] for line in json.loads((folder / "summary.json").read_text())} == {"vanishing-gradients"}
    assert cli.main(["runs", "show", str(folder)]) == 0
    assert shown.strip() in capsys.readouterr().out
    said = " ".join(on_a_terminal("runs", "show", str(folder)).split())
    assert f"Warning: {found.flag.title} - {found.seen[0].words()} {found.flag.means}" in said


def test_table3_warns_too(tmp_path, capsys, at_once, vanishing):
    assert cli.main(["table3", "--rows=mnist-cw_l2", "--samples=2", f"--out={tmp_path / 'run'}"]) == 0
    assert "**Vanishing gradients.**" in capsys.readouterr().out
    assert "**Vanishing gradients.**" in (tmp_path / "run" / "report.md").read_text()


def test_where_there_is_nothing_to_be_wary_of_nothing_is_said(tmp_path, capsys, at_once):
    assert cli.main(["evaluate", *GRID, f"--out={tmp_path / 'run'}"]) == 0
    assert "arning" not in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "run" / "summary.csv")["warnings"].isna().all()


def test_a_run_from_before_there_were_warnings_is_shown(tmp_path, capsys, at_once, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(pd.DataFrame, "to_csv", without_added(pd.DataFrame.to_csv))
        assert cli.main(["evaluate", *GRID, f"--out={tmp_path / 'run'}"]) == 0
    [path] = runs.open_run(tmp_path / "run").shards().values()
    assert b"crafted_gradient" not in gzip.decompress(path.read_bytes())
    report = capsys.readouterr().out
    assert cli.main(["runs", "show", str(tmp_path / "run")]) == 0
    assert report.strip() in capsys.readouterr().out


def without_added(write):
    return lambda table, *arguments, **options: write(
        table.drop(columns=list(examples.ADDED), errors="ignore"), *arguments, **options
    )


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
        (["--like=/nowhere"], "there is no run /nowhere; name one of those that kerckhoffs runs lists"),
        ([*GRID, "--like=/nowhere"], "--like begins anew what the run's manifest says: leave out what is to be"),
        (["--resume=/nowhere", "--like=/nowhere"], "--resume goes on with what the run's manifest says"),
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
        tables.export(runs.open_run(tmp_path / "run").tables(), tmp_path / "no-folder" / "rows.csv")


def test_exported_files_begin_with_a_mark_and_come_back_in_pandas(tmp_path, at_once):
    for name in ("rows.csv", "rows.csv.gz"):
        path = tmp_path / name
        assert cli.main(["evaluate", *GRID, f"--out={tmp_path / name[:-3]}run", f"--csv={path}"]) == 0
        data = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
        assert data.startswith(codecs.BOM_UTF8)
        assert list(pd.read_csv(path, dtype=COLUMNS).columns) == list(COLUMNS)
    assert (tmp_path / "rows.run" / "summary.csv").read_bytes().startswith(codecs.BOM_UTF8)
    assert stat.S_IMODE(path.stat().st_mode) & 0o044, "what is taken out is as any other file"


# --- On a terminal


class Terminal(io.StringIO):
    """What is printed on a terminal."""

    def isatty(self) -> bool:
        return True


def on_a_terminal(*arguments) -> str:
    """What a command prints on a terminal of 80 columns."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(Terminal()) as screen:
        patch.setenv("COLUMNS", "80")
        patch.setenv("TERM", "dumb")
        assert cli.main([*arguments]) == 0
    return screen.getvalue()


def test_a_table_fits_the_terminal_and_names_both_models(tmp_path, at_once):
    lines = on_a_terminal("evaluate", *GRID, f"--out={tmp_path / 'run'}").splitlines()
    drawn = lines[: next(number for number, line in enumerate(lines) if line.startswith("All columns"))]
    assert max(len(line.rstrip()) for line in drawn) <= 80
    words = " ".join(" ".join(drawn).split())
    assert "attack crafted on evaluated on" in words
    assert "mnist-table1-" in words
    assert "epsilon=0.2" in words
    assert "|" not in words


def test_markdown_is_printed_on_a_terminal_where_it_is_asked_for(tmp_path, at_once):
    said = on_a_terminal("evaluate", *GRID, f"--out={tmp_path / 'run'}", "--markdown")
    assert said.startswith("| attack | crafted on | evaluated on | attacked error % | attack success % |")


@pytest.mark.parametrize(
    "command",
    [["table3", "--rows=mnist-cw_l2", "--samples=2"], ["bench", "--attacks=fgsm,bim", "--peers=none", "--images=2"]],
)
def test_the_other_tables_fit_the_terminal_too(command, tmp_path, at_once):
    out = [f"--out={tmp_path / 'run'}"] * (command[0] == "table3")
    lines = [line.rstrip() for line in on_a_terminal(*command, *out).splitlines()]
    rule = next(number for number, line in enumerate(lines) if set(line.strip()) == {"─"})
    end = next(number for number, line in enumerate(lines) if line.startswith("All columns"))
    start = next(number for number, line in enumerate(lines) if not line.startswith("cpu") and line)
    assert start < rule
    assert max(len(line) for line in lines[start:end]) <= 80


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_any_table_fits_any_terminal(width):
    cells = {f"column {number}": ["own/fashion-mnist-table1-surrogate", "12.3 (10.4 to 14.5)"] for number in range(5)}
    console = Console(width=width, file=io.StringIO(), force_terminal=True)
    console.print(show.fitted(pd.DataFrame(cells), console))
    drawn = console.file.getvalue()
    assert max(cell_len(line) for line in Text.from_ansi(drawn).plain.splitlines()) <= width


# --- The list


def test_runs_are_listed_newest_first_with_what_they_are_and_how_far(capsys, monkeypatch, at_once):
    assert cli.main(["runs"]) == 0
    assert capsys.readouterr().out == "there are no runs in your data folder yet\n"
    assert cli.main(["evaluate", *GRID]) == 0
    first = runs.home().iterdir().__next__()
    older = first.rename(first.with_name("20200101-000000-0123456789abcdef"))
    manifest = runs.read_manifest(older) | {"begun": "2020-01-01T00:00:00+00:00"}
    (older / runs.MANIFEST).write_text(json.dumps(manifest | {"seal": runs.seal(manifest)}))
    for path in (older / runs.ROWS).iterdir():
        path.unlink()
    assert cli.main(["evaluate", *GRID]) == 0
    damaged = runs.home() / "20190101-000000-0123456789abcdef"
    damaged.mkdir()
    capsys.readouterr()
    new, old, bad = listing.listed()
    assert (new.state, new.done, new.total) == ("finished", 5, 5)
    assert (old.state, old.done, old.total, old.id) == ("stopped", 0, 5, older.name)
    assert (bad.state, bad.id) == ("damaged", damaged.name)
    assert (new.attacks, new.crafted_on, new.evaluated_on) == (("fgsm",), (CLASSICAL,), (CLASSICAL, KEYED))
    with runs.open_run(older).writing():
        assert listing.listed()[1].state == "being written"
    assert cli.main(["runs"]) == 0
    said = capsys.readouterr().out
    assert said.index(new.id) < said.index(older.name) < said.index(damaged.name)
    assert "finished, 5 of 5 examples" in said
    assert "manifest.json is missing" in said


def test_a_run_is_shown_by_its_id_and_by_its_folder(tmp_path, capsys, at_once):
    assert cli.main(["evaluate", *GRID]) == 0
    report = capsys.readouterr().out
    [run] = listing.listed()
    for name in (run.id, str(run.folder)):
        assert cli.main(["runs", "show", name]) == 0
        assert report.strip() in capsys.readouterr().out
    empty = runs.create(runs.open_run(run.folder).experiments, command="", folder=tmp_path / "empty")
    assert cli.main(["runs", "show", str(empty.folder)]) == 0
    assert "there are no rows yet; go on with: kerckhoffs evaluate --resume" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nothing", "20200101-000000-0123456789abcdef", ".", "../x"])
def test_a_run_that_is_none_ends_with_status_2_and_one_line(name, capsys):
    assert cli.main(["runs", "show", name]) == 2
    assert re.fullmatch(r"error: there is no run [^\n]*\n", capsys.readouterr().err)


def test_the_same_again_is_a_new_run_of_the_same_specification(tmp_path, at_once):
    assert cli.main(["evaluate", *GRID]) == 0
    [run] = listing.listed()
    assert cli.main(["evaluate", f"--like={run.id}", f"--out={tmp_path / 'again'}"]) == 0
    first, again = runs.open_run(run.folder), runs.open_run(tmp_path / "again")
    assert again.experiments == first.experiments
    assert again.id != first.id
    pd.testing.assert_frame_equal(again.rows().drop(columns="seconds"), first.rows().drop(columns="seconds"))


@pytest.mark.parametrize("command", [["evaluate", *GRID], ["table3", "--rows=mnist-fgsm", "--samples=2"]])
def test_ctrl_c_before_there_is_a_run_is_no_traceback(command, monkeypatch, capsys):
    def pressed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "create", pressed)
    assert cli.main(command) == 130
    assert "Traceback" not in capsys.readouterr().err


# --- Damage, through the command line


def renamed(folder):
    [path] = (folder / runs.ROWS).iterdir()
    path.rename(path.with_name(path.name.replace("000000-", "000001-")))


def cut(folder):
    [path] = (folder / runs.ROWS).iterdir()
    path.write_bytes(path.read_bytes()[:-20])


def shrunk(folder):
    path = folder / runs.MANIFEST
    path.write_text(path.read_text().replace('"stop": 5', '"stop": 4'))


def truncated(folder):
    path = folder / runs.MANIFEST
    path.write_bytes(path.read_bytes()[:200])


def a_folder(folder):
    [path] = (folder / runs.ROWS).iterdir()
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("injury", [renamed, cut, shrunk, truncated, a_folder])
@pytest.mark.parametrize("command", [["evaluate", "--resume"], ["table3", "--resume"], ["runs", "show"]])
def test_a_damaged_run_ends_with_status_2_and_one_line(injury, command, tmp_path, capsys, monkeypatch, at_once):
    folder = tmp_path / "run"
    assert cli.main(["evaluate", *GRID, f"--out={folder}"]) == 0
    monkeypatch.undo()  # the engine itself reads the run
    monkeypatch.setenv("KERCKHOFFS_HOME", str(tmp_path / "home"))
    injury(folder)
    capsys.readouterr()
    assert cli.main([*command, str(folder)]) == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert str(folder) in line
