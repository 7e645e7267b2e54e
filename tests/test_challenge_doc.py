"""docs/challenge.md: its programs run as printed, count as the server does, and its calls are those that there are."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest

from benchmarks.hostile_requests import KINDS
from kerckhoffs.challenge import http
from kerckhoffs.challenge.judge import TOLERANCE
from kerckhoffs.challenge.wire import ADDRESS
from tests import ROOT, challenges

DOC = (ROOT / "docs" / "challenge.md").read_text()
PRINTED = "http://127.0.0.1:8502/api/challenge/1a2b3c4d"
CLIENT, *EXAMPLES, VERIFY = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
[CURL] = re.findall(r"```bash\n(.*?)```", DOC, re.DOTALL)
NEEDS = {"numpy": "numpy", "foolbox": "foolbox", "art": "art"}


@pytest.fixture
def served(kerckhoffs_home):
    challenges.own_model()
    challenge = challenges.opened(queries=5000, at_once=64)
    with challenges.served(challenge.id) as client:
        yield challenge, client


def run(folder, program, client, **changed):
    """What a program of the document says, at this server."""
    for name, text in {"client.py": CLIENT, "program.py": program}.items():
        for old, new in {PRINTED: client.address, **changed}.items():
            text = text.replace(old, new)
        (folder / name).write_text(text)
    command = [sys.executable, "program.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_is_a_program_for_each():
    assert [re.search(r'Team\("(\w+)"\)', each)[1] for each in EXAMPLES] == list(NEEDS)


@pytest.mark.parametrize("name", NEEDS)
def test_a_program_fools_the_classifier_and_counts_as_the_server_does(name, served, tmp_path):
    if find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed (benchmarks/requirements.txt)")
    challenge, client = served
    said = run(tmp_path, EXAMPLES[list(NEEDS).index(name)], client)
    [standing] = challenge.leaderboard()
    assert standing.name == name
    assert said == f"{standing.spent} queries\n"
    assert standing.fooled > 0


def test_the_lines_of_curl_join_and_ask(served, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    challenge, client = served
    lines = CURL.replace(PRINTED, client.address)
    done = subprocess.run(["bash", "-ec", lines], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    labels = challenge.images()[1].tolist()
    assert f'"labels":{str(labels).replace(" ", "")},"left":{5000 - len(labels)}' in done.stdout
    assert challenge.leaderboard()[0].spent == len(labels)


def test_the_program_that_verifies_believes_the_right_commitment_alone(served, tmp_path):
    challenge, client = served
    challenge.reveal(early=True)
    for commitment, found in ((challenge.commitment, "True"), ("0" * 64, "False")):
        said = run(tmp_path, VERIFY, client, **{"what you noted when it began": commitment})
        assert f"the key is the one committed to: {found}\n" in said
        assert "the weights are those committed to: True" in said


def test_nor_a_reveal_whose_nonce_hides_another_key(served, tmp_path):
    challenge, client = served
    challenge.reveal(early=True)
    _, _, forged = challenges.two_openings()
    challenge.reveal_file().write_bytes(forged)
    with pytest.raises(AssertionError, match="a longer one could hide another key"):
        run(tmp_path, VERIFY, client)


def test_its_table_has_every_call():
    said = re.findall(r"`(GET|POST) ([^ `?]+)", DOC.replace(", `.../ID/weights`", ", `GET .../ID/weights`"))
    paths = {(method, path.replace("...", "/api/challenge").replace("ID", "{id}")) for method, path in said}
    there = {(call.method, ADDRESS + call.path) for call in http.CALLS}
    assert paths == there - {("GET", f"{ADDRESS}/openapi.json")}


def test_its_figures_are_the_programs():
    assert {1e-6: "one millionth"}[TOLERANCE] in " ".join(DOC.split())
    assert {18: "eighteen kinds"}[len(KINDS)] in " ".join(DOC.split())
