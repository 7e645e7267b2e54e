"""A room in a file: SQLite, for its owner alone, written at every step, so that a server that is killed loses nothing.

One thread at a time. What a scene shows is kept in two: what may be seen before the reveal, and what only after it.
"""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from kerckhoffs import places
from kerckhoffs.room import talk as talks
from kerckhoffs.room.state import Phase, State

MOST_PHONES = 2000  # whose votes count in one round
MOST_WAITING = 60  # drawings, and names, that wait for the speaker
MOST_KEPT = 500  # drawings, and names
LONGEST_DRAWING = 5000  # characters
MOST_TURNS = 1_000_000
TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE votes (scene INTEGER, round INTEGER, phone TEXT, turn INTEGER, choice INTEGER,
    PRIMARY KEY (scene, round, phone)) WITHOUT ROWID;
CREATE INDEX voters ON votes (phone);
CREATE TABLE names (phone TEXT PRIMARY KEY, name TEXT NOT NULL, approved INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE drawings (id INTEGER PRIMARY KEY AUTOINCREMENT, phone TEXT NOT NULL, strokes TEXT NOT NULL,
    waits INTEGER NOT NULL);
CREATE TABLE shown (scene INTEGER, round INTEGER, step REAL, before TEXT NOT NULL, after TEXT NOT NULL,
    options TEXT NOT NULL, truth INTEGER, PRIMARY KEY (scene, round, step));
"""


@dataclass(frozen=True)
class Shown:
    """What a scene shows.

    Args:
        before, after: of JSON's kinds: what may be seen until the reveal, and from then on.
        options: of its question; truth: the number of the right one, from 0, or None.
    """

    before: Any
    after: Any
    options: tuple[str, ...] = ()
    truth: int | None = None


@dataclass(frozen=True)
class Waiting:
    """A drawing that waits for the speaker's approval."""

    id: int
    phone: str
    strokes: str


class Room:
    """An open room. All changes go through here; `state` and `talk` can be read at any time, from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._file.execute("PRAGMA synchronous = NORMAL")  # a killed process loses nothing; a power cut the last votes
        about = dict(self._file.execute("SELECT name, value FROM about"))
        self.code, self.token, self.opened = about["code"], about["token"], float(about["opened"])
        self.talk = talks.read(about["talk"])
        self.state = _state(about["state"])

    @classmethod
    def create(cls, path: Path, talk: str, code: str, token: str) -> "Room":
        """A new one, with its scene 0 asked."""
        talks.read(talk)
        places.make_folder(path.parent)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        file = sqlite3.connect(path)
        file.execute("PRAGMA journal_mode = WAL")
        about = {"code": code, "token": token, "opened": str(time.time()), "talk": talk, "state": _written(State())}
        with file:
            for each in TABLES.split(";"):
                file.execute(each)
            file.executemany("INSERT INTO about VALUES (?, ?)", about.items())
        file.close()
        return cls(path)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._file.close()

    def delete(self) -> None:
        """Close the room for good."""
        self.close()
        remove(self.path)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """All of a change or nothing of it, and the next version with it."""
        with self._lock:
            old = self.state
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.state = State(**vars(self.state) | {"version": old.version + 1})
                self._file.execute("UPDATE about SET value = ? WHERE name = 'state'", (_written(self.state),))
                self._file.execute("COMMIT")
            except BaseException:
                self.state = old
                self._file.execute("ROLLBACK")
                raise

    def step(self, to: State) -> None:
        """Go to a state that was made of the present one; nothing if it is that."""
        with self._lock:
            if to != self.state:
                with self._changing():
                    self.state = to

    def go(self, scene: int) -> None:
        """To a scene."""
        with self._lock:
            self.step(self.state.go(scene, len(self.talk.scenes)))

    def to_phase(self, scene: int, phase: Phase) -> None:
        """Lock or reveal."""
        with self._lock:
            self.step(self.state.to_phase(scene, phase))

    def ask_again(self, scene: int, round_: int) -> None:
        """Begin another round."""
        with self._lock:
            self.step(self.state.ask_again(scene, round_))

    def switch(self, name: Literal["black", "calm"], on: bool) -> None:
        """Make the screen black, or compute nothing any more; or not."""
        with self._lock:
            self.step(replace(self.state, black=on) if name == "black" else replace(self.state, calm=on))

    def slide(self, scene: int, epsilon: float) -> None:
        """Remember where the slider stands; nothing if this is another scene by now."""
        with self._lock:
            if scene == self.state.scene:
                self.step(replace(self.state, epsilon=epsilon))

    # Votes

    @property
    def asks(self) -> bool:
        """Whether the present scene asks something now; one that shows a drawing does once there is one."""
        state, scene = self.state, self.talk.scenes[self.state.scene]
        there = not scene.draws or state.scene in state.taken
        return scene.question is not None and there and state.phase == "ask"

    def vote(self, scene: int, round_: int, phone: str, turn: int, choice: int) -> bool:
        """Count a phone's choice; of several the one with the highest turn, in whatever order they come.

        Returns:
            Whether the question was open, and there was room for one more phone.
        """
        with self._lock:
            if (scene, round_) != (self.state.scene, self.state.round) or not self.asks:
                return False
            options, known = len(self.options()), self._vote_of(scene, round_, phone)
            if not 0 <= choice < options or (known is None and self.count() >= MOST_PHONES):
                return False
            if known is None or turn > known[0]:
                with self._changing():
                    self._file.execute(
                        "INSERT OR REPLACE INTO votes VALUES (?, ?, ?, ?, ?)", (scene, round_, phone, turn, choice)
                    )
            return True

    def _vote_of(self, scene: int, round_: int, phone: str) -> tuple[int, int] | None:
        rows = self._file.execute(
            "SELECT turn, choice FROM votes WHERE scene = ? AND round = ? AND phone = ?", (scene, round_, phone)
        )
        found: tuple[int, int] | None = rows.fetchone()
        return found

    def count(self) -> int:
        """How many have voted in the present round."""
        with self._lock:
            return sum(self.tallies().values())

    def tallies(self) -> dict[int, int]:
        """The votes of the present round by choice: not for anybody but the speaker before the reveal."""
        with self._lock:
            rows = self._file.execute(
                "SELECT choice, count(*) FROM votes WHERE scene = ? AND round = ? GROUP BY choice",
                (self.state.scene, self.state.round),
            )
            return dict(rows.fetchall())

    def knows(self, phone: str) -> bool:
        """Whether a phone has voted in any round, or has a name or a drawing here."""
        said = " UNION ALL ".join(f"SELECT 1 FROM {table} WHERE phone = ?1" for table in ("votes", "names", "drawings"))
        with self._lock:
            return self._file.execute(f"{said} LIMIT 1", (phone,)).fetchone() is not None

    # What is shown

    def prepare(self, scene: int, shown: Shown, round_: int = 0, step: float = -1.0) -> None:
        """Keep what a scene shows, in a round and at a step of its slider; -1: where the slider stands at first."""
        texts = [json.dumps(each) for each in (shown.before, shown.after, shown.options)]
        with self._changing():
            self._file.execute(
                "INSERT OR REPLACE INTO shown VALUES (?, ?, ?, ?, ?, ?, ?)", (scene, round_, step, *texts, shown.truth)
            )

    def prepared(self) -> frozenset[int]:
        """The scenes of which all is kept that was prepared: what they show at first comes last."""
        with self._lock:
            rows = self._file.execute("SELECT scene FROM shown WHERE round = 0 AND step < 0")
            return frozenset(each for (each,) in rows)

    def shown(self, step: float | None = None) -> Shown | None:
        """What was kept last of the present scene, in this round or before it, at the step that is nearest to one.

        None if nothing is: to ask again changes nothing of what is shown, and to take a drawing does.
        """
        with self._lock:
            rows = self._file.execute(
                "SELECT before, after, options, truth FROM shown WHERE scene = ? AND round <= ? AND (step < 0) = ? "
                "ORDER BY round DESC, abs(step - ?) LIMIT 1",
                (self.state.scene, self.state.round, step is None, -1.0 if step is None else step),
            )
            if (found := rows.fetchone()) is None:
                return None
            before, after, options = (json.loads(each) for each in found[:3])
            return Shown(before, after, tuple(options), found[3])

    def options(self) -> tuple[str, ...]:
        """What can be chosen in the present scene."""
        question = self.talk.scenes[self.state.scene].question
        kept = self.shown()
        return kept.options if kept and kept.options else question.options if question else ()

    # Drawings and names

    def draw(self, phone: str, strokes: str) -> bool:
        """Let a drawing wait for the speaker, the newest of a phone; returns whether there was room."""
        with self._lock:
            if len(strokes) > LONGEST_DRAWING or not self.talk.scenes[self.state.scene].draws:
                return False
            with self._changing():
                self._file.execute("DELETE FROM drawings WHERE phone = ? AND waits", (phone,))
                waiting, kept = self._file.execute("SELECT total(waits), count(*) FROM drawings").fetchone()
                if room := waiting < MOST_WAITING and kept < MOST_KEPT:
                    self._file.execute(
                        "INSERT INTO drawings (phone, strokes, waits) VALUES (?, ?, 1)", (phone, strokes)
                    )
            return bool(room)

    def waiting(self) -> list[Waiting]:
        """Drawings that wait, the oldest first."""
        with self._lock:
            rows = self._file.execute("SELECT id, phone, strokes FROM drawings WHERE waits ORDER BY id")
            return [Waiting(*each) for each in rows]

    def drawing(self, id_: int) -> str | None:
        """The strokes of one; None if it is not there."""
        with self._lock:
            found = self._file.execute("SELECT strokes FROM drawings WHERE id = ?", (id_,)).fetchone()
            return found[0] if found else None

    def take(self, scene: int, id_: int, shown: Shown) -> bool:
        """Show a drawing that waits in this scene, with what was computed of it; returns whether it still was there."""
        with self._lock:
            to = self.state.take(scene, id_)
            if to == self.state or self.drawing(id_) is None:
                return False
            with self._changing():
                self._file.execute("UPDATE drawings SET waits = 0 WHERE id = ?", (id_,))
                self.state = to
                texts = [json.dumps(each) for each in (shown.before, shown.after, shown.options)]
                self._file.execute(
                    "INSERT OR REPLACE INTO shown VALUES (?, ?, -1, ?, ?, ?, ?)",
                    (scene, to.round, *texts, shown.truth),
                )
            return True

    def refuse(self, id_: int) -> None:
        """Forget a drawing that waits."""
        with self._changing():
            self._file.execute("DELETE FROM drawings WHERE id = ? AND waits", (id_,))

    def refuse_all(self) -> None:
        """Forget all drawings that wait."""
        with self._changing():
            self._file.execute("DELETE FROM drawings WHERE waits")

    def call(self, phone: str, name: str) -> bool:
        """Let a name wait for the speaker, in place of the one before; returns whether there was room."""
        with self._lock:
            known = self._file.execute("SELECT name FROM names WHERE phone = ?", (phone,)).fetchone()
            if known == (name,):
                return True
            waiting, kept = self._file.execute("SELECT total(1 - approved), count(*) FROM names").fetchone()
            if known is None and (waiting >= MOST_WAITING or kept >= MOST_KEPT):
                return False
            with self._changing():
                self._file.execute("INSERT OR REPLACE INTO names VALUES (?, ?, 0)", (phone, name))
            return True

    def names(self) -> list[tuple[str, str]]:
        """Phones and the names that wait."""
        with self._lock:
            return list(self._file.execute("SELECT phone, name FROM names WHERE NOT approved ORDER BY name"))

    def approve(self, phone: str, name: str, approved: bool) -> None:
        """Let all see a name, or forget it; nothing if it is another one by now."""
        change = "UPDATE names SET approved = 1" if approved else "DELETE FROM names"
        with self._changing():
            self._file.execute(f"{change} WHERE phone = ? AND name = ?", (phone, name))

    def drawn_by(self) -> str:
        """The approved name of who drew what the present scene shows; "" if there is none."""
        with self._lock:
            rows = self._file.execute(
                "SELECT name FROM names JOIN drawings USING (phone) WHERE drawings.id = ? AND approved",
                (self.state.taken.get(self.state.scene, -1),),
            )
            found = rows.fetchone()
            return found[0] if found else ""


def remove(path: Path) -> None:
    """Delete a room's files."""
    for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        each.unlink(missing_ok=True)


def _written(state: State) -> str:
    return json.dumps(asdict(state))


def _state(text: str) -> State:
    """Read it; JSON's keys are text."""
    found: dict[str, Any] = json.loads(text)
    for name in ("phases", "rounds", "taken"):
        found[name] = {int(scene): each for scene, each in found[name].items()}
    return State(**found)
