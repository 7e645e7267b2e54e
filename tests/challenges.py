"""A challenge for tests: a classifier that reads well behind a fresh private key, and servers in other threads."""

import dataclasses
import json
import struct
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection

import torch
import uvicorn
from starlette.applications import Starlette

from kerckhoffs import keys, zoo
from kerckhoffs.challenge import arrays, begin
from kerckhoffs.challenge.routes import ROUTES
from kerckhoffs.challenge.wire import JSON, NPY
from kerckhoffs.keys import Key

TWIN = "mnist-linear-classical"
MODEL, OTHER = "own/mnist-linear-keyed", "own/mnist-linear-keyed-other"
BUDGET = 0.3


def own_model(model=MODEL):
    """The shipped linear classifier behind a fresh key: columns of its weights in the key's order. Returns the key."""
    name = model.removeprefix(zoo.OWN)
    key = Key.generate(784)
    key.save(zoo.user_key_path(key.fingerprint))
    network = zoo.load(TWIN).network
    with torch.no_grad():
        weight = next(iter(network.parameters()))
        weight.copy_(weight[:, torch.from_numpy(key.permutation())])
    card = dataclasses.replace(
        zoo.card(TWIN), id=name, defence="keyed", keys=(key.fingerprint,), file=f"{name}.safetensors"
    )
    zoo.save(card, network, zoo.own_folder())
    return key


def second_model():
    """The same classifier once more under the same key; returns its id."""
    name = f"{MODEL.removeprefix(zoo.OWN)}-second"
    card = dataclasses.replace(zoo.card(MODEL), id=name, file=f"{name}.safetensors")
    zoo.save(card, zoo.load(MODEL).network, zoo.own_folder())
    return zoo.OWN + name


def later(**span):
    return datetime.now(UTC) + timedelta(**(span or {"days": 7}))


RULES = {"norm": "linf", "budget": BUDGET, "answers": "labels", "queries": 200, "rate": 10_000, "at_once": 16}
RULES |= {"teams": 20, "images": 6}


def opened(model=MODEL, **given):
    """A challenge with a small model; its rules but for those that are given."""
    found, _ = begin.new(model, **({"end": later()} | RULES | given))
    return found


def two_openings():
    """A commitment with two reveals of one message: an honest one, and one whose nonce takes in the honest key."""

    def fields(*parts):
        return b"".join(len(part).to_bytes(8, "big") + part for part in parts)

    note = fields(b"AAAAAAAA" * 2, b"", b"", b"", b"").decode()
    key = Key.generate(2)
    commitment, opening = keys.commit(key, note=note)
    honest = keys.reveal(key, opening).write()
    swallowed = fields(key.values.astype("<f8").tobytes(), b"", b"", b"") + len(note).to_bytes(8, "big")
    other = {"nonce": (opening.nonce + swallowed).hex(), "values": list(struct.unpack("<2d", b"AAAAAAAA" * 2))}
    return commitment, honest, json.dumps(json.loads(honest) | other | {"note": ""}).encode()


def adversarial(of, size=BUDGET):
    """Examples of FGSM on the twin, which does the same as the keyed classifier: (N, 1, 28, 28)."""
    images, labels = of.images()
    images.requires_grad_()
    loss = torch.nn.functional.cross_entropy(zoo.load(TWIN)(images), labels)
    [gradient] = torch.autograd.grad(loss, images)
    return (images + size * gradient.sign()).clamp(0, 1).detach()


@dataclasses.dataclass(frozen=True)
class Reply:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclasses.dataclass(frozen=True)
class Client:
    """One that speaks plain HTTP to a challenge."""

    port: int
    id: str

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}/api/challenge/{self.id}"

    def ask(self, path="", method="GET", body=None, kind=None, token=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers |= {"Content-Type": kind} if kind else {}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        target = path if path.startswith("/api") else f"/api/challenge/{self.id}{path}"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def join(self, name="team", **more):
        reply = self.ask("/teams", "POST", json.dumps({"name": name} | more).encode(), JSON)
        assert reply.status == 201, reply.body
        return reply.json["token"]

    def send(self, what, images, token, path=""):
        return self.ask(f"/{what}{path}", "POST", arrays.write(images), NPY, token)


@contextmanager
def served(id_):
    """A client of a server in a thread of this process."""
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=ROUTES), port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Client(server.servers[0].sockets[0].getsockname()[1], id_)
    finally:
        server.should_exit = True
        thread.join()
