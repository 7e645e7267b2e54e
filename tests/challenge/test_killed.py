"""A server that is killed in the middle and started again."""

import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager

import torch

from tests import ROOT
from tests.challenges import Client, adversarial
from tests.leaks import traces

ASKED = 40


@contextmanager
def process(log):
    """`kerckhoffs challenge serve` on a free port: the process and its clients' port."""
    command = [sys.executable, "-m", "kerckhoffs", "challenge", "serve", "--port", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as started:
        try:
            said = started.stdout.readline()
            yield started, int(re.search(r":(\d+)/", said)[1])
        finally:
            started.kill()


def test_state_and_tokens_outlive_a_server_that_is_killed_while_it_works(challenge, key, tmp_path):
    images, told = adversarial(challenge), []
    with (tmp_path / "log").open("wb") as log, process(log) as (server, port):
        client = Client(port, challenge.id)
        token = client.join("survivors")
        first = client.send("submissions", images, token).json
        busy = threading.Event()

        def ask():
            try:
                while True:
                    told.append(client.send("queries", torch.zeros(1, 1, 28, 28), token).json["left"])
                    if len(told) > ASKED:
                        busy.set()
            except (OSError, ValueError, KeyError):
                busy.set()

        asking = [threading.Thread(target=ask) for _ in range(3)]
        for each in asking:
            each.start()
        assert busy.wait(60)
        server.kill()
        for each in asking:
            each.join()
    with (tmp_path / "log").open("ab") as log, process(log) as (_, port):
        client = Client(port, challenge.id)
        own = client.ask("/team", token=token).json
        assert own["name"] == "survivors"
        assert len(own["fooled"]) == first["fooled"]
        assert min(told) - 3 <= own["left"] <= min(told), (
            "what was answered was spent; at most what was at work as well"
        )
        assert client.send("queries", images, token).json["left"] == own["left"] - len(images)
        [line] = client.ask("/leaderboard").json["teams"]
        assert (line["fooled"], line["queries"]) == (first["fooled"], len(images))
    assert traces((tmp_path / "log").read_bytes(), key) == []
