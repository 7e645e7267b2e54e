"""What the tests of rooms share: a talk that needs no model, and requests to the routes as phones and speakers make."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

TALK = """
title = "A test"
[[scene]]
show = "words"
heading = "Welcome"
notes = "Nobody but the speaker reads this."
[[scene]]
show = "words"
heading = "The question"
[scene.question]
ask = "Which?"
truth = "option"
options = ["one", "two", "three"]
answer = 3
[[scene]]
show = "draw"
heading = "Draw"
play = "set=mnist&network=table1&dial=key&attack=fgsm&epsilon=0.2"
[scene.question]
ask = "Fooled?"
truth = "fooled"
[[scene]]
show = "words"
heading = "The end"
"""
SEVEN = "G0Y4TzhYOGE4azh0OH04hjiQOJk4ojisOLU4r0OpTqNYnWOXbpF5i4SFj3-aeaVzsG27Z8Zh0Q"


def phone(number: int) -> str:
    """A phone's token."""
    return f"{number:032x}"


class Client:
    """Asks an ASGI application, from one address."""

    def __init__(self, app: Any, code: str, token: str = "", address: str = "10.0.0.1") -> None:
        self.app, self.code, self.token, self.address = app, code, token, address

    def ask(
        self, path: str, said: Any = None, *, headers: Any = (), body: bytes | None = None, method: str = ""
    ) -> Any:
        """The status, the headers, and the body as text."""
        sent: list[Any] = []
        content = body if body is not None else b"" if said is None else json.dumps(said).encode()
        given = [(b"host", b"127.0.0.1:8501"), *headers]
        if body is None and said is not None:
            given.append((b"content-type", b"application/json"))
        if self.token:
            given.append((b"authorization", f"Bearer {self.token}".encode()))
        parts = [content[at : at + 4096] for at in range(0, len(content), 4096)] or [b""]

        async def receive() -> Any:
            return {"type": "http.request", "body": parts.pop(0) if parts else b"", "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method or ("GET" if said is None and body is None else "POST"),
            "path": path if path.startswith("/") else f"/room/{self.code}/{path}",
            "headers": given,
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "client": (self.address, 1),
            "server": ("127.0.0.1", 8501),
        }
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, self.app(scope, receive, send)).result()
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], found, b"".join(each.get("body", b"") for each in sent).decode()

    def get(self, path: str) -> Any:
        """What an answer in JSON says."""
        status, _, text = self.ask(path)
        assert status == 200, text
        return json.loads(text)

    def do(self, step: str, **said: Any) -> Any:
        """A step of the speaker."""
        status, _, text = self.ask("do", {"do": step, **said})
        assert status == 200, text
        return json.loads(text)

    def vote(self, number: int, choice: int, *, scene: int = 1, round: int = 0, turn: int = 1) -> int:
        """A phone's vote; returns the status."""
        said = {"phone": phone(number), "scene": scene, "round": round, "turn": turn, "choice": choice}
        return int(self.ask("vote", said)[0])
