"""What a challenge remembers, in a file of SQLite: its rules, the teams, what they spent, whom they fooled.

Every spend is one transaction, which begins by taking the file's lock: of two requests for the last query one gets it,
be they of one process or of two. What was answered is on the disk; a process that is killed loses nothing of it, and a
request that it was at work on has cost its queries. Of a token, and of an invitation, only a hash is kept. No key is in
here, nor what opens the commitment.
"""

import hashlib
import json
import os
import secrets
import sqlite3
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kerckhoffs import places
from kerckhoffs.challenge.judge import Judged
from kerckhoffs.challenge.refusals import Refused
from kerckhoffs.challenge.rules import Rules
from kerckhoffs.checks import FileRefused

NAME = 40  # characters of a team's name
JOINS = 60  # teams that may join in a minute
WAIT = 30.0  # seconds for another process that writes

TABLES = """
CREATE TABLE challenge (rules TEXT NOT NULL, commitment TEXT NOT NULL, fingerprint TEXT NOT NULL, begun REAL NOT NULL,
  invitation BLOB, revealed REAL, weights TEXT NOT NULL);
CREATE TABLE team (id INTEGER PRIMARY KEY, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE, token BLOB NOT NULL UNIQUE,
  joined REAL NOT NULL, allowed INTEGER NOT NULL, spent INTEGER NOT NULL DEFAULT 0, credit REAL NOT NULL,
  credited REAL NOT NULL, CHECK (spent BETWEEN 0 AND allowed));
CREATE TABLE submission (id INTEGER PRIMARY KEY, team INTEGER NOT NULL REFERENCES team, at REAL NOT NULL,
  spent INTEGER NOT NULL, images INTEGER NOT NULL, counted INTEGER NOT NULL);
CREATE TABLE fooled (team INTEGER NOT NULL REFERENCES team, position INTEGER NOT NULL, at REAL NOT NULL,
  spent INTEGER NOT NULL, distance REAL NOT NULL, read_as INTEGER NOT NULL, image BLOB NOT NULL,
  PRIMARY KEY (team, position));
"""
"""`fooled` has a row an image that a team fooled: when first, after how many queries, and the nearest example."""


@dataclass(frozen=True)
class Team:
    """A team, as it sees itself."""

    id: int
    name: str
    spent: int
    left: int


@dataclass(frozen=True)
class Best:
    """The nearest example of a team for one position: float32 bytes of (C, H, W)."""

    position: int
    distance: float
    read_as: int
    image: bytes


@dataclass(frozen=True)
class Standing:
    """A line of the leaderboard.

    Args:
        fooled: images; queries: spent when the last of them was fooled for the first time; at: when that was, or when
            the team joined; spent: queries until now.
    """

    name: str
    fooled: int
    queries: int
    spent: int
    at: float


class Store:
    """An open file. Safe from several threads, and beside other processes.

    Args:
        path: of a file that `create` made.

    Raises:
        FileRefused: if it is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        if not path.is_file():
            raise FileRefused(f"there is no challenge {path}")
        try:
            self._open = _connect(path)
            found = self._open.execute("SELECT * FROM challenge")
            row = dict(zip((name for name, *_ in found.description), found.fetchone(), strict=True))
            self.rules = Rules.of_record(json.loads(row["rules"]))
            self.commitment: str = row["commitment"]
            self.fingerprint: str = row["fingerprint"]
            self.weights: str | None = row.get("weights")  # which files did not hold at first
            self.begun: float = row["begun"]
            self._invitation: bytes | None = row["invitation"]
        except (sqlite3.Error, ValueError, TypeError, KeyError) as error:
            raise FileRefused(f"{path} is no challenge: {error}") from error

    @classmethod
    def create(
        cls,
        path: Path,
        rules: Rules,
        commitment: str,
        fingerprint: str,
        weights: str,
        *,
        now: float,
        invitation: str | None = None,
    ) -> "Store":
        """Make a new file, for its owner alone (mode 0600), and open it.

        Args:
            fingerprint: of the key.
            weights: their SHA-256.
            invitation: a word that everybody needs to join; None if nobody does.

        Raises:
            FileRefused: if it exists or cannot be written.
        """
        try:
            places.make_folder(path.parent)
            os.close(places.owner_only(str(path), os.O_CREAT | os.O_EXCL | os.O_RDWR))
        except OSError as error:
            raise FileRefused(f"cannot write the challenge {path}: {error.strerror}") from error
        connection = _connect(path)
        connection.executescript(f"PRAGMA journal_mode = WAL; BEGIN; {TABLES} COMMIT;")
        kept = hashed(invitation) if invitation else None
        row = (rules.dumps(), commitment, fingerprint, now, kept, weights)
        connection.execute("INSERT INTO challenge VALUES (?, ?, ?, ?, ?, NULL, ?)", row)
        connection.close()
        return cls(path)

    @property
    def invited(self) -> bool:
        """Whether joining needs an invitation."""
        return self._invitation is not None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone in this file from its first line on."""
        with self._lock:
            self._open.execute("BEGIN IMMEDIATE")
            try:
                yield self._open
                self._open.execute("COMMIT")
            except BaseException:
                self._open.execute("ROLLBACK")
                raise

    def _read(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with self._lock:
            return self._open.execute(query, values).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._open.close()

    def state(self, now: float) -> str:
        """Where it stands: "open", "ended" or "revealed"."""
        [(revealed,)] = self._read("SELECT revealed FROM challenge")
        return "revealed" if revealed is not None else "open" if now < self.rules.end.timestamp() else "ended"

    def mark_revealed(self, now: float) -> None:
        """Nobody may ask any more."""
        with self._writing() as open_:
            open_.execute("UPDATE challenge SET revealed = coalesce(revealed, ?)", (now,))

    def join(self, name: str, invitation: str, now: float) -> str:
        """A new team; returns its token, which is kept nowhere.

        Raises:
            Refused: with 422 on a name that is none, 403 on a wrong invitation, without room or after the end, 409 on a
                name that is taken, 429 where too many join.
        """
        name = name.strip()
        if not name or len(name) > NAME or not name.isprintable():
            raise Refused(f"a name has 1 to {NAME} characters that can be printed")
        if self._invitation and not secrets.compare_digest(hashed(invitation), self._invitation):
            raise Refused("this challenge is for who has the invitation, and this is not it", 403)
        token, folded = secrets.token_urlsafe(32), unicodedata.normalize("NFKC", name).casefold()
        with self._writing() as open_:
            self._need_open(open_, now)
            [(teams, newest)] = open_.execute("SELECT count(*), total(joined > ?) FROM team", (now - 60,)).fetchall()
            if teams >= self.rules.teams:
                raise Refused(f"all {self.rules.teams} places are taken", 403)
            if newest >= JOINS:
                raise Refused("too many teams join at this moment; try again in a minute", 429, 60.0)
            row = (name, folded, hashed(token), now, self.rules.queries, self.rules.rate, now)
            try:
                open_.execute(
                    "INSERT INTO team (name, folded, token, joined, allowed, credit, credited) VALUES (?,?,?,?,?,?,?)",
                    row,
                )
            except sqlite3.IntegrityError:
                raise Refused("there is a team of this name already; take another one", 409) from None
        return token

    def team(self, token: str) -> Team:
        """Whose token it is.

        Raises:
            Refused: with 401 if nobody's.
        """
        found = self._read("SELECT id, name, spent, allowed - spent FROM team WHERE token = ?", hashed(token))
        if not found:
            raise Refused("this token is no team's here; join to have one", 401)
        return Team(*found[0])  # type: ignore[arg-type]  # as the table has them

    def spend(self, team: int, images: int, now: float) -> tuple[int, int]:
        """Take so many queries of a team, all or none; returns how many it has spent, and has left.

        Raises:
            Refused: with 403 if it has not so many, or after the end; with 429 if it asks too fast.
        """
        rate = self.rules.rate
        with self._writing() as open_:
            self._need_open(open_, now)
            row = open_.execute("SELECT spent, allowed, credit, credited FROM team WHERE id = ?", (team,)).fetchone()
            spent, allowed, credit, credited = row
            if spent + images > allowed:
                raise Refused(f"this needs {images} queries, but {allowed - spent} of {allowed} are left", 403)
            credit = min(rate, credit + max(0.0, now - credited) * rate / 60)
            if credit < images:
                wait = (images - credit) * 60 / rate
                raise Refused(f"at most {rate} images a minute; try again in {wait:.1f} s", 429, wait)
            new = (spent + images, credit - images, now, team)
            open_.execute("UPDATE team SET spent = ?, credit = ?, credited = ? WHERE id = ?", new)
        return spent + images, allowed - spent - images

    def record(self, team: int, judged: Sequence[Judged], images: Sequence[bytes], spent: int, now: float) -> int:
        """Note a submission; returns how many images the team has fooled in all.

        Args:
            images: float32 bytes of each.
            spent: queries that the team had spent with it.
        """
        with self._writing() as open_:
            counted = sum(each.counts for each in judged)
            row = (team, now, spent, len(judged), counted)
            open_.execute("INSERT INTO submission (team, at, spent, images, counted) VALUES (?, ?, ?, ?, ?)", row)
            for each, image in zip(judged, images, strict=True):
                if each.counts:
                    open_.execute(
                        "INSERT INTO fooled VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET distance = "
                        "excluded.distance, read_as = excluded.read_as, image = excluded.image "
                        "WHERE excluded.distance < distance",
                        (team, each.position, now, spent, each.distance, each.read_as, image),
                    )
            [(fooled,)] = open_.execute("SELECT count(*) FROM fooled WHERE team = ?", (team,)).fetchall()
        return int(fooled)

    def best(self, team: int) -> list[Best]:
        """A team's own examples, by position."""
        found = self._read(
            "SELECT position, distance, read_as, image FROM fooled WHERE team = ? ORDER BY position", team
        )
        return [Best(*row) for row in found]  # type: ignore[arg-type]

    def leaderboard(self) -> list[Standing]:
        """All teams: images fooled, then fewer queries, then earlier."""
        found = self._read(
            "SELECT name, count(position) AS n, coalesce(max(fooled.spent), 0) AS used, team.spent, "
            "coalesce(max(at), joined) AS last FROM team LEFT JOIN fooled ON team = team.id GROUP BY team.id "
            "ORDER BY n DESC, used, last, team.id"
        )
        return [Standing(*row) for row in found]  # type: ignore[arg-type]

    def _need_open(self, open_: sqlite3.Connection, now: float) -> None:
        [(revealed,)] = open_.execute("SELECT revealed FROM challenge").fetchall()
        if revealed is not None or now >= self.rules.end.timestamp():
            raise Refused("this challenge has ended", 403)


def hashed(secret: str) -> bytes:
    """What is kept of a token: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def _connect(path: Path) -> sqlite3.Connection:
    """Without Python's own transactions, and on the disk before it is said to be."""
    connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection
