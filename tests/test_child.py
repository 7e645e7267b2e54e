"""A process of ours: what it is given stays between us, it ends with us, and its death is said."""

import os
import time
from pathlib import Path

import pytest

from kerckhoffs.child import Child, begin

LIMIT = 60.0


def echo(connection, *given):
    begin()
    connection.send(("given", given, Path(f"/proc/{os.getpid()}/cmdline").read_bytes(), dict(os.environ), os.getpid()))
    while True:
        connection.send(("echo", connection.recv()))


def die(connection):
    os._exit(3)


def test_it_is_given_what_no_list_of_processes_shows():
    with Child(echo, "a-secret-word", name="thing") as process:
        kind, given, command, environment, pid = process.hear(LIMIT)
        assert (kind, given) == ("given", ("a-secret-word",))
        assert b"a-secret-word" not in command
        assert "a-secret-word" not in str(environment)
        process.say("hello")
        assert process.hear(LIMIT) == ("echo", "hello")
        assert process.hear(0.0) is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def talk(process):
    started = time.monotonic()
    while time.monotonic() - started < LIMIT:
        process.hear(0.1)
        process.say("still there?")


def test_its_death_is_a_sentence():
    with Child(die, name="thing") as process, pytest.raises(RuntimeError, match="that makes the thing died"):
        talk(process)
