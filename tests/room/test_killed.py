"""A process that is killed in the middle of votes loses none that it has answered."""

import subprocess
import sys

from kerckhoffs.room import Room
from tests import ROOT
from tests.rooms import TALK

VOTES = """
import sys
from pathlib import Path
from kerckhoffs.room import Room
room = Room(Path(sys.argv[1]))
for number in range(10**6):
    assert room.vote(1, 0, f"{number:032x}", 1, number % 3)
    print(number, flush=True)
"""


def test_no_vote_that_was_answered_is_lost(tmp_path):
    path = tmp_path / "room"
    room = Room.create(path, TALK, "ABCDEF", "token")
    room.go(1)
    room.close()
    command = [sys.executable, "-c", VOTES, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(200):
            process.stdout.readline()
        process.kill()
        answered = 200 + len(process.stdout.read().splitlines())
    found = Room(path)
    assert answered <= found.count() <= answered + 1
    assert found.state.version >= answered
    assert found.vote(1, 0, f"{10**7:032x}", 1, 0), "and it goes on"
