import io
import json
import os
import shutil
import sys
import time
import zipfile
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from kerckhoffs.attacks import ATTACKS
from kerckhoffs.bench import contestants
from kerckhoffs.checks import FileRefused
from kerckhoffs.evaluation import examples, experiments, flags, judge, kept, runs, summaries, tables
from kerckhoffs.ui.batch import choose as batch
from kerckhoffs.ui.batch import estimate as batch_estimate
from kerckhoffs.ui.batch import results as batch_results
from kerckhoffs.ui.batch import rows as batch_rows
from kerckhoffs.ui.batch import runner
from kerckhoffs.ui.batch.runner import Runner
from kerckhoffs.ui.controls import title
from tests.batches import CLASSICAL, FGSM, KEYED, begun, fgsm, finished, uploaded
from tests.pages import address, opened, switch, words

PAGE = "batch"
LIMIT = 180.0  # seconds that a test waits for a process before it fails
SECRET = "20260101-000000-0123456789abcdef"  # the id of no run


pytestmark = pytest.mark.usefixtures("runs_end")


def until(wanted):
    """Wait until something holds."""
    end = time.monotonic() + LIMIT
    while not wanted():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def play_process(monkeypatch, program):
    """Let the runner start this program in place of the real one."""
    monkeypatch.setattr(runner, "command", lambda folder: [sys.executable, "-c", program])


SLEEP = "import time; time.sleep(100)"


# --- Runs in processes of their own


def test_a_run_is_stopped_resumed_and_finished_without_losing_or_doubling_a_row():
    slow, blocks = {"iterations": 100}, 6  # a second each: some are still to be made when the first is seen
    run, work = begun(fgsm(attack="pgd", options=slow, stop=blocks * experiments.BLOCK)), Runner()
    assert work.status(run).state == "stopped"
    work.start(run)
    work.start(run)  # which is going on already
    until(lambda: run.shards())
    work.stop(run)
    until(lambda: not work.status(run).busy)
    halted = work.status(run)
    assert halted.state == "stopped"
    assert experiments.BLOCK <= halted.done < halted.total == blocks * experiments.BLOCK
    first = run.shards()[0].read_bytes()
    work.start(run)
    until(lambda: work.status(run).state == "finished")
    assert run.shards()[0].read_bytes() == first
    made = run.rows(["index", "evaluated_on"])
    assert made["index"].tolist() == [index for index in range(blocks * experiments.BLOCK) for _ in range(2)]
    assert set(made["evaluated_on"]) == {CLASSICAL, KEYED}


def test_what_a_process_refuses_is_a_sentence_and_a_mended_run_goes_on():
    run, work = finished(fgsm(options=FGSM, stop=100), blocks=1), Runner()
    [path] = run.shards().values()
    path.write_bytes(b"no rows")
    work.start(run)
    until(lambda: not work.status(run).busy)
    assert work.status(run).state == "failed"
    assert "is damaged: its contents are not what was written" in work.status(run).error
    assert "Traceback" not in work.status(run).error


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise RuntimeError('the attack broke')", "RuntimeError: the attack broke"),
        ("import sys; sys.exit('error: no room')", "no room"),
        ("import os; os.kill(os.getpid(), 9)", "ended from outside (status -9), perhaps for want of memory"),
    ],
)
def test_how_a_process_ended_is_one_line(monkeypatch, program, said):
    play_process(monkeypatch, program)
    run, work = begun(), Runner()
    work.start(run)
    until(lambda: not work.status(run).busy)
    assert work.status(run).state == "failed"
    assert said in work.status(run).error
    assert "\n" not in work.status(run).error


def test_two_run_at_once_a_few_wait_and_more_are_refused(monkeypatch):
    play_process(monkeypatch, SLEEP)
    work, many = Runner(), [begun() for _ in range(runner.AT_ONCE + runner.WAITING)]
    for run in many:
        work.start(run)
    until(lambda: [work.status(run).state for run in many].count("running") == runner.AT_ONCE)
    assert [work.status(run).state for run in many].count("waiting") == runner.WAITING
    with pytest.raises(ValueError, match="8 batches are running or waiting already; try again later"):
        work.start(begun())
    waiting = next(run for run in many if work.status(run).state == "waiting")
    work.stop(waiting)
    assert work.status(waiting).state == "stopped"
    work.start(waiting)
    running = next(run for run in many if work.status(run).state == "running")
    work.stop(running)
    until(lambda: [work.status(run).state for run in many].count("running") == runner.AT_ONCE)
    work.close()
    until(lambda: not any(work.status(run).busy for run in many))


def test_one_session_has_a_few_runs_at_a_time(monkeypatch):
    play_process(monkeypatch, SLEEP)
    work = Runner()
    for _ in range(runner.A_SESSION):
        work.start(begun(), "someone")
    with pytest.raises(ValueError, match="3 of your batches are running or waiting already"):
        work.start(begun(), "someone")
    work.start(begun(), "another")
    work.close()


def test_a_batch_that_is_refused_leaves_nothing_and_one_that_is_stopped_stays(monkeypatch, kerckhoffs_home):
    play_process(monkeypatch, SLEEP)
    app = opened(PAGE)
    app.session_state["owner_of_runs"] = "someone"
    mine = [begun() for _ in range(runner.A_SESSION)]
    for run in mine:
        runner.runner().start(run, "someone")
    click(app, "batch_start_button")
    assert "3 of your batches are running or waiting already" in words(app.error)
    assert {path.name for path in (kerckhoffs_home / "runs").iterdir()} == {run.id for run in mine}


def test_old_runs_of_the_app_are_deleted_but_none_that_is_at_work_and_none_of_a_command_line(monkeypatch):
    play_process(monkeypatch, SLEEP)
    monkeypatch.setattr(runner, "MOST", 3)
    work, (looked_at, new, newer, waits, written, old, command_lines) = Runner(), [begun() for _ in range(7)]
    for run, days in ((newer, 1), (new, 2), (waits, 3), (written, 4), (old, 31), (looked_at, 31)):
        kept.mark(run)
        moment = time.time() - days * 24 * 3600
        os.utime(run.folder / kept.APP, (moment, moment))
    kept.seen(looked_at)
    kept.seen(command_lines)

    def gone():
        work.prune()
        return [run for run in (looked_at, newer, new, waits, written, old, command_lines) if not run.folder.exists()]

    work.start(waits)
    with written.writing():
        assert gone() == [old]
    work.close()
    until(lambda: not work.status(waits).busy)
    assert gone() == [waits, written, old]
    monkeypatch.setattr(runner, "DAYS", 1.5)
    assert gone() == [new, waits, written, old]


def test_a_process_that_does_not_stop_is_ended_by_force(monkeypatch, tmp_path):
    monkeypatch.setattr(runner, "PATIENCE", 0.3)
    deaf = tmp_path / "deaf"
    play_process(
        monkeypatch, f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); open({str(deaf)!r}, 'w'); {SLEEP}"
    )
    run, work = begun(), Runner()
    work.start(run)
    until(deaf.exists)
    work.stop(run)
    until(lambda: work.status(run).state == "stopped")


def test_the_time_left_follows_the_pace_since_the_first_block(monkeypatch):
    play_process(monkeypatch, SLEEP)
    clock = [100.0]
    monkeypatch.setattr(runner.time, "monotonic", lambda: clock[0])
    run, work = begun(fgsm(options=FGSM, stop=256)), Runner()
    work.start(run)
    for blocks, seconds, left in ((0, 50, None), (1, 0, None), (2, 3, 6.0), (3, 3, 3.0)):
        for block in run.blocks[len(run.shards()) : blocks]:
            run.write(block, pd.DataFrame({"index": [block.number]}))
        clock[0] += seconds
        assert runner._left(work._attempts[run.id], run, set(run.shards())) == left
    work.close()


def test_a_run_that_another_process_writes_is_not_called_stopped():
    run = begun()
    with run.writing():
        assert Runner().status(run).state == "elsewhere"


# --- How long it takes


def test_grids_that_are_too_large_or_too_long_are_refused_with_a_sentence():
    with pytest.raises(ValueError, match="this makes 101000 examples, more than the 100000 that are made here"):
        batch_estimate.estimate([fgsm(seed=seed, stop=1000) for seed in range(101)])
    with pytest.raises(ValueError, match="this makes 1001 combinations of attack, model, targets and seed, more than"):
        batch_estimate.estimate([fgsm(seed=seed, stop=1) for seed in range(1001)])
    with pytest.raises(ValueError, match="hours, more than the 24 hours that are spent here"):
        batch_estimate.estimate([fgsm(attack="zoo", seed=seed, stop=1000) for seed in range(50)])


def test_an_estimate_grows_with_the_work_and_is_said_in_words():
    (few, short), (many, long) = (batch_estimate.estimate([fgsm(attack="bim", stop=n)]) for n in (10, 1000))
    assert (few, many) == (10, 1000)
    assert short < long
    said = [batch_estimate.duration(seconds) for seconds in (1, 12, 300, 9000)]
    assert said == ["about 5 s", "about 10 s", "about 5 min", "about 2.5 hours"]


# --- The page


def click(app, key):
    app.button(key=key).click().run()
    assert not app.exception


def choose_attacks(app, *ids):
    app.multiselect(key="batch_attacks").set_value([title(ATTACKS[each]) for each in ids]).run()
    assert not app.exception


def test_the_page_says_how_much_it_is_and_starts_a_run_that_its_address_names(monkeypatch):
    play_process(monkeypatch, SLEEP)
    app = opened(PAGE)
    app.number_input(key="batch_count").set_value(20).run()
    app.text_input(key="batch_fgsm_further_epsilon").set_value("0,1").run()
    assert "The values of epsilon: 0.3 · 0.0 · 1.0" in words(app.caption)
    app.text_input(key="batch_fgsm_further_epsilon").set_value("0.1, 0.2, 0.10, 0.3").run()
    assert "The values of epsilon: 0.3 · 0.1 · 0.2" in words(app.caption)
    assert "**60 examples**, each shown to 2 models: **about " in words(app.markdown)
    click(app, "batch_start_button")
    assert list(address(app)) == ["run"]
    run = runs.find(address(app)["run"])
    assert [each.options["epsilon"] for each in run.experiments] == [0.3, 0.1, 0.2]
    assert {each.options["perturb_all"] for each in run.experiments} == {True}
    until(lambda: runner.runner().status(run).state == "running")
    app.run()
    assert "Starting: 0 of 60 examples." in app.get("progress")[0].proto.text
    click(app, "batch_run_stop")
    until(lambda: not runner.runner().status(run).busy)
    app.run()
    assert "Stopped. What is done is kept" in app.get("progress")[0].proto.text
    click(app, "batch_run_resume")
    assert runner.runner().status(run).busy
    click(app, "batch_run_new")
    assert address(app) == {}
    assert "each shown to" in words(app.markdown)


def test_the_command_that_a_run_keeps_says_the_same():
    options = {"solver": "reference", "max_iterations": 50, "learning_rate": 0.02}
    grid = experiments.grid(
        [("fgsm", FGSM), ("cw_l2", options)], [CLASSICAL], [KEYED], targets=["random"], seeds=[3, 4]
    )
    said = batch.command(grid)
    specs = [part for part in said.split() if part.partition(":")[0] in ATTACKS]
    assert [contestants.read(spec) for spec in specs] == [("fgsm", FGSM), ("cw_l2", options)]
    assert said.endswith(
        f"--crafted-on {CLASSICAL} --evaluated-on {KEYED} --targets random --seed 3 --seed 4 --start 0 --stop 1000"
    )


def test_what_does_not_go_together_is_a_sentence():
    app = opened(PAGE)
    choose_attacks(app, "deepfool")
    app.multiselect(key="batch_targets").set_value(["random"]).run()
    assert "None of these attacks can aim" in words(app.info)
    choose_attacks(app)
    assert "Choose an attack." in words(app.info)
    choose_attacks(app, "fgsm")
    app.number_input(key="batch_start").set_value(990).run()
    assert "from 990 on, only 10 are left" in words(app.error)
    app.number_input(key="batch_start").set_value(0).run()
    app.text_input(key="batch_fgsm_further_epsilon").set_value("0.1; 0.2").run()
    assert "one is '0.1; 0.2'" in words(app.error)
    app.text_input(key="batch_fgsm_further_epsilon").set_value("nan").run()
    assert "epsilon must be between 0 and 1, but is nan" in words(app.error)


def test_a_grid_that_is_too_large_cannot_be_started_and_is_not_even_built(monkeypatch):
    app = opened(PAGE)
    app.number_input(key="batch_count").set_value(1000).run()
    app.number_input(key="batch_seeds").set_value(10).run()
    monkeypatch.setattr(experiments, "grid", None)
    app.multiselect(key="batch_targets").set_value(list(experiments.TARGETS)).run()
    assert "this makes 120000 examples, more than the 100000" in words(app.error)
    assert not [button for button in app.button if button.key == "batch_start_button"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_of_the_registry_can_be_chosen_with_its_options(attack):
    app = opened(PAGE)
    choose_attacks(app, attack)
    assert "**100 examples**" in words(app.markdown) or "hours that are spent here" in words(app.error)


@pytest.mark.parametrize("run", [SECRET, "../../etc/passwd", "%00", "a" * 5000, "<script>"])
def test_an_address_that_names_no_run_is_a_sentence_and_the_choices(run):
    app = opened(PAGE)
    app.query_params.clear()
    app.query_params["run"] = run
    app.run()
    assert not app.exception
    assert "The address's run was refused: there is no such run." in words(app.warning)
    assert "each shown to" in words(app.markdown)


def without_rows(run):
    (run.folder / runs.ROWS).rmdir()


def of_other_models(run):
    path = run.folder / runs.MANIFEST
    manifest = json.loads(path.read_text())
    manifest["models"][KEYED]["sha256"] = "0" * 64
    manifest["seal"] = runs.seal(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("become", "reason"),
    [(without_rows, "no folder rows"), (of_other_models, f"the model {KEYED} has changed since the run")],
)
def test_a_run_that_cannot_be_read_is_named_by_its_id_and_leaves_the_session_free(become, reason, kerckhoffs_home):
    run = begun()
    become(run)
    app = shown(run)
    assert reason in words(app.warning)
    assert run.id in words(app.warning)
    assert str(kerckhoffs_home) not in words(app.warning)
    assert "each shown to" in words(app.markdown)
    app.run()
    assert not app.warning
    assert "each shown to" in words(app.markdown)


def shown(run):
    """The page at the address of a run."""
    app = opened(PAGE)
    app.query_params.clear()
    app.query_params["run"] = run.id
    app.run()
    assert not app.exception
    return app


def test_a_finished_run_is_counted_and_every_table_names_both_models():
    run = finished(fgsm(options=FGSM, stop=20), fgsm(options=FGSM | {"epsilon": 0.1}, stop=20))
    app = shown(run)
    summary, rows = (frame.value for frame in app.dataframe)
    expected = summaries.report(summaries.summarise(run.rows()))
    pd.testing.assert_frame_equal(summary, expected, check_dtype=False)
    assert {"crafted on", "evaluated on"} <= set(summary.columns) & set(rows.columns)
    assert len(rows) == 2 * 2 * 20
    assert "**Transfer**: turned wrong, of those that were right before and had crafted-on success, where" in words(
        app.caption
    )
    assert "`success` says whether the evaluated model reads the target" in words(app.caption)
    assert len(app.get("plotly_chart")) == 1
    assert "evaluated on the keyed classifier mnist-table1-keyed" in words(app.markdown)
    assert "evaluated on the classical classifier mnist-table1-classical" in words(app.markdown)
    labels = {element.proto.label for element in app.get("download_button")}
    assert labels == {"Rows (.csv)", "Summary (.csv)", "Manifest (.json)", "Figures (.html)"}
    for name in (batch_results.SIZES, batch_results.WITHIN, "By epsilon"):
        app.segmented_control(key="batch_figure").set_value(name).run()
        assert not app.exception


def test_a_run_that_is_not_done_shows_what_there_is():
    app = shown(finished(fgsm(options=FGSM, stop=100), blocks=1))
    assert "64 of 100 examples" in app.get("progress")[0].proto.text
    assert app.dataframe[0].value["examples"].tolist() == [64, 64]


@pytest.fixture
def vanishing(monkeypatch):
    """Models without a gradient to speak of."""
    monkeypatch.setattr(examples.probes, "gradient_sizes", lambda model, images, labels: torch.zeros(len(images)))


@pytest.mark.parametrize("blocks", [None, 1])
def test_what_to_be_wary_of_stands_below_the_summary_also_of_a_part(vanishing, blocks):
    run = finished(fgsm(options=FGSM, stop=experiments.BLOCK + 1), blocks=blocks)
    app = shown(run)
    [said] = [each.value for each in app.warning]
    [found] = flags.raised(run.rows())
    assert found.flag.title in said
    assert found.flag.means in said
    assert f"- On `{CLASSICAL}` it is below 1e-19 at 100.0 % of " in said
    assert f"Raised if: {found.flag.raised_if}" in words(app.caption)


def test_what_to_be_wary_of_is_said_while_a_run_is_at_work(vanishing):
    run = finished(fgsm(options=FGSM, stop=experiments.BLOCK + 1), blocks=1)
    with run.writing():
        app = shown(run)
    assert "**So far**" in words(app.markdown)
    assert "**Vanishing gradients.**" in words(app.warning)


def test_a_summary_to_take_away_names_its_warnings(vanishing, monkeypatch):
    taken = {}
    monkeypatch.setattr(
        batch_results.st, "download_button", lambda label, content, *_, **__: taken.update({label: content})
    )
    run = finished()
    now = batch_results.kept(run)
    counted, found = batch_results.summary(run, now), batch_results.warned(run, now)
    batch_results.downloads(run, flags.marked(counted, found), dict)
    summary = pd.read_csv(io.BytesIO(taken["Summary (.csv)"]()))
    assert summary["warnings"].tolist() == ["vanishing-gradients"] * 2


def test_many_sentences_of_one_warning_are_cut_short_and_counted():
    app = AppTest.from_function(many_sentences).run()
    assert not app.exception
    [said] = [each.value for each in app.warning]
    assert said.count("\n- ") == batch_results.SEEN + 1
    assert "- 3 more; the file of the summary says which lines they are about." in said


def many_sentences():
    from kerckhoffs.evaluation.flags import FLAGS, Raised, Seen
    from kerckhoffs.ui.batch import results

    seen = tuple(Seen(f"Sentence {number}.", (), ()) for number in range(results.SEEN + 3))
    results.warnings([Raised(FLAGS["random-answers"], seen)])


def test_a_healthy_run_warns_of_nothing():
    assert not shown(finished()).warning


def test_a_run_whose_rows_are_damaged_is_a_sentence(kerckhoffs_home):
    run = finished()
    [path] = run.shards().values()
    path.write_bytes(b"no rows")
    said = words(shown(run).error)
    assert f"{run.id}/rows/{path.name} is damaged" in said
    assert str(kerckhoffs_home) not in said


def test_a_copy_of_a_run_under_another_id_is_another_run(kerckhoffs_home):
    run = finished(fgsm(options=FGSM, stop=100))
    assert len(shown(run).dataframe[1].value) == 200
    copy = run.folder.with_name(SECRET)
    shutil.copytree(run.folder, copy)
    runs.open_run(copy).shards()[1].unlink()
    other = runs.find(SECRET)
    assert (other.id, other.folder) == (SECRET, copy)
    app = shown(other)
    assert "64 of 100 examples" in app.get("progress")[0].proto.text
    assert app.dataframe[0].value["examples"].tolist() == [64, 64], "not what the cache holds of the other"
    assert address(app) == {"run": SECRET}


def test_a_session_never_sees_the_run_of_another(monkeypatch):
    play_process(monkeypatch, SLEEP)
    one = opened(PAGE)
    click(one, "batch_start_button")
    other = opened(PAGE)
    assert not other.get("progress")
    click(other, "batch_start_button")
    assert address(one)["run"] != address(other)["run"]


def test_the_run_is_still_there_after_a_visit_to_another_page():
    app = shown(finished())
    switch(app, "defences").run()
    app.query_params.clear()
    switch(app, PAGE).run()
    assert not app.exception
    assert "Finished: 10 of 10 examples." in app.get("progress")[0].proto.text
    assert list(address(app)) == ["run"]


# --- Single rows


def test_outcomes_are_those_of_the_verdict():
    rows = finished(fgsm(options=FGSM | {"perturb_all": False}, stop=50)).rows()
    said = batch_rows.outcomes(rows)
    for outcome, (_, row) in zip(said, rows.iterrows(), strict=True):
        verdict = judge.Verdict(
            row["crafted_on"],
            row["evaluated_on"],
            row["label"],
            None,
            row["before"],
            row["after"],
            0.5,
            row["crafted_success"],
        )
        assert outcome == verdict.outcome()
    assert {"fooled", "no evidence", "still right"} & set(said)


@pytest.mark.parametrize("split", ["test", "uploaded"])
def test_play_opens_on_the_same_image_and_attack_and_says_the_same(split):
    given = {} if split == "test" else {"uploaded": uploaded("3/a.png", "3/b.png")}
    options = {"perturb_all": True} if split == "test" else {"perturb_all": True, "epsilon": 0.4}  # or the default
    run = finished(fgsm(options=options, stop=2, split=split), **given)
    row = run.rows().iloc[-1]
    link = batch_rows.play_address(row, batch_rows._image(run, row))
    app = opened(**{name: values[0] for name, values in parse_qs(urlsplit(link).query).items()})
    assert "was refused" not in words(app.warning)
    said = words([*app.error, *app.success])
    assert f"evaluated on the keyed classifier: {row['label']} is now read as {row['after']}" in said


# --- Files


def test_files_open_clean_in_a_spreadsheet_and_come_back_in_pandas():
    names = ("=cmd.png", "+1.png", "-1.png", "@SUM(A1).png", "NA", '"quoted, with comma".png')
    run = finished(
        fgsm(options=FGSM, split="uploaded", stop=6),
        fgsm(options=FGSM, split="uploaded", stop=6, targets="random"),
        uploaded=uploaded(*names),
    )
    rows, counted = run.rows(), summaries.summarise(run.rows())
    for frame in (rows, counted):
        plain = pd.read_csv(io.BytesIO(tables.csv(frame)), dtype=str, keep_default_na=False)
        cells = [*plain.columns, *plain.to_numpy().ravel()]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    back = pd.read_csv(io.BytesIO(tables.csv(rows)), dtype=examples.COLUMNS)
    pd.testing.assert_frame_equal(back, rows.astype(examples.COLUMNS))
    assert back["sample"].iloc[0] == "uploaded =cmd.png"


# --- Zips


def packed(**files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/") + ".png", content)
    return file.getvalue()


def png(size=(28, 28)):
    file = io.BytesIO()
    pixels = np.zeros(size[::-1], np.uint8)
    pixels[5:20, 12:16] = 255
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def with_zip(content):
    app = opened(PAGE)
    app.segmented_control(key="batch_split").set_value(experiments.UPLOADED).run()
    assert "Upload a zip" in words(app.info)
    app.file_uploader[0].set_value(("set.zip", content, "application/zip")).run()
    assert not app.exception
    return app


def test_the_good_images_of_a_zip_are_taken_and_the_bad_ones_named_with_their_reasons(monkeypatch):
    play_process(monkeypatch, SLEEP)
    app = with_zip(packed(**{"1__a": png(), "1__b": png(), "1__bad": b"no image", "none__c": png()}))
    assert "**2** images are used, **2** files are left out:" in words(app.caption)
    refused = app.dataframe[0].value
    assert refused["file"].tolist() == ["1/bad.png", "none/c.png"]
    assert "no folder in its path names a class of MNIST" in refused["left out because"][1]
    assert "**2 examples**" in words(app.markdown)
    click(app, "batch_start_button")
    run = runs.find(address(app)["run"])
    assert run.uploaded.names == ("1/a.png", "1/b.png")
    assert run.uploaded.labels.tolist() == [1, 1]


def test_a_zip_that_is_removed_is_not_used_any_more_and_one_that_is_not_stays():
    app = with_zip(packed(**{"1__a": png(), "1__bad": b"no image"}))
    assert "**1** image is used, **1** file is left out:" in words(app.caption)
    assert f"A run keeps its images on the server, {runner.KEPT}." in words(app.caption)
    switch(app, "defences").run()
    switch(app, PAGE).run()
    assert "**1** image is used" in words(app.caption)
    app.file_uploader[0].set_value(("set.zip", packed(**{"1__a": png(), "1__b": png()}), "application/zip")).run()
    assert "**2** images are used." in words(app.caption)
    app.file_uploader[0].set_value([]).run()
    assert not app.exception
    assert "are used" not in words(app.caption)
    assert "Upload a zip" in words(app.info)


@pytest.mark.parametrize("content", [b"no zip", packed(none__a=png()), b"PK\x05\x06" + b"\0" * 18])
def test_a_zip_of_which_nothing_can_be_used_is_a_sentence(content):
    app = with_zip(content)
    assert len(app.error) == 1
    assert "each shown to" not in words(app.markdown)


def test_ids_are_unguessable_and_no_page_lists_them():
    run = finished()
    assert runs.ID.fullmatch(run.id)
    with pytest.raises(FileRefused, match="there is no such run"):
        runs.find(run.id[:-1] + ("0" if run.id[-1] != "0" else "1"))
    app = opened(PAGE)
    assert run.id not in json.dumps([str(element) for element in app.main])


def test_an_attack_that_cannot_aim_is_left_out_of_targets_and_the_rest_goes_on():
    app = opened(PAGE)
    app.multiselect(key="batch_attacks").set_value(["deepfool", "fgsm"]).run()
    app.multiselect(key="batch_targets").set_value(["random", "untargeted"]).run()
    assert not app.exception
    assert not app.error
    assert "DeepFool cannot aim: it is left out of the targets **random**" in words(app.caption)
    assert "300 examples" in words(app.markdown)
    app.multiselect(key="batch_attacks").set_value(["deepfool"]).run()
    app.multiselect(key="batch_targets").set_value(["random"]).run()
    assert "None of these attacks can aim" in words(app.info)
    assert app.multiselect(key="batch_targets").value == ["random"], "the form is still there"


def test_the_menus_take_what_was_typed_and_nothing_else():
    app = opened(PAGE)
    for menu in app.multiselect:
        assert menu.proto.filter_mode == 1, menu.label
        assert not menu.proto.select_all, menu.label


def test_the_same_again_is_a_new_run_of_the_same(monkeypatch):
    monkeypatch.setattr(runner, "command", lambda folder: [sys.executable, "-c", "import time; time.sleep(100)"])
    run = finished()
    app = shown(run)
    app.button(key="batch_run_again").click().run()
    assert not app.exception
    again = runs.find(address(app)["run"])
    assert again.id != run.id
    assert again.experiments == run.experiments
    assert "batch_run_again" not in {button.key for button in app.button}, "it is running"


def test_a_session_lists_the_runs_that_it_has_seen_and_no_others():
    first, second, foreign = finished(), begun(), begun()
    app = shown(first)
    app.button(key="batch_run_new").click().run()
    assert f"mine_{first.id}" in {button.key for button in app.button}
    assert f"mine_{second.id}" not in {button.key for button in app.button}
    app.button(key=f"mine_{first.id}").click().run()
    assert address(app) == {"run": first.id}
    assert foreign.id not in str(app.main)


def test_what_a_running_batch_makes_is_said():
    run = finished(fgsm(stop=200), blocks=2)
    said = runner._now(run, run.blocks, set(run.shards()))
    assert said == f"FGSM, crafted on {CLASSICAL}, samples 128 to 191"
