import gzip
import json
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kerckhoffs import zoo
from kerckhoffs.checks import FileRefused
from kerckhoffs.evaluation import engines, experiments, kept, runs, shards
from kerckhoffs.evaluation.examples import ADDED, COLUMNS, Samples
from kerckhoffs.evaluation.experiments import BLOCK
from kerckhoffs.zoo import networks

CLASSICAL, KEYED = "mnist-table1-classical", "mnist-table1-keyed"
COUNT = 3 * BLOCK


def begin(folder: Path, **changes) -> runs.Run:
    what = experiments.grid(
        [("fgsm", {})], [CLASSICAL], [CLASSICAL, KEYED], stop=COUNT, split=changes.pop("split", "test")
    )
    return runs.create(what, command="a command", folder=folder, **changes)


def table(block, seed: int = 0, what=None) -> pd.DataFrame:
    """Rows that a block might have."""
    what = what or experiments.grid([("fgsm", {})], [CLASSICAL], [CLASSICAL, KEYED], stop=COUNT)[0]
    draw = np.random.default_rng(seed)
    judges = len(what.evaluated_on)
    count = block.examples * judges
    numbers = {name: draw.integers(0, 9, count) for name, kind in COLUMNS.items() if kind != "str"}
    words = {
        name: draw.choice(["a b", "c", '{"x": 0.3, "y": "z"}'], count) for name in COLUMNS if COLUMNS[name] == "str"
    }
    of_the_block = {
        "dataset": "mnist",
        "split": what.split,
        "index": np.repeat(np.arange(block.start, block.stop), count // (block.stop - block.start)),
        "target": None,
        "targets": what.targets,
        "seed": what.seed,
        "attack": what.attack,
        "options": what.named_options(),
        "crafted_on": what.crafted_on,
        "evaluated_on": list(what.evaluated_on) * block.examples,
    }
    return pd.DataFrame(numbers | words | of_the_block)[list(COLUMNS)].astype(COLUMNS)


@pytest.fixture
def run(tmp_path) -> runs.Run:
    return begin(tmp_path / "run")


def test_a_run_opens_as_it_was_begun(run):
    assert runs.open_run(run.folder) == run
    manifest = runs.read_manifest(run.folder)
    assert manifest["command"] == "a command"
    assert manifest["models"][KEYED]["keys"] == list(zoo.card(KEYED).keys)
    assert manifest["models"][CLASSICAL]["keys"] == []
    assert [b.examples for b in run.blocks] == [BLOCK] * 3


@settings(max_examples=10)
@given(st.permutations([0, 1, 2]))
def test_rows_come_back_as_they_were_written_in_the_order_of_the_blocks(tmp_path_factory, order):
    run = begin(tmp_path_factory.mktemp("runs") / "run")
    tables = [table(block, block.number) for block in run.blocks]
    for number in order:
        run.write(run.blocks[number], tables[number])
    pd.testing.assert_frame_equal(pd.concat(run.tables(), ignore_index=True), pd.concat(tables, ignore_index=True))
    words = {name: "str" for name, kind in COLUMNS.items() if kind == "str"}
    pd.testing.assert_frame_equal(run.rows().astype(words), pd.concat(tables, ignore_index=True))


def test_some_columns_can_be_read_alone(run):
    run.write(run.blocks[0], table(run.blocks[0]))
    assert list(run.rows(["label", "after"]).columns) == ["label", "after"]


def test_a_run_without_rows_has_an_empty_table_of_the_same_columns(run):
    assert run.rows().empty
    assert list(run.rows().columns) == list(COLUMNS)


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_kill_while_a_block_is_written_leaves_what_was_there(run, monkeypatch, moment):
    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    run.write(run.blocks[0], table(run.blocks[0]))
    with monkeypatch.context() as patch:
        patch.setattr(os, moment, killed)
        with pytest.raises(Killed):
            run.write(run.blocks[1], table(run.blocks[1]))
    assert sorted(run.shards()) == [0]
    with run.writing():
        assert not list((run.folder / "rows").glob("*.part"))
        run.write(run.blocks[1], table(run.blocks[1]))
    assert sorted(run.shards()) == [0, 1]


def test_a_full_disk_is_one_sentence_and_what_is_there_stays(run, monkeypatch):
    run.write(run.blocks[0], table(run.blocks[0]))

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(FileRefused, match="No space left on device; what is there is kept"):
            run.write(run.blocks[1], table(run.blocks[1]))
    assert len(run.rows()) == 2 * BLOCK
    assert not list((run.folder / "rows").glob("*.part"))


@settings(max_examples=20)
@given(st.integers(min_value=0), st.integers(1, 255))
def test_any_changed_byte_of_a_shard_is_found_and_only_that_block_is_lost(tmp_path_factory, place, change):
    run = begin(tmp_path_factory.mktemp("runs") / "run")
    for block in run.blocks[:2]:
        run.write(block, table(block))
    path = run.shards()[1]
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= change
    path.write_bytes(data)
    with pytest.raises(FileRefused, match="is damaged") as refused:
        run.rows()
    assert str(path) in str(refused.value)
    path.unlink()
    assert len(run.rows()) == 2 * BLOCK


def test_a_block_that_is_there_twice_is_refused(run):
    for seed in (0, 1):
        run.write(run.blocks[0], table(run.blocks[0], seed))
    with pytest.raises(FileRefused, match="are the same block"):
        run.shards()


def test_two_writers_are_one_too_many(run):
    with run.writing():
        assert run.is_written()
        with pytest.raises(FileRefused, match="another process is writing"), runs.open_run(run.folder).writing():
            pass
    assert not run.is_written()
    with run.writing():
        pass


def test_who_worked_on_a_run_is_noted(run):
    with run.writing(workers=3):
        run.write(run.blocks[0], table(run.blocks[0]))
    (line,) = (run.folder / "sessions.jsonl").read_text().splitlines()
    assert json.loads(line)["workers"] == 3
    assert json.loads(line)["blocks"] == 1


def test_a_model_that_changed_is_refused(run):
    changed = dict.fromkeys(run.models, "0" * 64)
    with pytest.raises(FileRefused, match=f"the model {CLASSICAL} has changed since the run"):
        _ = runs.Run(run.folder, run.id, "", run.experiments, changed, None, None).blocks


@pytest.mark.parametrize("field", ["format", "block", "experiments", "specification", "models", "uploaded", "id"])
def test_a_manifest_that_someone_changed_is_refused(run, field):
    path = run.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for changed in ({k: v for k, v in manifest.items() if k != field}, manifest | {field: "x"}):
        path.write_text(json.dumps(changed))
        with pytest.raises(FileRefused, match="malformed|cannot read"):
            runs.open_run(run.folder)


def test_a_run_whose_experiments_were_changed_is_refused(run):
    path = run.folder / "manifest.json"
    path.write_text(path.read_text().replace(f'"stop": {COUNT}', f'"stop": {COUNT - 1}'))
    with pytest.raises(FileRefused, match="its experiments have changed since the run was begun"):
        runs.open_run(run.folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_a_manifest_that_is_none_is_refused(run, text):
    (run.folder / "manifest.json").write_text(text)
    with pytest.raises(FileRefused, match="malformed"):
        runs.open_run(run.folder)


def test_a_run_of_the_format_before_is_read_and_goes_on_and_its_blocks_are_looked_at(run):
    before = as_before(run)
    tables = [table(block, block.number) for block in before.blocks]
    for block in before.blocks:
        before.write(block, tables[block.number])
    pd.testing.assert_frame_equal(pd.concat(before.tables(), ignore_index=True), pd.concat(tables, ignore_index=True))
    path = before.shards()[1]
    path.unlink()
    (swapped := before.shards()[2]).rename(swapped.with_name(swapped.name.replace("000002-", "000001-")))
    with pytest.raises(FileRefused, match="is not block 1 of this run: its rows are of another index; remove it and"):
        before.rows()


def test_blocks_from_before_there_were_warnings_are_read_beside_new_ones_with_empty_cells(run):
    first, second = run.blocks[:2]
    named = table(first).assign(sample='a "name",\nof two lines')
    run.write(first, named.drop(columns=list(ADDED)))
    run.write(second, table(second))
    rows = run.rows()
    assert list(rows.columns) == list(COLUMNS)
    assert rows["crafted_gradient"].isna().tolist() == [True] * 2 * BLOCK + [False] * 2 * BLOCK
    assert rows["sample"].tolist()[: 2 * BLOCK] == named["sample"].tolist()
    kept = [name for name in COLUMNS if name not in ADDED]
    old, new = run.tables()
    pd.testing.assert_frame_equal(old[kept], named[kept])
    pd.testing.assert_frame_equal(new, table(second))


def test_blocks_that_lack_another_column_are_refused(run):
    run.write(run.blocks[0], table(run.blocks[0]).drop(columns=["versions", *ADDED]))
    with pytest.raises(FileRefused, match="is not block 0 of this run: its columns are others"):
        run.rows()


def as_before(run) -> runs.Run:
    """A run without rows as the format before this one had it."""
    manifest = runs.read_manifest(run.folder) | {"format": runs.BEFORE}
    del manifest["seal"]
    (run.folder / runs.MANIFEST).write_text(json.dumps(manifest))
    return runs.open_run(run.folder)


def test_a_run_that_says_it_is_of_the_format_before_does_not_lose_its_seal(run):
    run.write(run.blocks[0], table(run.blocks[0]))
    with pytest.raises(FileRefused, match="is damaged"):
        as_before(run).rows()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"index": 5}, "its rows are of another index"),
        ({"attack": "pgd"}, "its rows are of another attack"),
        ({"options": '{"epsilon": 0.9}'}, "its rows are of another options"),
        ({"seed": 1}, "its rows are of another seed"),
        ({"crafted_on": KEYED}, "its rows are of another crafted_on"),
        ({"evaluated_on": KEYED}, "its rows are of another evaluated_on"),
        ({"after": 10}, "a cell of its column after cannot be read"),
        ({"label": -1}, "a cell of its column label cannot be read"),
        ({"target": 3}, "a cell of its column target cannot be read"),
    ],
)
def test_made_up_rows_under_the_right_name_are_not_those_of_the_block(run, change, reason):
    run.write(run.blocks[0], table(run.blocks[0]).assign(**change))
    with pytest.raises(FileRefused, match=f"is not block 0 of this run: {reason}; remove it and resume"):
        run.rows()


@pytest.mark.parametrize("rows", [slice(1, None), slice(0, 0)])
def test_a_block_with_too_few_rows_is_refused(run, rows):
    run.write(run.blocks[0], table(run.blocks[0]).iloc[rows])
    with pytest.raises(FileRefused, match=r"is not block 0 of this run: it has \d+ rows, not 128"):
        run.rows()


@pytest.mark.parametrize(
    "data",
    [b"", b"no gzip", gzip.compress(b"")[:-4], gzip.compress(b"\xff\xfe"), gzip.compress(bytes(2**26))],
    ids=["empty", "no gzip", "cut", "no text", "a bomb"],
)
def test_what_is_no_rows_under_the_right_name_is_refused(run, data):
    (run.folder / "rows" / shards.name(run.seal, 0, data)).write_bytes(data)
    with pytest.raises(FileRefused, match="is not block 0 of this run"):
        run.rows()


def test_folders_and_files_of_a_run_are_for_their_owner_alone(tmp_path):
    before = os.umask(0o022)
    try:
        images = torch.rand(COUNT, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        samples = Samples(images, torch.arange(COUNT) % 10, tuple(f"{i}.png" for i in range(COUNT)))
        run = begin(tmp_path / "new" / "run", split="uploaded", uploaded=samples)
        with run.writing():
            kept.mark(run)
            run.write(run.blocks[0], table(run.blocks[0], what=run.experiments[0]))
    finally:
        os.umask(before)
    for path in (tmp_path / "new", run.folder, *run.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(FileRefused, match="there is no run"):
        runs.open_run(tmp_path)


def test_a_folder_without_rows_is_refused_and_left_as_it_is(run):
    (run.folder / runs.ROWS).rmdir()
    before = sorted(run.folder.iterdir())
    with pytest.raises(FileRefused, match="no folder rows: there is no run to go on with"):
        runs.open_run(run.folder)
    with pytest.raises(FileRefused, match=r"cannot read .*rows: No such file"):
        run.shards()
    assert sorted(run.folder.iterdir()) == before


def test_a_folder_that_is_taken_is_refused(tmp_path):
    (tmp_path / "something").write_text("mine")
    with pytest.raises(FileRefused, match="is not empty"):
        begin(tmp_path)


@pytest.mark.parametrize(
    "id_", ["", "..", "../x", "20260101-000000-0123456789abcdef", "20260101-000000-0123456789ABCDEF/.."]
)
def test_no_run_is_found_by_an_id_that_is_none(id_):
    with pytest.raises(FileRefused, match="there is no such run"):
        runs.find(id_)


def test_a_run_of_the_users_folder_is_found_by_its_id(kerckhoffs_home):
    run = begin(None)
    assert run.folder.parent == kerckhoffs_home / "runs"
    assert runs.find(run.id) == run


def test_uploaded_samples_come_back_and_changed_ones_are_refused(tmp_path):
    images = torch.rand(COUNT, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    samples = Samples(images, torch.arange(COUNT) % 10, tuple(f"{i}/ä.png" for i in range(COUNT)))
    run = begin(tmp_path / "run", split="uploaded", uploaded=samples)
    again = runs.open_run(run.folder).uploaded
    assert torch.equal(again.images, samples.images)
    assert torch.equal(again.labels, samples.labels)
    assert again.names == samples.names
    data = bytearray((run.folder / "samples.npz").read_bytes())
    data[1000] ^= 1
    (run.folder / "samples.npz").write_bytes(data)
    with pytest.raises(FileRefused, match="has changed since the run was begun"):
        runs.open_run(run.folder)


def test_a_million_rows_take_little_room(run):
    for block in run.blocks:
        run.write(block, table(block))
    size = sum(path.stat().st_size for path in run.shards().values())
    assert size / (2 * COUNT) < 100  # bytes a row, of random ones


def own_model(defence: str) -> str:
    """A shipped model, among the user's own ones with its key."""
    shipped = zoo.card(zoo.model_id("mnist", "table1", defence))
    keys = zoo.find_keys(shipped)
    for key in keys:
        key.save(zoo.user_key_path(key.fingerprint))
    zoo.save(replace(shipped, key_files=()), zoo.load(shipped.id).network, zoo.own_folder())
    return zoo.OWN + shipped.id


def test_a_run_over_own_models_gives_the_rows_of_the_same_shipped_ones(tmp_path):
    mine, theirs = [own_model(defence) for defence in ("classical", "keyed")], [CLASSICAL, KEYED]
    rows = []
    for number, (crafter, defended) in enumerate((mine, theirs)):
        what = experiments.grid([("fgsm", {"epsilon": 0.2})], [crafter], [crafter, defended], stop=6)
        run = runs.create(what, command="a command", folder=tmp_path / str(number))
        engines.execute(run)
        assert runs.open_run(run.folder) == run
        rows.append(run.rows())
        manifest = runs.read_manifest(run.folder)
        assert manifest["models"][defended]["keys"] == list(zoo.card(KEYED).keys)
    assert set(rows[0]["crafted_on"]) == {mine[0]}
    assert set(rows[0]["evaluated_on"]) == set(mine)
    assert set(rows[0]["evaluated_on_key"]) == {"no key", zoo.card(KEYED).fingerprint}
    names = ["crafted_on", "evaluated_on", "seconds"]
    pd.testing.assert_frame_equal(rows[0].drop(columns=names), rows[1].drop(columns=names))


def test_a_run_whose_own_model_is_gone_or_another_says_so_in_one_sentence(tmp_path):
    mine = own_model("keyed")
    what = experiments.grid([("fgsm", {"epsilon": 0.2})], [CLASSICAL], [mine], stop=6)
    run = runs.create(what, command="a command", folder=tmp_path / "run")
    engines.execute(run)
    card = zoo.card(KEYED, zoo.own_folder())
    zoo.save(card, networks.build("table1", "mnist"), zoo.own_folder())
    again = runs.open_run(run.folder)
    with pytest.raises(FileRefused, match=rf"^the model {mine} has changed since the run [^\n]* was begun; [^\n]*$"):
        engines.execute(again)
    shutil.rmtree(zoo.own_folder())
    with pytest.raises(FileRefused, match=rf"^the model {mine} of the run {run.folder} is missing$"):
        engines.execute(again)
    assert len(again.rows()) == 6, "what was made stays"


def test_a_damaged_own_manifest_stops_no_run_of_shipped_models(tmp_path):
    own_model("keyed")
    (zoo.own_folder() / zoo.MANIFEST).write_text("not JSON")
    what = experiments.grid([("fgsm", {"epsilon": 0.2})], [CLASSICAL], [KEYED], stop=2)
    engines.execute(runs.create(what, command="a command", folder=tmp_path / "run"))
    assert len(runs.open_run(tmp_path / "run").rows()) == 2
