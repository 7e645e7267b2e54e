"""Challenges, as the page, the interface over HTTP and the command line call them.

Each has a file in the folder `challenges` of the user's data folder. Its key stays where it was, in the user's folder
of keys, and in the memory of who serves it; its opening lies with the other openings (keys.kept_at).
"""

import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

from kerckhoffs import keys, places, zoo
from kerckhoffs.challenge.judge import Judge, Judged, originals
from kerckhoffs.challenge.refusals import Refused
from kerckhoffs.challenge.rules import Rules
from kerckhoffs.challenge.store import Best, Standing, Store, Team
from kerckhoffs.checks import FileRefused

WORKERS = 2
FEW, A_TENTH = 4, 10  # teams of an address: so many at least, and this part of all places
P = ParamSpec("P")
R = TypeVar("R")

pool = ThreadPoolExecutor(WORKERS, "challenge", initializer=torch.set_num_threads, initargs=(1,))
"""Where judging is done, outside of the event loop and of the pages' scripts."""


@dataclass(frozen=True)
class Answer:
    """To a query: the classes (N,) or the probabilities (N, K), and how many queries are left."""

    values: Tensor
    left: int


@dataclass(frozen=True)
class Outcome:
    """Of a submission: what became of each image, how many the team has fooled in all, how many queries are left."""

    judged: tuple[Judged, ...]
    fooled: int
    left: int


class Challenge:
    """One challenge. Its classifier is loaded when it is first asked.

    Args:
        id: eight hexadecimal digits.
        clock: seconds since 1970.
    """

    def __init__(self, id_: str, store: Store, clock: Callable[[], float] = time.time) -> None:
        self.id, self._store, self._clock = id_, store, clock
        self._loading = threading.Lock()
        self._judge: Judge | None = None
        self._joined: Counter[str] = Counter()  # teams, by whence they came; in memory alone

    @property
    def rules(self) -> Rules:
        """Its rules."""
        return self._store.rules

    @property
    def commitment(self) -> str:
        """To its key and its weights: 64 hexadecimal digits."""
        return self._store.commitment

    @property
    def fingerprint(self) -> str:
        """Of its key."""
        return self._store.fingerprint

    @property
    def begun(self) -> float:
        """When it was opened."""
        return self._store.begun

    @property
    def invited(self) -> bool:
        """Whether joining needs an invitation."""
        return self._store.invited

    @property
    def state(self) -> str:
        """Where it stands: "open", "ended" or "revealed"."""
        return self._store.state(self._clock())

    def load(self) -> Judge:
        """Its judge; the classifier is read once.

        Raises:
            FileRefused: if the classifier or its key cannot be read, or are not those that were committed to.
        """
        with self._loading:
            if self._judge is None:
                if not self._is_bound_to(zoo.models().get(self.rules.model)):
                    raise FileRefused(
                        f"{self.rules.model} is not the classifier that the challenge {self.id} was opened on, of key "
                        f"{self.fingerprint} and the weights of SHA-256 {self._store.weights}: restore it"
                    )
                self._judge = Judge.load(self.rules)
            return self._judge

    def _is_bound_to(self, card: zoo.ModelCard | None) -> bool:
        """Whether a classifier is the one that was committed to."""
        known = self._store.weights
        return card is not None and card.keys == (self.fingerprint,) and known in (None, card.sha256)

    def _ready(self) -> Judge:
        """Its judge for strangers, to whom a sentence with files of who runs this is not to be told."""
        try:
            return self.load()
        except FileRefused as error:
            logging.getLogger(__name__).warning("the challenge %s cannot be used: %s", self.id, error)
            raise Refused("this challenge cannot be used now; who runs it finds the reason in the log", 503) from None

    def images(self) -> tuple[Tensor, Tensor]:
        """The originals, float32 (N, C, H, W), and their labels, int64 (N,)."""
        return originals(self.rules)

    def join(self, name: str, invitation: str = "", address: str = "") -> str:
        """A new team's token; see Store.join.

        Args:
            address: whence, as whence.counted has it. Where no invitation is needed, one has A_TENTH of the places, so
                that nobody takes them all; this machine has as many as there are.

        Raises:
            Refused: with 403 beyond that, and as Store.join does.
        """
        most = max(FEW, self.rules.teams // A_TENTH)
        if self._joined[address] >= most:
            raise Refused(f"{most} teams have joined from this address, and no more may", 403)
        token = self._store.join(name, invitation, self._clock())
        self._joined[address] += bool(address) and not self.invited
        return token

    def team(self, token: str) -> Team:
        """Whose token it is; see Store.team."""
        return self._store.team(token)

    def best(self, team: Team) -> list[Best]:
        """The team's own nearest examples."""
        return self._store.best(team.id)

    def leaderboard(self) -> list[Standing]:
        """All teams, the first one first."""
        return self._store.leaderboard()

    def query(self, team: Team, images: Tensor) -> Answer:
        """What the keyed classifier says of images, for one query each.

        Args:
            images: float32 (N, C, H, W) in [0, 1].

        Raises:
            Refused: as Store.spend does, and with 503 if the classifier cannot be loaded; then nothing is spent.
        """
        judge = self._ready()
        _, left = self._store.spend(team.id, len(images), self._clock())
        told = judge.probabilities(images)
        return Answer(told.argmax(1) if self.rules.answers == "labels" else told, left)

    def submit(self, team: Team, images: Tensor, positions: Sequence[int] | None = None) -> Outcome:
        """Have adversarial images judged, for one query each, those beyond the budget too.

        Args:
            images: float32 (N, C, H, W) in [0, 1].
            positions: of their originals, each once; left out, all of them in order.

        Raises:
            Refused: with 422 on positions that are none, and as `query` does.
        """
        there = len(self.rules.samples)
        chosen = list(range(there) if positions is None else positions)
        if len(chosen) != len(images):
            raise Refused(f"there are {len(images)} images for {len(chosen)} positions; name theirs with positions")
        if len(set(chosen)) < len(chosen) or not all(0 <= each < there for each in chosen):
            raise Refused(f"positions must be whole numbers from 0 to {there - 1}, each once")
        judge = self._ready()
        spent, left = self._store.spend(team.id, len(images), self._clock())
        judged = judge.judge(images, chosen)
        kept = [image.numpy().astype("<f4").tobytes() for image in images]
        fooled = self._store.record(team.id, judged, kept, spent, self._clock())
        return Outcome(tuple(judged), fooled, left)

    def reveal_file(self) -> Path:
        """Where the reveal is, or will be."""
        return folder() / f"{self.id}.reveal.json"

    def revealed(self) -> bytes:
        """The reveal, for everybody.

        Raises:
            Refused: with 403 before it was revealed.
        """
        if self.state != "revealed" or not self.reveal_file().is_file():
            raise Refused("the key of this challenge has not been revealed", 403)
        return self.reveal_file().read_bytes()

    def weights(self) -> bytes:
        """The classifier's weights, to compare with the reveal, once the key is revealed.

        Raises:
            Refused: with 403 before, 404 if they are not there any more.
        """
        self.revealed()
        card = zoo.models().get(self.rules.model)
        path = zoo.own_folder() / card.file if card is not None and self._is_bound_to(card) else None
        if path is None or not path.is_file():
            raise Refused("the weights of this challenge are not there any more", 404)
        return path.read_bytes()

    def reveal(self, *, early: bool = False) -> keys.Reveal:
        """Write the reveal, with which nobody may ask any more and the key is public.

        Args:
            early: before the end too.

        Raises:
            ValueError: before the end, without `early`.
            FileRefused: if key or opening cannot be read, or the file cannot be written; then it goes on.
        """
        if self.state == "open" and not early:
            raise ValueError(f"{self.id} goes on until {self.rules.end:%Y-%m-%d %H:%M %Z}; --early reveals its key now")
        path = self.reveal_file()
        if path.exists():
            shown = keys.Reveal.load(path)
        else:
            opening = keys.Opening.load(keys.kept_at(self.commitment))
            shown = keys.reveal(keys.find(keys.in_users_folder(self.fingerprint)), opening)
        self._store.mark_revealed(self._clock())
        if not path.exists():
            shown.save(path)
        return shown


def folder() -> Path:
    """Where the challenges of this user are."""
    return places.home() / "challenges"


def listed() -> list[Challenge]:
    """All of them, the newest first; a file that is none is left out."""
    found = []
    for path in folder().glob("*.sqlite") if folder().is_dir() else ():
        try:
            found.append(find(path.stem))
        except (Refused, FileRefused):
            continue
    return sorted(found, key=lambda each: each.begun, reverse=True)


def withheld() -> frozenset[str]:
    """The fingerprints of the keys that challenges hide: answers that nobody counts would spoil them."""
    try:
        return _withheld(folder(), folder().stat().st_mtime_ns)
    except OSError:
        return frozenset()


@lru_cache(maxsize=4)
def _withheld(where: Path, changed: int) -> frozenset[str]:
    return frozenset(each.fingerprint for each in listed() if each.state != "revealed")  # a reveal is a new file here


def check_unhidden(id_: str, models: Path) -> None:
    """Refuse to train a classifier in the place of one whose key a challenge hides.

    Args:
        models: the folder of both.

    Raises:
        ValueError: naming it.
        FileRefused: if the folder's manifest is malformed.
    """
    there = zoo.models(models).get(id_) if (models / zoo.MANIFEST).exists() else None
    if there is not None and not withheld().isdisjoint(there.keys):
        raise ValueError(f"a challenge hides the key of {id_} in {models}: give the new one another name (--name)")


def find(id_: str) -> Challenge:
    """A challenge by its id.

    Raises:
        Refused: with 404 if there is none.
        FileRefused: if its file is none.
    """
    if not re.fullmatch("[0-9a-f]{8}", id_) or not file_of(id_).is_file():
        raise Refused("there is no such challenge here", 404)
    with _finding:
        return _found(id_, file_of(id_))


_finding = threading.Lock()  # one object for a file, and so one classifier in memory


@lru_cache(maxsize=64)
def _found(id_: str, path: Path) -> Challenge:
    return Challenge(id_, Store(path))


def file_of(id_: str) -> Path:
    """Where a challenge of this id is kept."""
    return folder() / f"{id_}.sqlite"


def work(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """Have something done in the pool, and wait for it."""
    return pool.submit(function, *arguments, **named).result()
