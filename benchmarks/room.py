"""A room of phones against the app on two cores: all join, look about every second and vote, while epsilon moves.

    python benchmarks/room.py --phones 200 --seconds 10
    python benchmarks/room.py --hall

Each phone is a connection from a loopback address of its own, or with --hall all are from one, as behind one router; it
says every vote twice, as one does whose answer was lost. Prints how long answers and moves of the slider take, the
server's peak memory, and what went wrong: an answer that is none, a vote that was lost or counted twice.
"""

import argparse
import asyncio
import json
import os
import random
import secrets
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from page import peak_memory, start  # of this folder

from kerckhoffs.room import Room, Rooms

TALK = """
title = "Load"
[[scene]]
show = "example"
heading = "The slider"
play = "set=mnist&network=table1&sample=0&dial=twin&attack=fgsm&epsilon=0.15"
slider = true
"""
ASKING = """
[[scene]]
show = "words"
heading = "The vote"
[scene.question]
ask = "Which?"
truth = "option"
options = ["one", "two", "three"]
"""


@dataclass
class Result:
    """What all saw."""

    looks: list[float] = field(default_factory=list)
    votes: list[float] = field(default_factory=list)
    moves: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Line:
    """A connection that stays open, as a browser's does."""

    def __init__(self, port: int, number: int) -> None:
        self._port, self._from = port, f"127.0.{1 + number // 250}.{1 + number % 250}"

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(self._from, 0))

    async def ask(self, path: str, said: object = None, headers: str = "") -> tuple[int, str, bytes]:
        """The status, the tag and the body of an answer."""
        body = b"" if said is None else json.dumps(said).encode()
        head = f"{'GET' if said is None else 'POST'} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._writer.write(head.encode() + b"\r\n" + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        found = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines[1:])}
        status = int(lines[0].split()[1])
        content = b""
        if status != 304:
            if "content-length" not in found:
                raise ValueError(f"no length: {lines}")
            content = await self._reader.readexactly(int(found["content-length"]))
        return status, found.get("etag", ""), content


async def timed(
    line: Line, seconds: list[float], path: str, said: object = None, headers: str = ""
) -> tuple[int, str, bytes]:
    """Ask, and note how long it took."""
    began = time.perf_counter()
    answer = await line.ask(path, said, headers)
    seconds.append(time.perf_counter() - began)
    return answer


async def phone(number: int, line: Line, code: str, end: float, result: Result) -> tuple[str, int]:
    """Join within the first seconds, look, vote at some time; returns the token and the choice."""
    token, choice = secrets.token_hex(16), number % 3
    span = end - time.monotonic()
    await asyncio.sleep(random.uniform(0, 0.2 * span))
    await line.open()
    status, _, _ = await timed(line, result.looks, f"/room/{code}")
    if status != 200:
        result.wrong.append(f"phone {number}: the page is {status}")
    votes_at, tag, voted = time.monotonic() + random.uniform(0.1, 0.6) * span, "", False
    while time.monotonic() < end:
        headers = f"If-None-Match: {tag}\r\n" if tag else ""
        status, new, _ = await timed(line, result.looks, f"/room/{code}/state", headers=headers)
        tag = new or tag
        if status not in (200, 304):
            result.wrong.append(f"phone {number}: the state is {status}")
        if not voted and time.monotonic() > votes_at:
            voted = True
            said = {"phone": token, "scene": 1, "round": 0, "turn": 1, "choice": choice}
            for _ in range(2):
                status, _, _ = await timed(line, result.votes, f"/room/{code}/vote", said)
                if status != 200:
                    result.wrong.append(f"phone {number}: the vote is {status}")
        await asyncio.sleep(0.9 + random.random() * 0.4)
    return token, choice


async def speaker(port: int, rooms: tuple[Room, Room], end: float, result: Result) -> None:
    """Move the slider of one room all the time, as a hand on it does, and look at both."""
    line = Line(port, 0)
    await line.open()
    room, headers = rooms[0], f"Authorization: Bearer {rooms[0].token}\r\n"
    step = 0
    while time.monotonic() < end:
        step += 1
        said = {"do": "epsilon", "scene": 0, "value": 0.01 * (step % 40)}
        status, _, content = await timed(line, result.moves, f"/room/{room.code}/do", said, headers)
        if status != 200 or not json.loads(content)["view"]["source"].startswith("Live"):
            result.wrong.append(f"move {step}: {status} {content[-200:]!r}")
        await asyncio.sleep(0.1)


def worked(process: "subprocess.Popen[bytes]") -> float:
    """The seconds of processor that a process has had."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def everyone(
    server: "subprocess.Popen[bytes]",
    port: int,
    lines: list[Line],
    seconds: float,
    rooms: tuple[Room, Room],
    result: Result,
) -> float:
    """The phones and the speaker, and then the votes as they were counted; the seconds of processor that it took."""
    line, voting = Line(port, 1), rooms[1]
    await line.open()
    for room in rooms:  # until all is prepared
        while json.loads((await line.ask(f"/room/{room.code}/scene"))[2])["view"] is None:
            await asyncio.sleep(0.2)
    await asyncio.sleep(1)
    headers = f"Authorization: Bearer {voting.token}\r\n"
    await line.ask(f"/room/{voting.code}/do", {"do": "go", "scene": 1}, headers)
    before, end = worked(server), time.monotonic() + seconds
    work = [phone(number, each, voting.code, end, result) for number, each in enumerate(lines)]
    moving = asyncio.create_task(speaker(port, rooms, end, result))
    said = await asyncio.gather(*work)
    await moving
    took = worked(server) - before
    await line.open()  # idle connections are closed
    step = {"do": "phase", "scene": 1, "round": 0, "phase": "revealed"}
    answer = json.loads((await line.ask(f"/room/{voting.code}/do", step, headers))[2])
    wanted = [sum(choice == number for _, choice in said) for number in range(3)]
    if answer["question"]["split"] != wanted:
        result.wrong.append(f"votes are {answer['question']['split']}, but {wanted} were said")
    return took


def ready(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Wait until the app listens."""

    async def connect() -> None:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError("the app ended") from None
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return

    asyncio.run(connect())


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phones", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--hall", action="store_true", help="all phones from one address")
    parser.add_argument("--port", type=int, default=8597)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["KERCKHOFFS_HOME"] = str(Path(home))
        found = Rooms()
        rooms = found.create(TALK), found.create(TALK + ASKING)
        server = start(options.port, set(sorted(os.sched_getaffinity(0))[:2]))
        result = Result()
        lines = [Line(options.port, 0 if options.hall else number) for number in range(options.phones)]
        try:
            ready(server, options.port)
            took = asyncio.run(everyone(server, options.port, lines, options.seconds, rooms, result))
            print(f"{options.phones} phones, {options.seconds:g} s, load of the machine {os.getloadavg()[0]:.1f}")
            for what, seconds in (("looks", result.looks), ("votes", result.votes), ("moves of ε", result.moves)):
                ranks = statistics.quantiles(seconds, n=20)
                print(
                    f"{len(seconds)} {what}: median {1000 * statistics.median(seconds):.0f} ms, "
                    f"p95 {1000 * ranks[-1]:.0f} ms, worst {1000 * max(seconds):.0f} ms"
                )
            print(f"processor {took:.1f} s, peak memory {peak_memory(server)} MiB; wrong: {len(result.wrong)}")
            for each in result.wrong[:5]:
                print(each)
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
