"""Two hundred injuries to the folder of a run: each is named in one sentence, or does no harm to any row."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from kerckhoffs.checks import FileRefused
from kerckhoffs.evaluation import runs, shards
from kerckhoffs.evaluation.runs import MANIFEST, ROWS, Run
from tests.evaluation.test_runs import begin, table

INJURIES = 200


def made(folder: Path, seed: int) -> Run:
    """A finished run."""
    run = begin(folder)
    for block in run.blocks:
        run.write(block, table(block, seed + block.number))
    return run


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def shard(folder: Path, draw: random.Random) -> Path:
    return draw.choice(sorted((folder / ROWS).iterdir()))


def numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{number:06d}-{path.name.partition('-')[2]}")


def rename(folder: Path, other: Path, draw: random.Random) -> None:
    path = shard(folder, draw)
    path.replace(numbered(path, draw.randrange(5)))


def copy(folder: Path, other: Path, draw: random.Random) -> None:
    path = shard(folder, draw)
    data = path.read_bytes()
    (path.with_name("unknown.csv.gz") if draw.random() < 0.2 else numbered(path, draw.randrange(5))).write_bytes(data)


def swap_two(folder: Path, other: Path, draw: random.Random) -> None:
    one, two = draw.sample(sorted((folder / ROWS).iterdir()), 2)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def swap_with_another_run(folder: Path, other: Path, draw: random.Random) -> None:
    path, foreign = shard(folder, draw), shard(other, draw)
    path.unlink()
    shutil.copy(foreign, path.with_name(foreign.name))


def manifest_of_another_run(folder: Path, other: Path, draw: random.Random) -> None:
    shutil.copy(other / MANIFEST, folder / MANIFEST)


def forge(folder: Path, other: Path, draw: random.Random) -> None:
    """The hash is right; the rows are those of another block, or none."""
    seal, number = runs.read_manifest(folder)["seal"], draw.randrange(5)
    elsewhere = [path.read_bytes() for path in sorted((other / ROWS).iterdir()) if shards.number(path) != number]
    data = draw.choice([*elsewhere, b"", b"x", shards.pack("a,b\n1,2\n"), shards.pack(shards.HEADER)])
    for path in list((folder / ROWS).glob(f"{number:06d}-*")):
        path.unlink()
    (folder / ROWS / shards.name(seal, number, data)).write_bytes(data)


def cut(folder: Path, other: Path, draw: random.Random) -> None:
    path = draw.choice(files(folder))
    path.write_bytes(path.read_bytes()[: draw.randrange(path.stat().st_size)])


def flip(folder: Path, other: Path, draw: random.Random) -> None:
    path = draw.choice(files(folder))
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def empty(folder: Path, other: Path, draw: random.Random) -> None:
    draw.choice(files(folder)).write_bytes(b"")


def delete(folder: Path, other: Path, draw: random.Random) -> None:
    draw.choice(files(folder)).unlink()


def folder_in_its_place(folder: Path, other: Path, draw: random.Random) -> None:
    path = draw.choice(files(folder))
    path.unlink()
    path.mkdir()


def file_in_place_of_rows(folder: Path, other: Path, draw: random.Random) -> None:
    shutil.rmtree(folder / ROWS)
    (folder / ROWS).write_bytes(b"")


def more_files(folder: Path, other: Path, draw: random.Random) -> None:
    where = draw.choice([folder, folder / ROWS])
    name = draw.choice(["x", "x.part", "000009.csv.gz", "000009-0123456789abcdef.csv.gz", "Thumbs.db"])
    (where / name).mkdir() if draw.random() < 0.3 else (where / name).write_bytes(b"more")


def shrink(folder: Path, other: Path, draw: random.Random) -> None:
    """`stop` is smaller, and perhaps what it is checked by says the same."""
    manifest = runs.read_manifest(folder)
    manifest["experiments"][0]["stop"] = draw.choice([1, 64, 128, 191, 193, 1000])
    if draw.random() < 0.7:
        manifest["specification"] = runs.specification(runs.experiments.from_json(manifest["experiments"]))
    if draw.random() < 0.5:
        manifest["seal"] = runs.seal(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def change_manifest(folder: Path, other: Path, draw: random.Random) -> None:
    manifest = runs.read_manifest(folder)
    manifest[draw.choice(sorted(manifest))] = draw.choice([None, 7, "x", [], {}, {"x": 1}, ["x"], True, 1e400])
    (folder / MANIFEST).write_text(json.dumps(manifest))


KINDS: tuple[Callable[[Path, Path, random.Random], None], ...] = (
    rename,
    copy,
    swap_two,
    swap_with_another_run,
    manifest_of_another_run,
    forge,
    cut,
    flip,
    empty,
    delete,
    folder_in_its_place,
    file_in_place_of_rows,
    more_files,
    shrink,
    change_manifest,
)


def resumed(folder: Path) -> pd.DataFrame:
    """The rows of a run after what is missing is made, as engines.execute does."""
    run = runs.open_run(folder)
    with run.writing():
        run.check()
        for block in run.blocks:
            if block.number not in run.shards():
                run.write(block, table(block, block.number))
    return pd.concat(run.tables(), ignore_index=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, Path, pd.DataFrame]:
    """A finished run, another one of the same specification with other rows, and the rows of the first."""
    folder = tmp_path_factory.mktemp("whole")
    run, other = made(folder / "run", 0), made(folder / "other", 10)
    return run.folder, other.folder, pd.concat(run.tables(), ignore_index=True)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_injury_is_named_in_one_sentence_or_does_no_harm(kind, whole, tmp_path):
    original, other, rows = whole
    draw = random.Random(kind.__name__)
    for number in range(-(-INJURIES // len(KINDS))):
        folder = tmp_path / str(number)
        shutil.copytree(original, folder)
        kind(folder, other, draw)
        found, said = outcome(folder)
        if said:
            assert str(folder) in said, "it names the file"
            assert "\n" not in said
            assert any(cure in said for cure in CURES), said
        else:
            pd.testing.assert_frame_equal(found, rows)


def outcome(folder: Path) -> tuple[pd.DataFrame | None, str]:
    """The rows after resuming, or why it was refused."""
    try:
        return resumed(folder), ""
    except FileRefused as error:
        return None, str(error)


CURES = ("remove it", "remove both", "restore it", "begin anew", "name the folder")
