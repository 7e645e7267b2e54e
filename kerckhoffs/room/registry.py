"""The rooms that are open: a file each in the folder `rooms` of the user's data folder, until the room is closed."""

import sqlite3
import threading
import time
from pathlib import Path

from kerckhoffs import places
from kerckhoffs.room import codes
from kerckhoffs.room.store import Room

MOST = 4  # at a time
HOURS = 12  # after which an open room is forgotten
ENDING = ".room"


class Rooms:
    """Finds rooms by their codes, also those that an earlier process has left."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Path, Room] = {}  # also read without the lock

    def create(self, talk: str) -> Room:
        """Open a room for a talk.

        Raises:
            ValueError: if the talk cannot be read, or there are MOST rooms.
        """
        if len(self.all()) >= MOST:
            raise ValueError(f"{MOST} rooms are open; close one first")
        code = codes.code()
        room = Room.create(_path(code), talk, code, codes.token())
        with self._lock:
            self._open[room.path] = room
        return room

    def known(self, typed: str) -> Room | None:
        """The same of a room that this process has open already: at once."""
        found = self._open.get(_path(typed.upper()))
        return found if found and not _over(found) and found.path.exists() else None

    def find(self, typed: str) -> Room | None:
        """The open room of a code, as somebody typed it."""
        code = codes.read(typed)
        path = _path(code) if code else None
        if path is None:
            return None
        with self._lock:
            if not path.is_file():  # another process may have closed it
                if gone := self._open.pop(path, None):
                    gone.close()
                return None
            found = self._open.get(path)
            if found is None:
                try:
                    found = self._open[path] = Room(path)
                except (sqlite3.Error, KeyError, ValueError):  # another program's, or half written
                    return None
        if found is not None and _over(found):
            self.close(found)
            return None
        return found

    def all(self) -> list[Room]:
        """All that are open, the oldest first."""
        there = (self.find(path.stem) for path in _folder().glob(f"*{ENDING}"))
        return sorted((each for each in there if each is not None), key=lambda each: each.opened)

    def close(self, room: Room) -> None:
        """Close one for good: nothing of it stays."""
        with self._lock:
            self._open.pop(room.path, None)
        room.delete()

    def let_go(self) -> None:
        """Let go of all files, which stay."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


def _folder() -> Path:
    return places.home() / "rooms"


def _path(code: str) -> Path:
    return _folder() / f"{code}{ENDING}"


def _over(room: Room) -> bool:
    return time.time() - room.opened > 3600 * HOURS


_rooms = Rooms()


def rooms() -> Rooms:
    """Those of this process."""
    return _rooms
