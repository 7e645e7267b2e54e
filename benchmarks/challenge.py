"""Ten thousand hostile requests to a challenge on this machine, and what becomes of them.

    python -m benchmarks.challenge --count 10000 --seed 0

Opens two challenges in a folder of its own, serves them by `kerckhoffs challenge serve`, and sends requests of many
kinds from eight threads: sizes, values, shapes, types, pickles, broken files and JSON, tokens that are nobody's or of
the other challenge, replays, names and paths with tricks, bodies that are cut short or never end. Then sixteen threads
race for the last queries of a team, many times over. Prints for each kind how often it got which status, and checks:

- every answer is 2xx or 4xx, the server lives, and no pickle was opened;
- what a team has spent is what was answered, and never beyond its budget;
- no answer holds another team's token, and no team's own page another's name;
- the key and what opens the commitment are in no answer, in no file of the challenge, in no log, in the server's
  arguments or environment.

The exit status is 1 if one of them does not hold.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.hostile_requests import KINDS, Field, images, send
from kerckhoffs import keys
from kerckhoffs.challenge import service
from kerckhoffs.challenge.service import Challenge
from kerckhoffs.challenge.wire import NPY
from tests import ROOT, challenges
from tests.leaks import traces

THREADS, RACERS, LAST = 8, 16, 5
BUDGET = 400  # queries of each of the teams that are used up


def one(field: Field, number: int, seed: int) -> None:
    """Send one and note what came."""
    make = KINDS[number % len(KINDS)]
    asked = make(field, np.random.default_rng((seed, number)))
    began = time.perf_counter()
    status, answer = send(field.port, asked)
    field.longest = max(field.longest, time.perf_counter() - began)
    field.statuses[make.__name__][status] += 1
    field.seen.append(answer)
    if asked.images and status in ("200", "cut"):
        (field.answered if status == "200" else field.unanswered)[asked.token] += asked.images


def race(field: Field, token: str, left: int) -> Counter[str]:
    """Sixteen threads at once for the last queries of a team."""
    asked = field.ask("/queries", "POST", images(np.random.default_rng(0)), token, NPY, 1)
    with ThreadPoolExecutor(RACERS) as threads:
        found = Counter(status for status, _ in threads.map(lambda _: send(field.port, asked), range(2 * RACERS)))
    assert left >= 0
    return found


@contextmanager
def server(log: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`kerckhoffs challenge serve` on a free port."""
    command = [sys.executable, "-m", "kerckhoffs", "challenge", "serve", "--port", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with (
        log.open("wb") as file,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=file, text=True) as process,
    ):
        try:
            assert process.stdout
            found = re.search(r":(\d+)/", process.stdout.readline())
            assert found, log.read_text()
            yield process, int(found[1])
        finally:
            process.kill()


def joined(of: Challenge, teams: int, prefix: str) -> dict[str, str]:
    """So many teams and their tokens."""
    return {f"{prefix} {number}": of.join(f"{prefix} {number}") for number in range(teams)}


@dataclass(frozen=True)
class Report:
    """What was found; `wrong` is empty where everything holds."""

    field: Field
    requests: int
    races: Counter[str]
    spent: dict[str, int]
    searched: int
    peak_mib: float
    wrong: list[str]


def run(count: int, seed: int, races: int, folder: Path) -> Report:
    """Open two challenges in an empty home, KERCKHOFFS_HOME, and send so many requests."""
    key, other_key = challenges.own_model(), challenges.own_model(challenges.OTHER)
    rules = {"queries": BUDGET, "rate": 1_000_000, "teams": 10_000}
    of, other = challenges.opened(**rules), challenges.opened(challenges.OTHER, **rules)
    teams, strangers = joined(of, 12, "team"), joined(other, 2, "stranger")
    racers = joined(of, races, "racer")
    openings = [keys.Opening.load(keys.kept_at(each.commitment)) for each in (of, other)]
    with server(folder / "log") as (process, port):
        field = Field(port, of.id, other.id, teams, list(strangers.values()), folder / "spoil")
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(lambda number: one(field, number, seed), range(count)))
        raced: Counter[str] = Counter()
        for token in racers.values():
            store = of._store
            store.spend(store.team(token).id, BUDGET - LAST, time.time())
            raced += race(field, token, LAST)
        own = {name: send(port, field.ask("/team", token=token))[1] for name, token in (teams | racers).items()}
        alive = process.poll() is None
        proc = Path("/proc") / str(process.pid)
        around = [(proc / each).read_bytes() for each in ("cmdline", "environ")] if proc.exists() else []
        peak = re.search(r"VmHWM:\s+(\d+)", (proc / "status").read_text()) if proc.exists() else None
    files = [path.read_bytes() for path in service.folder().iterdir()]
    searched = b"\n".join([*field.seen, *own.values(), *around, *files, (folder / "log").read_bytes()])
    spent = {name: json.loads(answer.partition(b"\r\n\r\n")[2])["spent"] for name, answer in own.items()}

    wrong = [] if alive else ["the server has ended"]
    wrong += [f"a pickle was opened: {field.spoil}"] if field.spoil.exists() else []
    every = sum(field.statuses.values(), Counter()) + raced
    wrong += [f"{number} times the status {status}" for status, number in every.items() if status[0] not in "24c"]
    for name, token in teams.items():
        low, high = field.answered[token], field.answered[token] + field.unanswered[token]
        if not low <= spent[name] <= min(high, BUDGET):
            wrong.append(f"{name} was answered {low} to {high} images and has spent {spent[name]}")
    wrong += [f"{name} has spent {spent[name]}" for name in racers if spent[name] != BUDGET]
    if raced["200"] != LAST * races:
        wrong.append(f"{raced['200']} of {LAST * races} last queries were answered")
    every_token = [*teams.values(), *strangers.values(), *racers.values()]
    wrong += [f"the token {token} was shown" for token in every_token if token.encode() in b"".join(field.seen)]
    wrong += [
        f"{name} was shown another team"
        for name in own
        if any(f'"{each}"'.encode() in own[name] for each in (teams | racers) if each != name)
    ]
    for secret in (key, other_key):
        wrong += [f"the key: {each}" for each in traces(searched, secret)]
    for opening in openings:
        wrong += ["an opening" for part in (opening.nonce, opening.nonce.hex().encode()) if part in searched]
    mib = int(peak[1]) / 1024 if peak else float("nan")
    return Report(field, count + 2 * RACERS * races, raced, spent, len(searched), mib, wrong)


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--races", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KERCKHOFFS_HOME"] = str(Path(folder) / "home")
        began = time.perf_counter()
        found = run(given.count, given.seed, given.races, Path(folder))
        taken = time.perf_counter() - began
    for kind, statuses in found.field.statuses.items():
        print(f"{kind:10} " + "  ".join(f"{status}: {number}" for status, number in sorted(statuses.items())))
    print(f"{'races':10} " + "  ".join(f"{status}: {number}" for status, number in sorted(found.races.items())))
    print(f"{found.requests} requests in {taken:.0f} s, the longest {found.field.longest:.2f} s")
    print(f"peak memory of the server {found.peak_mib:.0f} MiB")
    print(f"spent by team: {sorted(found.spent.values())} of {BUDGET}")
    print(f"searched for both keys and openings: {found.searched} bytes of answers, files, log, arguments, environment")
    print("\n".join(found.wrong) or "everything holds")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
