"""One request to an ASGI application; Starlette's own client needs a package more."""

import asyncio
from concurrent.futures import ThreadPoolExecutor


def request(app, path, method="GET"):
    """The status, the headers and the body of the answer.

    In a thread of its own: a browser test that ran before in this process leaves an event loop running in ours.
    """
    sent = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b"", "root_path": ""}
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, app(scope, receive, send)).result()
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent)
