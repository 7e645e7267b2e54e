"""Nothing of the defender's key reaches an attacker below the rung that has it: not its process's memory, not what it
is told, not what it keeps."""

import multiprocessing
import re
import sys
from dataclasses import replace
from multiprocessing.connection import Connection

import numpy as np
import pytest

from kerckhoffs import places, zoo
from kerckhoffs.attackers import ATTACKERS, kept, making
from kerckhoffs.attackers.classifiers import Classifier
from kerckhoffs.attackers.substitute import Substitute
from tests.attackers.parts import TARGET, Shrunk, Thief
from tests.leaks import traces

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads another process's memory")

RUN = 6  # of the key's entries in a row
MAKERS = [each for each in ATTACKERS.values() if each.against(TARGET.entry) and each.parts(TARGET, each.chosen({}))]


def small(part):
    """The part on few images with few steps."""
    if isinstance(part, Classifier):
        part = replace(part, recipe=replace(part.recipe, epochs=1, batch_size=64))
    if isinstance(part, Substitute) and part.start:
        part = replace(part, start=replace(part.start, recipe=replace(part.start.recipe, epochs=1, batch_size=64)))
    return Shrunk(part)


def patterns(key):
    """Runs of the key's values, of its order and of the order's inverse, as they would lie in memory."""
    order = key.permutation()
    for entries, kinds in ((key.values, ("f8", "f4")), (order, ("i8", "i4", "i2")), (np.argsort(order), ("i8", "i4"))):
        for kind in kinds:
            for start in (0, len(key) // 2, len(key) - RUN):
                yield entries[start : start + RUN].astype(f"<{kind}").tobytes()


def held(pid, wanted):
    """How many of the patterns are in the writable memory of a process."""
    found = set()
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            start, end, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if rights.startswith("rw"):
                try:
                    memory.seek(int(start, 16))
                    content = memory.read(int(end, 16) - int(start, 16))
                except OSError:
                    continue
                found |= {pattern for pattern in wanted if pattern in content}
    return len(found)


@pytest.fixture
def watched(monkeypatch):
    """What is found in the attackers' processes after every message, and all that they were told."""
    key = zoo.find_keys(zoo.card(TARGET.id))[0]
    wanted, found, told = set(patterns(key)), [], []
    receive, send = Connection.recv, Connection.send

    def recv(self):
        message = receive(self)
        if message[0] != "tell" or not found:  # at the end, and whenever it asks
            found.extend(held(each.pid, wanted) for each in multiprocessing.active_children())
        return message

    def sent(self, message):
        told.append(np.asarray(message).tobytes() + repr(message).encode())
        send(self, message)

    monkeypatch.setattr(Connection, "recv", recv)
    monkeypatch.setattr(Connection, "send", sent)
    return key, found, told


@pytest.mark.parametrize("entry", MAKERS, ids=[each.id for each in MAKERS])
def test_no_process_message_or_file_of_an_attacker_holds_anything_of_the_defenders_key(entry, watched):
    key, found, told = watched
    options = {"number": 2} if entry.id == "own-keys" else {"queries": 40} if entry.id == "substitute" else {}
    options |= {"iterations": 10} if entry.id == "recovery" else {}
    assert "key" in entry.hidden
    parts = tuple(map(small, entry.parts(TARGET, entry.chosen(options))))
    assert making.make(parts[-1:], TARGET, None)
    assert found
    assert set(found) == {0}
    assert traces(b"\n".join(told), key) == []
    files = b"\n".join(path.read_bytes() for path in (places.home() / "attackers").rglob("*") if path.is_file())
    assert all(kept.there(part) for part in parts[-1:])
    assert traces(files, key) == []
    assert bool(told) == (entry.id == "substitute"), "nobody else may ask"


def test_what_looks_for_the_key_finds_a_thief(watched):
    key, found, _ = watched
    assert making.make((Thief(),), TARGET, None)
    assert max(found) >= 3
    content = (places.home() / "attackers" / f"{Thief().name}.state").read_bytes()
    assert traces(content, key)
