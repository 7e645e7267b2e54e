"""A challenge over HTTP, at a real server."""

import contextlib
import io
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from starlette.applications import Starlette

from kerckhoffs import keys, whence, zoo
from kerckhoffs.challenge import arrays, begin, http, requests, service
from kerckhoffs.challenge.wire import JSON, NPY
from kerckhoffs.ui import server
from tests import asgi
from tests.challenges import MODEL, OTHER, RULES, adversarial, later, opened, own_model, served
from tests.leaks import traces


def listed(images):
    return json.dumps({"images": images.tolist()}).encode()


def test_everybody_may_read_rules_commitment_images_and_leaderboard(client, challenge):
    said = client.ask().json
    assert (said["commitment"], said["budget"], said["state"]) == (challenge.commitment, RULES["budget"], "open")
    assert client.ask("/api/challenge").json["challenges"] == [said]
    images = client.ask("/images", accept=NPY)
    assert images.headers["content-type"] == NPY
    assert torch.equal(arrays.read(images.body, NPY, (1, 28, 28), 100), challenge.images()[0])
    labels = challenge.images()[1].tolist()
    assert json.loads(images.headers["kerckhoffs-labels"]) == client.ask("/images").json["labels"] == labels
    assert client.ask("/leaderboard").json == {"teams": []}


def test_images_are_packed_once_for_everybody_and_off_the_loop(client, monkeypatch):
    packed, threads = http._packed, []

    def watched(*given, **more):
        threads.append(threading.current_thread().name)
        return packed(*given, **more)

    monkeypatch.setattr(http, "_packed", watched)
    for kind in (JSON, NPY):
        first, *others = (client.ask("/images", accept=kind).body for _ in range(3))
        assert others == [first, first]
    assert len(threads) == 2
    assert all(name.startswith("challenge") for name in threads)


def test_a_team_asks_submits_and_is_on_the_board(client, challenge):
    token = client.join("Ünal 🙂")
    images, labels = challenge.images()
    for kind, body in ((NPY, arrays.write(images)), (JSON, listed(images))):
        reply = client.ask("/queries", "POST", body, kind, token)
        assert reply.json["labels"] == labels.tolist()
    assert reply.json["left"] == 188
    asked = client.ask("/queries", "POST", arrays.write(images), NPY, token, accept=NPY)
    assert np.load(io.BytesIO(asked.body)).tolist() == labels.tolist()
    assert asked.headers["kerckhoffs-left"] == "182"
    reply = client.send("submissions", adversarial(challenge)[[3, 1]], token, "?positions=3,1").json
    assert [each["position"] for each in reply["judged"]] == [3, 1]
    own = client.ask("/team", token=token).json
    assert (own["name"], own["spent"], own["left"]) == ("Ünal 🙂", 20, 180)
    assert [each["position"] for each in own["fooled"]] == [1, 3]
    [line] = client.ask("/leaderboard").json["teams"]
    assert (line["name"], line["fooled"], line["queries"]) == ("Ünal 🙂", 2, 20)


GOOD = arrays.write(torch.zeros(1, 1, 28, 28))


@pytest.mark.parametrize(
    ("path", "method", "body", "kind", "status"),
    [
        ("/teams", "POST", b"{", JSON, 400),
        ("/queries", "POST", b"nothing", NPY, 400),
        ("/nothing", "GET", None, None, 404),
        ("/", "GET", None, None, 404),
        ("/queries/", "POST", GOOD, NPY, 404),
        ("/api/challenge/0badcafe", "GET", None, None, 404),
        ("/api/challenge/..%2f..%2fkeys/leaderboard", "GET", None, None, 404),
        ("/api/challenge/%00/leaderboard", "GET", None, None, 404),
        ("/queries", "GET", None, None, 405),
        ("", "DELETE", None, None, 405),
        ("/teams", "POST", b'{"name": "taken"}', JSON, 409),
        ("/teams", "POST", b'{"name": "' + b"x" * 5000 + b'"}', JSON, 413),
        ("/queries", "POST", bytes(10**6), NPY, 413),
        ("/queries", "POST", arrays.write(torch.zeros(17, 1, 28, 28)), NPY, 413),
        ("/queries", "POST", GOOD, "text/plain", 415),
        ("/queries", "POST", GOOD, None, 415),
        ("/teams", "POST", b'{"name": "x"}', NPY, 415),
        ("/teams", "POST", b'{"name": 3}', JSON, 422),
        ("/teams", "POST", b'{"name": "\\ud83d"}', JSON, 422),
        ("/teams", "POST", b'{"name": "x", "invitation": []}', JSON, 422),
        ("/queries", "POST", arrays.write(torch.full((1, 1, 28, 28), 2.0)), NPY, 422),
        ("/submissions?positions=a", "POST", GOOD, NPY, 422),
        ("/submissions?positions=6", "POST", GOOD, NPY, 422),
        ("/submissions?positions=", "POST", GOOD, NPY, 422),
        ("/submissions?positions=" + "9" * 9000, "POST", GOOD, NPY, 422),
        ("/submissions", "POST", GOOD, NPY, 422),
    ],
)
def test_what_is_refused_is_one_sentence_with_its_status_and_costs_nothing(client, path, method, body, kind, status):
    token = client.join("taken")
    reply = client.ask(path, method, body, kind, token)
    assert reply.status == status, reply.body
    assert list(reply.json) == ["error"]
    assert "\n" not in reply.json["error"]
    assert client.ask("/team", token=token).json["spent"] == 0


@pytest.mark.parametrize("token", [None, "x", "é", "' OR 1=1 --", "x" * 5000])
def test_without_a_teams_token_nothing_is_asked(client, token):
    client.join()
    for path, method in (("/team", "GET"), ("/queries", "POST"), ("/submissions", "POST")):
        reply = client.ask(path, method, GOOD if method == "POST" else None, NPY, token)
        assert reply.status == 401
        assert reply.headers["www-authenticate"] == "Bearer"
    assert client.ask("/team", authorization="Basic dGVhbTp0ZWFt").status == 401


def test_a_token_of_another_challenge_is_nobodys(client):
    token = client.join()
    own_model(OTHER)
    other = opened(OTHER)
    assert client.ask(f"/api/challenge/{other.id}/team", token=token).status == 401


def test_a_body_is_bounded_while_it_is_read(client):
    """A body that says no length, in pieces without end, is broken off at the limit."""
    token = client.join()
    sent = 0
    with socket.create_connection(("127.0.0.1", client.port), 20) as line:
        head = f"POST /api/challenge/{client.id}/queries HTTP/1.1\r\nHost: x\r\nContent-Type: {NPY}\r\n"
        line.sendall(f"{head}Authorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        line.setblocking(False)
        answer = b""
        while b"\r\n\r\n" not in answer and sent < 50_000_000:
            try:
                sent += line.send(b"10000\r\n" + bytes(65536) + b"\r\n")
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                time.sleep(0.01)
            with contextlib.suppress(BlockingIOError):
                answer += line.recv(4096)
    assert answer.startswith(b"HTTP/1.1 413"), answer
    assert sent < 10_000_000


def test_a_body_that_does_not_come_is_not_waited_for(client, monkeypatch):
    monkeypatch.setattr(requests, "SECONDS", 0.2)
    token = client.join()
    with socket.create_connection(("127.0.0.1", client.port), 20) as line:
        head = f"POST /api/challenge/{client.id}/queries HTTP/1.1\r\nHost: x\r\nContent-Type: {NPY}\r\n"
        line.sendall(f"{head}Authorization: Bearer {token}\r\nContent-Length: 100\r\n\r\n".encode())
        assert line.recv(100).startswith(b"HTTP/1.1 408")


def test_a_team_may_not_hold_the_server(client, monkeypatch):
    token = client.join()
    monkeypatch.setattr(requests, "A_TEAM", 0)
    reply = client.ask("/queries", "POST", GOOD, NPY, token)
    assert reply.status == 429
    assert float(reply.headers["retry-after"]) > 0
    monkeypatch.setattr(requests, "IN_ALL", 0)
    assert client.ask().status == 429


@contextlib.contextmanager
def silent(client, count, path="/teams", **more):
    """So many requests of this machine whose bodies do not come."""
    head = f"POST /api/challenge/{client.id}{path} HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in more.items())
    with contextlib.ExitStack() as lines:
        for _ in range(count):
            line = lines.enter_context(socket.create_connection(("127.0.0.1", client.port), 20))
            line.sendall(f"{head}Content-Length: 30\r\n\r\n".encode())
        while requests.gate._inside["sending"] < min(count, requests.IN_ALL):
            time.sleep(0.01)
        yield


def test_bodies_that_do_not_come_keep_nobody_from_joining_or_reading(client):
    with silent(client, requests.A_TEAM):
        assert client.join("another")
    with silent(client, requests.IN_ALL):
        assert client.ask().status == 200
        assert client.ask("/teams", "POST", b'{"name": "x"}', JSON).status == 429


def test_a_body_without_images_is_waited_for_for_a_moment_alone(client, monkeypatch):
    monkeypatch.setattr(requests, "AT_ONCE", 0.2)
    with socket.create_connection(("127.0.0.1", client.port), 10) as line:
        head = f"POST /api/challenge/{client.id}/teams HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\n"
        line.sendall(f"{head}Content-Length: 100\r\n\r\n".encode())
        assert line.recv(100).startswith(b"HTTP/1.1 408")


def test_an_address_has_few_bodies_on_their_way(client):
    """Others are not kept from sending by it, nor is it by others."""
    with silent(client, requests.AN_ADDRESS, **{"X-Forwarded-For": "203.0.113.9"}):
        for address, status in (("203.0.113.9", 429), ("203.0.113.8", 201)):
            assert client.ask("/teams", "POST", b'{"name": "x"}', JSON, X_Forwarded_For=address).status == status


def test_nobody_takes_all_places(client, challenge):
    def join(name, address):
        return client.ask("/teams", "POST", json.dumps({"name": name}).encode(), JSON, X_Forwarded_For=address).status

    assert [join(f"one {each}", "203.0.113.9") for each in range(5)] == [201] * service.FEW + [403]
    assert join("one 0", "203.0.113.8") == 409
    assert [join(f"two {each}", f"2001:db8::{each}") for each in range(5)] == [201] * service.FEW + [403]
    assert [join(f"here {each}", "127.0.0.1") for each in range(6)] == [201] * 6


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:0:1:2::3", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("127.0.0.1", ""),
        ("::ffff:127.0.0.1", ""),
        ("::1", ""),
        ("testclient", ""),
        (None, ""),
    ],
)
def test_who_has_one_address_of_a_network_has_all(host, found):
    assert whence.counted(host) == found


def test_the_rate_says_when_to_come_again(key):
    with served(opened(rate=60, at_once=16).id) as client:
        token = client.join()
        replies = [client.send("queries", torch.zeros(16, 1, 28, 28), token) for _ in range(4)]
        assert [each.status for each in replies] == [200, 200, 200, 429]
        assert 0 < float(replies[-1].headers["retry-after"]) <= 16


def test_sixteen_threads_race_for_the_last_queries(key):
    with served(opened(queries=50).id) as client:
        token = client.join()

        def one(number):
            what = "queries" if number % 2 else "submissions"
            path = "" if number % 2 else f"?positions={number % 6}"
            return client.send(what, torch.zeros(1, 1, 28, 28), token, path).status

        with ThreadPoolExecutor(16) as threads:
            found = list(threads.map(one, range(120)))
        assert found.count(200) == 50
        assert set(found) == {200, 403}
        assert client.ask("/team", token=token).json["spent"] == 50


def test_a_team_sees_nothing_of_another(client, challenge):
    one, two = client.join("one"), client.join("two")
    client.send("submissions", adversarial(challenge), one)
    assert client.ask("/team", token=two).json == {"name": "two", "spent": 0, "left": 200, "fooled": []}
    assert one not in client.ask("/leaderboard").body.decode()


def test_an_invitation_is_asked_for(key):
    found, word = begin.new(MODEL, **(RULES | {"end": later()}), invitation=True)
    with served(found.id) as client:
        assert client.ask().json["invited"]
        refused = client.ask("/teams", "POST", b'{"name": "x"}', JSON)
        assert refused.status == 403
        for number in range(service.FEW + 1):
            said = json.dumps({"name": f"x {number}", "invitation": word}).encode()
            assert client.ask("/teams", "POST", said, JSON, X_Forwarded_For="203.0.113.9").status == 201


def test_nothing_of_the_key_is_in_any_answer_before_the_reveal_and_all_after(client, challenge, key, caplog):
    token, seen = client.join(), []
    images = adversarial(challenge)
    for path in (
        "",
        "/images",
        "/leaderboard",
        "/team",
        "/reveal",
        "/weights",
        "/nothing",
        "/api/challenge/openapi.json",
    ):
        seen.append(client.ask(path, token=token))
    seen += [client.send(what, images, token) for what in ("queries", "submissions")]
    for reply in seen:
        assert traces(reply.body + str(reply.headers).encode(), key) == []
    assert traces(caplog.text.encode(), key) == []
    assert {reply.status for reply in seen} == {200, 403, 404}
    challenge.reveal(early=True)
    shown = keys.Reveal.read(client.ask("/reveal").body, "the reveal")
    assert keys.verify(client.ask().json["commitment"], shown)
    assert client.send("queries", images, token).status == 403
    assert client.ask("/weights").status == 200


def test_what_breaks_is_said_without_a_word_of_where(client, challenge, monkeypatch):
    token = client.join()
    zoo.user_key_path(challenge.fingerprint).unlink()
    found = service.find(challenge.id)
    found._judge = None
    reply = client.send("queries", torch.zeros(1, 1, 28, 28), token)
    assert reply.status == 503
    assert challenge.fingerprint not in reply.body.decode()
    monkeypatch.setattr(service.Challenge, "leaderboard", lambda self: 1 / 0)
    reply = client.ask("/leaderboard")
    assert (reply.status, list(reply.json)) == (500, ["error"])
    assert client.ask("/team", token=token).json["spent"] == 0


def test_the_app_serves_the_same(challenge):
    app = Starlette(routes=server.ROUTES, middleware=server.MIDDLEWARE)
    status, _, body = asgi.request(app, f"/api/challenge/{challenge.id}")
    assert (status, json.loads(body)["id"]) == (200, challenge.id)
    assert asgi.request(app, "/api/challenge/nothing/at/all")[0] == 404
