"""Many people at once: sessions that each move the epsilon slider every few seconds, against the app on two cores.

    python benchmarks/sessions.py --sessions 50 --seconds 60

Each session is a web socket that says what a browser would say, begins with a sample of its own, and moves the
slider to values of its own. Prints how long a move takes until the size of the new perturbation has come, and until
the script has ended; the server's peak memory; and what went wrong: an exception on a page, no size, or a size or an
address that is not the session's own, which is a leak.
"""

import argparse
import asyncio
import itertools
import os
import statistics
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import websockets
from page import peak_memory, start  # of this folder
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

EVERY = 4.0  # seconds from one move of a session to its next
PATIENCE = 60.0  # seconds after which a move counts as lost


@dataclass
class Result:
    """What all sessions saw."""

    shown: list[float] = field(default_factory=list)  # seconds to the size of the perturbation
    ends: list[float] = field(default_factory=list)  # and to the end of the script
    wrong: list[str] = field(default_factory=list)


class Session:
    """One person's page."""

    def __init__(self, number: int, socket: Any, result: Result) -> None:
        self.number, self.socket, self.result = number, socket, result
        self.query = f"sample={number}"
        self.slider = ""

    async def run(self, value: float | None) -> tuple[float, float]:
        """Run the page's script with a value of the slider; seconds to the size and to the script's end."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        if value is not None:
            state = message.rerun_script.widget_states.widgets.add()
            state.id = self.slider
            state.double_array_value.data.append(value)
        began, shown = time.perf_counter(), None
        await self.socket.send(message.SerializeToString())
        async with asyncio.timeout(PATIENCE):
            async for packed in self.socket:
                answer = ForwardMsg.FromString(packed)
                kind = answer.WhichOneof("type")
                if kind == "script_finished":
                    whole = time.perf_counter() - began
                    if shown is None:
                        self.result.wrong.append(f"session {self.number} at {value}: no size of a perturbation")
                    return shown or whole, whole
                if kind == "page_info_changed":
                    self.query = answer.page_info_changed.query_string
                    if parse_qs(self.query).get("sample") != [str(self.number)]:
                        self.result.wrong.append(f"session {self.number} was sent the address {self.query}")
                if kind == "delta":
                    element = answer.delta.new_element
                    what = element.WhichOneof("type")
                    if what == "slider" and element.slider.label == "epsilon":
                        self.slider = element.slider.id
                    elif what == "exception":
                        self.result.wrong.append(f"session {self.number}: {element.exception.message}")
                    elif what == "html" and "full colour is a change of" in element.html.body:
                        shown = time.perf_counter() - began
                        if value is not None and f"a change of {value:.3f}." not in element.html.body:
                            self.result.wrong.append(f"session {self.number} at {value}: {element.html.body}")
        raise ConnectionError("the connection was closed")


async def person(number: int, port: int, seconds: float, opened: asyncio.Barrier, result: Result) -> None:
    """Open the page, wait for the others, and move the slider until the time is over."""
    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    async with websockets.connect(address, subprotocols=[websockets.Subprotocol("streamlit")], max_size=None) as socket:
        session = Session(number, socket, result)
        await session.run(None)
        await opened.wait()
        await asyncio.sleep(EVERY * number / opened.parties)  # people do not move in step
        end = time.monotonic() + seconds
        for move in itertools.count():
            due = time.monotonic() + EVERY
            if due - EVERY > end:
                break
            try:
                shown, whole = await session.run(round(0.05 + 0.01 * ((7 * number + move) % 50), 2))
            except (TimeoutError, ConnectionError, websockets.WebSocketException) as error:
                result.wrong.append(f"session {number}: {type(error).__name__} {error}")
                break
            result.shown.append(shown)
            result.ends.append(whole)
            await asyncio.sleep(max(due - time.monotonic(), 0))


async def everyone(sessions: int, port: int, seconds: float) -> Result:
    """All sessions, opened one after another, moved at once."""
    result, opened = Result(), asyncio.Barrier(sessions)
    await asyncio.gather(*(person(number, port, seconds, opened, result) for number in range(sessions)))
    return result


async def listening(port: int) -> None:
    """Wait until the app listens."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--port", type=int, default=8598)
    options = parser.parse_args()
    server = start(options.port, set(sorted(os.sched_getaffinity(0))[:2]))
    try:
        asyncio.run(listening(options.port))
        result = asyncio.run(everyone(options.sessions, options.port, options.seconds))
        print(f"{options.sessions} sessions, {len(result.ends)} moves in {options.seconds:g} s")
        for what, seconds in (("to the size", result.shown), ("to the end of the script", result.ends)):
            ranks = statistics.quantiles(seconds, n=20)
            print(
                f"{what}: median {statistics.median(seconds):.2f} s, p95 {ranks[-1]:.2f} s, worst {max(seconds):.2f} s"
            )
        print(f"peak memory {peak_memory(server)} MiB; wrong: {len(result.wrong)}")
        for each in result.wrong[:5]:
            print(each)
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
