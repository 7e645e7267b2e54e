"""Codes, names, buckets, bodies, addresses."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import Request

from kerckhoffs.room import codes, limits, names, network
from tests.foreign import SEEDS


def test_codes_are_read_as_people_type_them():
    made = codes.code()
    assert codes.read(made.lower()) == made
    assert len({codes.code() for _ in range(200)}) == 200
    for wrong in ("", "ABCDE", "ABCDEFG", "ABCDE0", "ABCDE1", "ABCDÉF", "../../"):
        assert codes.read(wrong) is None


def test_tokens_are_compared_whatever_they_are():
    assert codes.same("a", "a")
    assert not codes.same("ä", "a")
    assert not codes.is_phone("A" * 32)
    assert not codes.is_phone(None)
    assert codes.is_phone("0123456789abcdef" * 2)


@given(st.one_of(st.sampled_from(SEEDS), st.text(max_size=300)))
def test_names_are_harmless(text):
    try:
        found = names.clean(text)
    except ValueError:
        return
    assert 1 <= len(found) <= names.LONGEST
    assert found.isprintable()
    assert not set(found) & set('<>&"`[]()!\\/:*_#\u202e\u200b')
    assert names.clean(found) == found


def test_names_of_many_scripts_stay():
    for name in ("Ada", "Zoë", "李小龙", "O'Neill", "आदित्य", "Jean-Luc"):
        assert names.clean(name) == name
    assert len(names.clean("Z" + "\u0322" * 50)) <= 3


def test_a_bucket_fills_again():
    now = [0.0]
    bucket = limits.Bucket(2, 1, clock=lambda: now[0])
    assert [bucket.take("a") for _ in range(3)] == [True, True, False]
    assert bucket.take("b"), "another address"
    now[0] = 1.0
    assert [bucket.take("a") for _ in range(2)] == [True, False]
    for number in range(2 * limits.ADDRESSES):
        bucket.take(str(number))
    assert len(bucket._left) == limits.ADDRESSES


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(limits, "SECONDS", 0.05)
    parts = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive():
        return parts.pop() if parts else await asyncio.sleep(60)

    async def read():
        return await limits.body(
            Request({"type": "http", "headers": [(b"content-type", b"application/json")]}, receive)
        )

    with ThreadPoolExecutor(1) as thread, pytest.raises(HTTPException, match="not here after 0.05 s") as refused:
        thread.submit(asyncio.run, read()).result(timeout=30)
    assert refused.value.status_code == 408


@pytest.mark.parametrize(
    ("listens", "host", "found"),
    [
        ("127.0.0.1", "localhost", None),
        ("localhost", "127.0.0.1", None),
        ("0.0.0.0", "localhost", "http://192.168.1.5:8501"),
        (None, "127.0.0.1", "http://192.168.1.5:8501"),
        ("0.0.0.0", "lecture.example", "http://lecture.example:8501"),
        ("10.0.0.7", "localhost", "http://10.0.0.7:8501"),
    ],
)
def test_where_phones_find_the_room(listens, host, found, monkeypatch):
    monkeypatch.setattr(network, "local_address", lambda: "192.168.1.5")
    assert network.joined_at(listens, host, 8501) == found


def test_a_machine_without_a_network_has_no_address(monkeypatch):
    class Nowhere(socket.socket):
        def connect(self, address):
            raise OSError("no route")

    monkeypatch.setattr(network.socket, "socket", Nowhere)
    monkeypatch.setattr(network.socket, "gethostbyname_ex", lambda name: (name, [], ["127.0.1.1"]))
    assert network.local_address() is None
    monkeypatch.setattr(network.socket, "gethostbyname_ex", lambda name: (name, [], ["127.0.1.1", "10.0.0.7"]))
    assert network.local_address() == "10.0.0.7"
