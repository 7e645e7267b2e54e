"""A run on disk: what is to be evaluated, and the rows that are done.

    <folder>/manifest.json                 what the run is: experiments, models by hash, versions, machine, command
    <folder>/samples.npz                   uploaded samples, if there are any
    <folder>/rows/<block>-<hash>.csv.gz    the rows of one block (shards.py)
    <folder>/sessions.jsonl                who worked on it when: one line for each time that it was begun or resumed
    <folder>/.lock                         held by the process that writes
    <folder>/.app                          in a run of the app's alone (kept.py)

A block is written whole or not at all, under its name only when it is on the disk, so a run may be killed at any
moment and goes on where it was. Nothing is ever overwritten. What cannot be read back as it was written is named, and
nothing else is touched: the manifest holds a seal, the SHA-256 of all that it says but where the models are, and every
block is bound to the seal and to its number. A folder is made for its owner alone: it may hold other people's pictures.

Runs of the format before this one have no seal. They are read and go on as they were begun: what is in each block is
looked at, and that finds one that was renamed or comes from another run, unless that run was about the same.
"""

import hashlib
import io
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import Timeout

from kerckhoffs import attackers, places, zoo
from kerckhoffs.checks import FileRefused
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluation import experiments, files, shards
from kerckhoffs.evaluation.examples import COLUMNS, Samples
from kerckhoffs.evaluation.experiments import BLOCK, UPLOADED, Block, Experiment
from kerckhoffs.evaluation.machine import machine

FORMAT, BEFORE = "kerckhoffs-run-2", "kerckhoffs-run-1"
MANIFEST, SAMPLES, SESSIONS, ROWS = "manifest.json", "samples.npz", "sessions.jsonl", "rows"
LOCK = ".lock"
ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{16}")


@dataclass(frozen=True)
class Run:
    """A run that `create` or `open_run` gives.

    Args:
        id: unguessable, so that who knows it may see the run.
        models: SHA-256 of the weights of each model, by id.
        model_folder: where the models are; None for the shipped ones.
        seal: what its blocks are bound to; empty in a run of the format before.
    """

    folder: Path
    id: str
    command: str
    experiments: tuple[Experiment, ...]
    models: Mapping[str, str]
    model_folder: Path | None
    uploaded: Samples | None
    seal: str = ""

    @property
    def cards(self) -> dict[str, zoo.ModelCard]:
        """The cards of its models.

        Raises:
            FileRefused: if a model is missing, or is not the one that the run was begun with.
        """
        found = {}
        for name, sha256 in self.models.items():
            try:
                found[name] = attackers.card(name, self.model_folder)
            except ValueError as error:
                if isinstance(error, FileRefused):
                    raise
                raise FileRefused(f"the model {name} of the run {self.folder} is missing") from error
            if found[name].sha256 != sha256:
                raise FileRefused(
                    f"the model {name} has changed since the run {self.folder} was begun; restore it, or begin anew"
                )
        return found

    @property
    def blocks(self) -> list[Block]:
        """All of its work."""
        return experiments.blocks(self.experiments, self.cards)

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """The set of each experiment, also where its models are gone."""
        return tuple(_dataset(each.crafted_on, self.model_folder) for each in self.experiments)

    @cached_property
    def planned(self) -> tuple[Block, ...]:
        """All of its work, also where its models are gone or changed, so that what was made can be read."""
        return tuple(experiments.parts(self.experiments, self.datasets))

    def shards(self) -> dict[int, Path]:
        """The files of the blocks that are done, by number.

        Raises:
            FileRefused: if they cannot be listed, or one is of no block of this run, or a block is there twice.
        """
        found: dict[int, Path] = {}
        try:
            paths = sorted((self.folder / ROWS).iterdir())
        except OSError as error:
            raise FileRefused(
                f"cannot read {self.folder / ROWS}: {error.strerror}; restore it, or begin anew"
            ) from error
        for path in paths:
            number = shards.number(path)
            if number is None:
                continue
            if number >= len(self.planned):
                raise FileRefused(
                    f"{path} is no part of this run, whose last block is {len(self.planned) - 1:06d}; remove it"
                )
            if number in found:
                raise FileRefused(
                    f"{path} and {found[number]} are the same block; remove both and resume the run, and that block "
                    "alone is made again"
                )
            found[number] = path
        return found

    def write(self, block: Block, rows: pd.DataFrame) -> None:
        """Put the rows of a block on the disk. Only who holds `writing` may.

        Raises:
            FileRefused: if the disk refuses; what was written before stays.
        """
        data = shards.pack(rows.to_csv(index=False, lineterminator="\n"))
        files.write_atomically(self.folder / ROWS / shards.name(self.seal, block.number, data), data)

    def texts(self) -> Iterator[tuple[Path, bytes]]:
        """The blocks that are done, in their order: the file of each, and its CSV text.

        Raises:
            FileRefused: if one is damaged or no block of this run.
        """
        for number, path in sorted(self.shards().items()):
            block = self.planned[number]
            of = block.experiment
            yield path, shards.read(path, self.seal, self.experiments[of], block, self.datasets[of])

    def check(self) -> None:
        """Read every shard once.

        Raises:
            FileRefused: if one is damaged.
        """
        for _ in self.texts():
            pass

    def tables(self) -> Iterator[pd.DataFrame]:
        """The rows that are done, block by block, in the order of the blocks.

        Raises:
            FileRefused: if a block is damaged.
        """
        for _, text in self.texts():
            yield pd.read_csv(io.BytesIO(text), dtype=COLUMNS)

    def rows(self, columns: Sequence[str] = ()) -> pd.DataFrame:
        """The rows that are done, or some columns of them, in one table. Words are held once each (categories).

        Raises:
            FileRefused: if a block is damaged.
        """
        wanted = list(columns) or list(COLUMNS)
        kinds = {name: "category" if COLUMNS[name] == "str" and name != "sample" else COLUMNS[name] for name in wanted}
        stream = io.BufferedReader(_Joined(text for _, text in self.texts()))
        return pd.read_csv(stream, dtype=kinds, usecols=wanted)[wanted]

    @contextmanager
    def writing(self, **session: Any) -> Iterator[None]:
        """Hold the lock; note on the way out who worked on the run, when, and what they say of it in `session`.

        Raises:
            FileRefused: if another process holds it, or the folder cannot be written.
        """
        lock = files.lock(self.folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise FileRefused(f"another process is writing to the run {self.folder}; wait for it or stop it") from error
        except OSError as error:
            path, reason = self.folder / LOCK, error.strerror or error
            raise FileRefused(f"cannot write to {path}: {reason}; remove it, or make the folder writable") from error
        began, before = _now(), self._names()
        try:
            for path in (self.folder / ROWS).glob("*.part"):  # of a process that was killed
                with suppress(OSError):
                    path.unlink()
            yield
        finally:
            made = len(self._names() - before)
            line = {"began": began, "ended": _now(), "blocks": made} | session | machine() | zoo.versions()
            note = json.dumps(line) + "\n"
            with suppress(OSError), open(self.folder / SESSIONS, "ab", opener=places.owner_only) as file:
                file.write(note.encode())  # a full disk refuses this too
            lock.release()

    def _names(self) -> set[str]:
        with suppress(OSError):
            return set(os.listdir(self.folder / ROWS))
        return set()

    def is_written(self) -> bool:
        """Whether a process holds the lock."""
        try:
            with files.lock(self.folder / LOCK).acquire(timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # nobody can write there
            return False


class _Joined(io.RawIOBase):
    """CSV texts, one after the other under one header, as a file to read: never all in memory."""

    def __init__(self, texts: Iterator[bytes]) -> None:
        self._texts = texts
        self._rest = memoryview(shards.HEADER.encode())

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer; 0 at the end."""
        while not self._rest:
            text = next(self._texts, None)
            if text is None:
                return 0
            self._rest = memoryview(text)[len(shards.HEADER) :]
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def home() -> Path:
    """Where runs are kept: in the user's folder (keys.home)."""
    return places.home().absolute() / "runs"


def create(
    what: Sequence[Experiment],
    *,
    command: str,
    folder: str | Path | None = None,
    model_folder: str | Path | None = None,
    uploaded: Samples | None = None,
) -> Run:
    """Begin a run: check everything that can be checked, and write its manifest.

    Args:
        what: the experiments.
        command: how a person would run it; for the manifest.
        folder: a new or empty folder; one in the user's folder by default.
        model_folder: where the models are; the shipped ones by default.
        uploaded: what experiments on the split "uploaded" are about.

    Raises:
        ValueError: naming what is wrong with an experiment; then nothing is written.
        FileRefused: if the folder is taken or cannot be written, or a model is missing.
    """
    cards = experiments.cards(what, model_folder)
    experiments.check_models(what, cards)
    for each in what:
        dataset = cards[each.crafted_on].dataset
        experiments.check_samples(each, dataset, len(uploaded.names) if uploaded else None)
    names = sorted({name for experiment in what for name in experiment.models})
    id_ = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(8)}"
    path = Path(folder) if folder else home() / id_
    try:
        places.make_folder(path)
        taken = any(path.iterdir())
    except OSError as error:
        raise FileRefused(f"cannot write to {path}: {error.strerror}") from error
    if taken:
        raise FileRefused(f"{path} is not empty; resume the run that is in it, or name another folder")
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "id": id_,
        "begun": _now(),
        "command": command,
        "block": BLOCK,
        "experiments": experiments.to_json(what),
        "specification": specification(what),
        "models": {name: {"sha256": cards[name].sha256, "keys": list(cards[name].keys)} for name in names},
        "model_folder": str(Path(model_folder).absolute()) if model_folder else None,
        "uploaded": None,
        "versions": zoo.versions(),
        "machine": machine(),
    }
    try:
        (path / ROWS).mkdir(mode=0o700)
    except OSError as error:
        raise FileRefused(f"cannot write to {path}: {error.strerror}") from error
    if uploaded:
        data = files.pack(uploaded)
        manifest["uploaded"] = hashlib.sha256(data).hexdigest()
        files.write_atomically(path / SAMPLES, data)
    manifest["seal"] = seal(manifest)
    files.write_atomically(path / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    return open_run(path)


def open_run(folder: str | Path) -> Run:
    """A run that was begun.

    Raises:
        FileRefused: if there is none, or it is not as it was written.
    """
    path = Path(folder)
    manifest = read_manifest(path)
    if not (path / ROWS).is_dir():
        raise FileRefused(
            f"{path} has a manifest, but no folder {ROWS}: there is no run to go on with; restore it, or begin anew"
        )
    try:
        if manifest["format"] not in (FORMAT, BEFORE) or manifest["block"] != BLOCK:
            raise ValueError(
                f"its format is {manifest['format']} with blocks of {manifest['block']}, not {FORMAT}, {BLOCK}"
            )
        if not ID.fullmatch(str(manifest["id"])):
            raise ValueError(f"{str(manifest['id'])[:60]!r} is no id of a run")
        what = experiments.from_json(manifest["experiments"])
        if manifest["specification"] != specification(what):
            raise ValueError("its experiments have changed since the run was begun")
        sealed = "" if manifest["format"] == BEFORE else seal(manifest)
        if sealed and manifest["seal"] != sealed:
            raise ValueError("what it says has changed since the run was begun")
        models = {str(name): str(entry["sha256"]) for name, entry in manifest["models"].items()}
        if {name for each in what for name in each.models} != set(models):
            raise ValueError("its models are not those of its experiments")
        model_folder = Path(manifest["model_folder"]) if manifest["model_folder"] else None
        uploaded = None
        if manifest["uploaded"]:
            data = (path / SAMPLES).read_bytes()
            if hashlib.sha256(data).hexdigest() != manifest["uploaded"]:
                raise ValueError(f"{SAMPLES} has changed since the run was begun")
            uploaded = files.unpack(data)
        there = len(uploaded.names) if uploaded else 0
        if any(each.split == UPLOADED and each.stop > there for each in what):
            raise ValueError(f"its experiments are on more than the {there} samples of {SAMPLES}")
        return Run(path, str(manifest["id"]), str(manifest["command"]), what, models, model_folder, uploaded, sealed)
    except OSError as error:
        raise FileRefused(f"cannot read {path / SAMPLES}: {error.strerror}; restore it, or begin anew") from error
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise FileRefused(
            f"{path / MANIFEST} is malformed or of another version: {reason}; restore it, or begin anew"
        ) from error


def seal(manifest: Mapping[str, Any]) -> str:
    """The SHA-256 of all that a manifest says but where the models are: they may be moved, and have their own."""
    said = {name: value for name, value in manifest.items() if name not in ("seal", "model_folder")}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _dataset(model: str, folder: Path | None) -> str:
    """The set of a model, which its id begins with."""
    defended = model.rpartition(attackers.AGAINST)[-1].removeprefix(zoo.OWN)
    known = [name for name in DATASETS if defended.startswith(f"{name}-")]
    return max(known, key=len) if known else attackers.card(model, folder).dataset


def specification(what: Sequence[Experiment]) -> str:
    """The SHA-256 of what a run is about: blocks are numbered by it, so it must not change."""
    return hashlib.sha256(json.dumps([BLOCK, experiments.to_json(what)], sort_keys=True).encode()).hexdigest()


def find(id_: str) -> Run:
    """The run in the user's folder with this id, which may come from anywhere.

    Raises:
        FileRefused: if there is none.
    """
    if not ID.fullmatch(id_) or not (home() / id_).is_dir():
        raise FileRefused("there is no such run")
    return replace(open_run(home() / id_), id=id_)  # a copy of a run under another name is another run


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run as it stands.

    Raises:
        FileRefused: if there is none.
    """
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise FileRefused(f"there is no run in {folder}: {MANIFEST} is missing; name the folder of a run") from error
    except OSError as error:
        raise FileRefused(f"cannot read {path}: {error.strerror}; restore it, or begin anew") from error
    except (ValueError, RecursionError) as error:
        raise FileRefused(f"{path} is malformed: {error}; restore it, or begin anew") from error
    if not isinstance(manifest, dict):
        raise FileRefused(f"{path} is malformed: it is no object; restore it, or begin anew")
    return manifest


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
