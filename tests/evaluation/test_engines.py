"""Runs by one worker, by two, by Ray, stopped and killed: always the same rows."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from kerckhoffs.attacks import ATTACKS
from kerckhoffs.checks import FileRefused
from kerckhoffs.evaluation import engines, experiments, runs
from kerckhoffs.evaluation.engines import Progress, Task, Worker
from kerckhoffs.evaluation.experiments import BLOCK
from kerckhoffs.evaluation.runs import Run
from tests import ROOT

CLASSICAL, KEYED = "mnist-table1-classical", "mnist-table1-keyed"
BLOCKS = 4


def begin(folder: Path, **changes) -> Run:
    """FGSM, and PGD with its random start, in two blocks each."""
    attacks = [("fgsm", {"epsilon": 0.2}), ("pgd", {"epsilon": 0.1, "iterations": 2})]
    what = experiments.grid(
        attacks, [CLASSICAL], [CLASSICAL, KEYED], stop=BLOCK + 5, **{"targets": ["random"]} | changes
    )
    return runs.create(what, command="test", folder=folder)


def rows(run: Run) -> pd.DataFrame:
    """All that does not depend on how fast it went."""
    return run.rows().drop(columns="seconds")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> pd.DataFrame:
    """The rows of one worker who was left in peace."""
    run = begin(tmp_path_factory.mktemp("undisturbed") / "run")
    engines.execute(run)
    return rows(run)


def test_one_worker_makes_every_row_and_tells_how_far_it_is(tmp_path):
    run = begin(tmp_path / "run")
    told: list[Progress] = []
    engines.execute(run, on_progress=told.append)
    assert [each.done for each in told] == [0, 64, 69, 133, 138]
    assert {each.total for each in told} == {138}
    assert told[0].seconds_left is None
    assert told[-1].seconds_left == 0
    assert len(run.rows()) == 2 * 138


def test_two_workers_make_the_same_rows(tmp_path, undisturbed):
    run = begin(tmp_path / "run")
    engines.execute(run, workers=2)
    pd.testing.assert_frame_equal(rows(run), undisturbed)


def test_ray_makes_the_same_rows(tmp_path, undisturbed):
    pytest.importorskip("ray", reason='optional: pip install "ray[default]"')
    run = begin(tmp_path / "run")
    engines.execute(run, workers=2, engine="ray")
    pd.testing.assert_frame_equal(rows(run), undisturbed)


def test_ctrl_c_leaves_a_run_that_resumes_to_the_same_rows(tmp_path, undisturbed):
    run = begin(tmp_path / "run")

    def press(progress: Progress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engines.execute(run, on_progress=press)
    assert len(run.shards()) == 1
    engines.execute(runs.open_run(run.folder))
    pd.testing.assert_frame_equal(rows(run), undisturbed)


PRINTING = """
import sys
from kerckhoffs.evaluation import engines, runs

if __name__ == "__main__":
    engines.execute(runs.open_run(sys.argv[1]), workers=2, on_progress=lambda each: print(each.done, flush=True))
"""


def test_a_killed_run_resumes_to_the_same_rows_and_leaves_no_workers_behind(tmp_path, undisturbed):
    run = begin(tmp_path / "run")
    script = tmp_path / "script.py"
    script.write_text(PRINTING)
    command = [sys.executable, str(script), str(run.folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as it:
        assert it.stdout.readline() == "0\n"
        assert it.stdout.readline()  # the first block is on the disk, others are being made
        it.send_signal(signal.SIGKILL)
        it.stdout.read()  # ends when the last process that holds the pipe has ended
    assert 1 <= len(run.shards()) <= BLOCKS
    engines.execute(runs.open_run(run.folder), workers=2)
    pd.testing.assert_frame_equal(rows(run), undisturbed)


PRESSING = """
import os, signal, sys
from kerckhoffs.evaluation import engines, runs

def press(work):
    def and_press(*arguments):
        done = work(*arguments)
        os.killpg(0, signal.SIGINT)  # as a terminal does: to its workers too, which are still importing
        return done
    return and_press

if __name__ == "__main__":
    if sys.argv[2] == "while they are started":
        engines.ProcessPoolExecutor.submit = press(engines.ProcessPoolExecutor.submit)
    else:
        engines.as_completed = press(engines.as_completed)
    try:
        engines.execute(runs.open_run(sys.argv[1]), workers=2)
    except KeyboardInterrupt:
        print("stopped")
"""


@pytest.mark.skipif(os.name != "posix", reason="needs groups of processes")
@pytest.mark.parametrize("moment", ["while they are started", "while they import"])
def test_ctrl_c_while_workers_start_is_no_traceback_of_theirs(tmp_path, moment):
    run = begin(tmp_path / "run")
    script = tmp_path / "script.py"
    script.write_text(PRESSING)
    done = subprocess.run(
        [sys.executable, str(script), str(run.folder), moment],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    assert (done.stdout, done.stderr) == ("stopped\n", "")
    with runs.open_run(run.folder).writing():
        pass  # nobody holds it any more


def test_what_is_done_is_not_made_again(tmp_path):
    run = begin(tmp_path / "run")
    worker = Worker(Task(run.experiments, run.models, None, None))
    for block in run.blocks:
        run.write(block, worker.make(block)[1])
    before = {path: path.stat().st_mtime_ns for path in run.shards().values()}
    engines.execute(run)
    assert {path: path.stat().st_mtime_ns for path in run.shards().values()} == before


def test_a_damaged_block_is_found_before_the_work(tmp_path):
    run = begin(tmp_path / "run")
    run.write(run.blocks[0], Worker(Task(run.experiments, run.models, None, None)).make(run.blocks[0])[1])
    (path,) = run.shards().values()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FileRefused, match="is damaged"):
        engines.execute(run)
    assert list(run.shards()) == [0]


def test_an_attack_that_breaks_is_an_error_and_no_row(tmp_path, monkeypatch):
    run = begin(tmp_path / "run")

    def breaks(*_, **__):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(type(ATTACKS["fgsm"]), "run", breaks)
    with pytest.raises(RuntimeError, match="out of luck"):
        Worker(Task(run.experiments, run.models, None, None)).make(run.blocks[0])


def test_a_worker_that_is_told_to_stop_returns_no_half_made_rows(tmp_path):
    run = begin(tmp_path / "run")
    worker = Worker(Task(run.experiments, run.models, None, None))
    assert worker.make(run.blocks[-1], lambda: True) == (run.blocks[-1], None)


def test_a_worker_refuses_a_model_that_changed(tmp_path):
    run = begin(tmp_path / "run")
    with pytest.raises(FileRefused, match="has changed since the run was begun"):
        Worker(Task(run.experiments, dict.fromkeys(run.models, "0" * 64), None, None)).make(run.blocks[0])


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"workers": 0}, "workers must be between 1 and"), ({"engine": "steam"}, "unknown engine 'steam'")],
)
def test_senseless_arguments_are_refused(tmp_path, wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        engines.execute(begin(tmp_path / "run"), **wrong)
