"""Uploads that no page ever reads: what they leave in the server's memory.

    python benchmarks/uploads.py --files 20 --megabytes 19

Opens a session as a browser does, sends so many files to it without a widget that takes them, and prints the server's
memory before and after, in MiB. The bar is twice a file and 40 MiB of what the reading of a request leaves behind.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

import requests
import websockets
from page import start  # of this folder
from sessions import listening
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

COOKIE = "_streamlit_xsrf"


def memory(process: int) -> int:
    """What a process has in memory now, MiB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def send(port: int, session: str, files: int, megabytes: int) -> list[int]:
    """Upload the files; the statuses."""
    found = []
    browser = requests.Session()
    browser.get(f"http://127.0.0.1:{port}/_stcore/health", timeout=30)
    browser.get(f"http://127.0.0.1:{port}/_stcore/host-config", timeout=30)
    for number in range(files):
        answer = browser.put(
            f"http://127.0.0.1:{port}/_stcore/upload_file/{session}/file-{number}",
            files={"file": (f"{number}.png", os.urandom(megabytes * 1_000_000), "image/png")},
            headers={"X-Xsrftoken": browser.cookies.get(COOKIE, "")},
            timeout=60,
        )
        found.append(answer.status_code)
    return found


async def uploads(port: int, process: int, files: int, megabytes: int) -> tuple[int, int, list[int]]:
    """Memory before and after, and the statuses."""
    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    async with websockets.connect(address, subprotocols=[websockets.Subprotocol("streamlit")], max_size=None) as socket:
        message = BackMsg()
        message.rerun_script.query_string = "image=upload"
        await socket.send(message.SerializeToString())
        session = ""
        async for packed in socket:
            answer = ForwardMsg.FromString(packed)
            if answer.WhichOneof("type") == "new_session":
                session = answer.new_session.initialize.session_id
            if answer.WhichOneof("type") == "script_finished":
                break
        await asyncio.sleep(2)
        before = memory(process)
        statuses = await asyncio.to_thread(send, port, session, files, megabytes)
        await asyncio.sleep(2)
        return before, memory(process), statuses


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--megabytes", type=int, default=19)
    parser.add_argument("--port", type=int, default=8597)
    options = parser.parse_args()
    server = start(options.port, set(sorted(os.sched_getaffinity(0))[:2]))
    try:
        asyncio.run(listening(options.port))
        before, after, statuses = asyncio.run(uploads(options.port, server.pid, options.files, options.megabytes))
        counted = {status: statuses.count(status) for status in sorted(set(statuses))}
        print(f"{options.files} uploads of {options.megabytes} MB, answered {counted}")
        print(f"memory before {before} MiB, after {after} MiB: {after - before:+d} MiB")
        return int(after - before > 2 * options.megabytes + 40)
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
