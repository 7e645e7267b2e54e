"""Hostile requests to a challenge, by kind: each function makes one. benchmarks/challenge.py sends them."""

import io
import json
import os
import re
import socket
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from kerckhoffs.challenge.wire import ADDRESS, JSON, NPY
from tests.foreign import hostile

SIDES = (1, 28, 28)
NAMES = hostile()
Generator = np.random.Generator
Maker = Callable[["Field", Generator], "Asked"]


@dataclass(frozen=True)
class Asked:
    """A request as bytes; `images` it may cost the team of `token`."""

    head: str
    body: bytes = b""
    token: str = ""
    images: int = 0


@dataclass
class Field:
    """What the requests are made of, and what came of them."""

    port: int
    id: str
    other: str
    tokens: dict[str, str]  # by team
    others: list[str]
    spoil: Path
    statuses: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    answered: Counter[str] = field(default_factory=Counter)  # images, by token
    unanswered: Counter[str] = field(default_factory=Counter)
    seen: list[bytes] = field(default_factory=list)
    longest: float = 0.0

    def token(self, generator: Generator) -> str:
        """Of a team at random."""
        return str(generator.choice(list(self.tokens.values())))

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes = b"",
        token: str = "",
        kind: str = "",
        images: int = 0,
        more: str = "",
    ) -> Asked:
        """A request whose head is in order."""
        at = path if path.startswith("/api") else f"{ADDRESS}/{self.id}{path}"
        head = f"{method} {at} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        head += f"Content-Type: {kind}\r\n" if kind else ""
        head += f"Authorization: Bearer {token}\r\n" if token else ""
        return Asked(head + more, body, token, images)


def send(port: int, asked: Asked) -> tuple[str, bytes]:
    """The status and the whole answer; "cut" where the server hung up first."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line, suppress(ConnectionError):
        with suppress(BrokenPipeError, ConnectionResetError):
            line.sendall(asked.head.encode("utf-8", "surrogatepass") + b"\r\n" + asked.body)
        while part := line.recv(65536):
            answer += part
    found = re.match(rb"HTTP/1\.1 (\d{3})", answer)
    return (found[1].decode() if found else "cut"), answer


def pick(generator: Generator, *choices: Any) -> Any:
    """One of them."""
    return choices[generator.integers(len(choices))]


def npy(values: Any, **options: Any) -> bytes:
    """An array as a file."""
    file = io.BytesIO()
    np.save(file, values, **options)
    return file.getvalue()


def images(generator: Generator, count: int = 1) -> bytes:
    """Good ones."""
    return npy(generator.random((count, *SIDES), np.float32))


def asking(field: Field, generator: Generator, body: bytes, kind: str = NPY, count: int = 0) -> Asked:
    """A query or a submission of a body by a team."""
    path = str(pick(generator, "/queries", "/submissions", "/submissions?positions=0"))
    return field.ask(path, "POST", body, field.token(generator), kind, count)


def good(field: Field, generator: Generator) -> Asked:
    """A query that costs."""
    count = int(generator.integers(1, 17))
    token = field.token(generator)
    return field.ask("/queries", "POST", images(generator, count), token, NPY, count)


def submitted(field: Field, generator: Generator) -> Asked:
    """A submission that costs."""
    chosen = generator.choice(6, int(generator.integers(1, 7)), replace=False)
    path = "/submissions?positions=" + ",".join(map(str, chosen))
    return field.ask(path, "POST", images(generator, len(chosen)), field.token(generator), NPY, len(chosen))


def replayed(field: Field, generator: Generator) -> Asked:
    """The same request again and again."""
    token = next(iter(field.tokens.values()))
    return field.ask("/queries", "POST", images(np.random.default_rng(0)), token, NPY, 1)


def sizes(field: Field, generator: Generator) -> Asked:
    """None, too many, or bytes without end."""
    count = pick(generator, 0, 17, 100, 2000)
    return asking(field, generator, npy(np.zeros((count, *SIDES), np.float32)))


def values(field: Field, generator: Generator) -> Asked:
    """One value that is no grey level."""
    array = generator.random((int(generator.integers(1, 5)), *SIDES))
    array.flat[generator.integers(array.size)] = generator.choice([np.nan, np.inf, -np.inf, 1.0001, -1e-9, 1e30, -1e30])
    return asking(field, generator, npy(array.astype(pick(generator, "<f4", "<f8", ">f4"))))


def shapes(field: Field, generator: Generator) -> Asked:
    """Another shape."""
    shape = tuple(int(each) for each in generator.choice([0, 1, 2, 3, 27, 28, 29], int(generator.integers(0, 8))))
    shape = shape if np.prod(shape) < 100_000 else (28,)
    return asking(field, generator, npy(np.zeros(shape, np.float32)))


def types(field: Field, generator: Generator) -> Asked:
    """Another type."""
    kind = str(pick(generator, "u1", "i8", "f2", "c8", "?", "U3", "S5", "M8[s]", "f4,f4", "V7", "g"))
    return asking(field, generator, npy(np.zeros((1, *SIDES), kind)))


class Spoil:
    """What makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def pickles(field: Field, generator: Generator) -> Asked:
    """Objects in a .npy file, or a pickle in its place."""
    body = npy(np.array([[Spoil(field.spoil)]], dtype=object))
    return asking(field, generator, body[128:] if generator.random() < 0.3 else body)


def broken(field: Field, generator: Generator) -> Asked:
    """A good file with other bytes in it, or cut short."""
    body = bytearray(images(generator))
    for place in generator.integers(0, 128, int(generator.integers(1, 6))):
        body[place] = generator.integers(256)
    return asking(field, generator, bytes(body[: generator.integers(1, 129 + 3136)]), count=1)


def headers(field: Field, generator: Generator) -> Asked:
    """A header that promises much, or is a program."""
    shape = str(
        pick(
            generator,
            "(10**9,)",
            "(999999999999, 1, 28, 28)",
            "(" * 900,
            "(-1, 1, 28, 28)",
            "(1, 1, 28, 28.0)",
            "__import__('os')",
        )
    )
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode().ljust(2000) + b"\n"
    return asking(field, generator, b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(3136))


def jsons(field: Field, generator: Generator) -> Asked:
    """JSON that is none, or of other things."""
    depth = pick(generator, 10, 500, 5000, 50_000)
    bodies = (
        b"[" * depth,
        b'{"images": ' + b"[" * depth + b"]" * depth + b"}",
        b'{"images": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}",
        b'{"images": [[[[NaN]]]]}',
        b'{"images": [[[[1e999]]]]}',
        b'{"images": ' + b"9" * 5000 + b"}",
        b'{"images": [[1, 2], [3]]}',
        b'{"images": [null, true, "x", {}]}',
        json.dumps({"images": ["x" * 30_000] + [""] * 9000}).encode(),
        b'{"images": "' + b"\\ud83d" * 10 + b'"}',
        b"\xff\xfe\x00",
        json.dumps({"images": np.full((2, *SIDES), 2).tolist()}).encode(),
        generator.bytes(200),
    )
    return asking(field, generator, pick(generator, *bodies), JSON)


def tokens(field: Field, generator: Generator) -> Asked:
    """Nobody's, nearly somebody's, or of the other challenge."""
    own = field.token(generator)
    swapped = own.swapcase()
    choices = [
        "",
        "x",
        own[:-1],
        own + "A",
        swapped,
        *field.others,
        "' OR 1=1 --",
        "é\ud83d",
        own * 90,
        "null",
        own + "\0",
    ]
    token = str(pick(generator, *choices))
    path = str(pick(generator, "/team", "/queries", "/submissions"))
    body = b"" if path == "/team" else images(generator)
    return field.ask(path, "GET" if path == "/team" else "POST", body, token, NPY)


def names(field: Field, generator: Generator) -> Asked:
    """A hostile name, or a body that has none."""
    name = pick(generator, *NAMES)
    record: Any = {"name": name, "invitation": pick(generator, *NAMES)}
    record = record if generator.random() < 0.8 else pick(generator, {}, {"name": 1}, {"name": None}, [], "x")
    return field.ask("/teams", "POST", json.dumps(record).encode(), kind=JSON)


def paths(field: Field, generator: Generator) -> Asked:
    """A path that leads elsewhere."""
    trick = str(
        pick(
            generator,
            "../keys",
            "..%2f..%2fkeys",
            "%2e%2e/%2e%2e/etc/passwd",
            "%00",
            "//",
            field.id + "%00",
            field.id.upper() + "0",
            field.id + ".sqlite",
            field.id + "%2freveal",
            "١٢٣٤٥٦٧٨",
            "x" * 5000,
            "*",
            ";",
            "..;",
            "%ff%fe",
            "\\..\\keys",
        )
    )
    end = str(pick(generator, "", "/images", "/leaderboard", "/reveal", "/weights", "/../reveal", "/%2e%2e"))
    return field.ask(f"{ADDRESS}/{quote(trick, safe='%/*;.') if generator.random() < 0.5 else trick}{end}")


def positions(field: Field, generator: Generator) -> Asked:
    """Positions that are none."""
    said = str(
        pick(generator, "-1", "6", "0,0", "0,", "1e3", "0x1", "9" * 5000, "١", "0;DROP TABLE team", "%00", "null")
    )
    return field.ask(
        f"/submissions?positions={quote(said)}", "POST", images(generator), field.token(generator), NPY, said == "١"
    )


def methods(field: Field, generator: Generator) -> Asked:
    """Another method, another kind of body, or a packed one."""
    method = str(pick(generator, "GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD", "BREW", "POST"))
    kind = str(pick(generator, "text/plain", "multipart/form-data; boundary=x", "application/octet-stream", ""))
    return field.ask(
        "/queries", method, images(generator), field.token(generator), kind, more="Content-Encoding: gzip\r\n"
    )


def heads(field: Field, generator: Generator) -> Asked:
    """A head that is out of order, or a body that is not as long as it says."""
    asked = asking(field, generator, images(generator), count=1)
    length = f"Content-Length: {len(asked.body)}"
    choices = (
        asked.head.replace(length, "Content-Length: -1"),
        asked.head.replace(length, "Content-Length: 99999999999"),
        asked.head.replace(length, f"{length}\r\nContent-Length: 7"),
        asked.head.replace(length, "Transfer-Encoding: chunked"),
        asked.head.replace("HTTP/1.1", "HTTP/9.9"),
        asked.head + "X: " + "y" * 100_000 + "\r\n",
        asked.head + "no colon\r\n",
    )
    return Asked(pick(generator, *choices), asked.body, asked.token, 1)


def read(field: Field, generator: Generator) -> Asked:
    """What anybody may read, and what nobody may yet."""
    path = str(pick(generator, "", "/images", "/leaderboard", "/reveal", "/weights", f"{ADDRESS}/{field.other}/reveal"))
    return field.ask(path, more="Accept: application/x-npy\r\n" if generator.random() < 0.5 else "")


KINDS: tuple[Maker, ...] = (good, submitted, replayed, sizes, values, shapes, types, pickles, broken, headers, jsons)
KINDS += (tokens, names, paths, positions, methods, heads, read)
