"""docs/hosting.md says what the program does, and its proxy keeps strangers strangers."""

import asyncio
import re
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit import config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from kerckhoffs.challenge import requests, service
from kerckhoffs.challenge.store import JOINS
from kerckhoffs.cli import settings
from kerckhoffs.data import images, uploads
from kerckhoffs.room import limits, phones, registry, store
from kerckhoffs.ui import jobs, page
from kerckhoffs.ui import uploads as waiting
from kerckhoffs.ui.batch import estimate, runner
from kerckhoffs.ui.keylab import owner
from kerckhoffs.ui.stage import speaker
from tests import ROOT

MEGA = 1_000_000
SAID = " ".join((ROOT / "docs" / "hosting.md").read_text().split())


def test_its_limits_are_those_of_the_program():
    for part in (
        f"{settings.settings()['server.maxUploadSize']} MB, a picture {images.MEGABYTES} MB",
        f"{images.FORMATS['PNG'].megapixels:g} megapixels, WebP {images.FORMATS['WebP'].megapixels:g}",
        f"{uploads.MAX_ENTRIES:,} entries".replace(",", " "),
        f"{uploads.MAX_TOTAL // MEGA} MB unpacked, {uploads.MAX_IMAGES} pictures",
        f"{jobs.WORKERS} run, {jobs.WAITING} in all, {jobs.A_SESSION} a session",
        f"{runner.AT_ONCE} run, {runner.WAITING} wait, {runner.A_SESSION} a session, {estimate.MAX_HOURS} hours each",
        f"{page.AT_ONCE._initial_value} draw, the others wait",
        f"{requests.IN_ALL} that send and {requests.IN_ALL} that read, {requests.A_TEAM} a team, {requests.AN_ADDRESS} "
        f"bodies on their way from an address; a body has {requests.SECONDS:g} seconds",
        f"one without images {requests.AT_ONCE:g} |",
        f"{JOINS} join in a minute; without an invitation {({10: 'a tenth'})[service.A_TENTH]} of all, but at least "
        f"{service.FEW}, from one address",
        f"until nobody has opened it for {runner.DAYS} days, or {runner.MOST} others were opened since",
        f"when {waiting.ALL_SESSIONS // MEGA} MB wait in all",
        {2: "two a session"}[waiting.A_SESSION],
        {600: "ten minutes after its tab was closed"}[settings.settings()["server.disconnectedSessionTTL"]],
    ):
        assert part in SAID


def test_its_commands_open_what_the_settings_keep_closed():
    assert settings.settings()["server.address"] == "127.0.0.1"
    assert "python -m kerckhoffs app --address 0.0.0.0" in SAID
    assert "--server.address=0.0.0.0" in (ROOT / "Dockerfile").read_text()


VISITOR = "203.0.113.9"
FORGED = {"Host": "localhost", "Origin": "http://localhost"}


def passed_on(said):
    """The headers of a visitor's request behind the proxy of the page."""
    text = (ROOT / "docs" / "hosting.md").read_text()
    [name] = re.findall(r"^ +server_name (\S+);$", text, re.MULTILINE)
    put = re.findall(r"^ +proxy_set_header (\S+) (\S+);$", text, re.MULTILINE)
    known = {"$remote_addr": VISITOR, "$server_name": name, "$host": said["Host"]}
    return said | {header: known.get(value, value) for header, value in put}


@pytest.mark.parametrize("listens", ["127.0.0.1", "0.0.0.0"])
def test_nobody_behind_its_proxy_is_taken_for_the_owner(listens, monkeypatch):
    monkeypatch.setattr(config, "get_option", lambda _: listens)
    monkeypatch.setattr(st, "context", SimpleNamespace(headers=FORGED, ip_address=None))
    assert speaker.may_open(), "who comes through a proxy that says nothing of it is"
    monkeypatch.setattr(st, "context", SimpleNamespace(headers=passed_on(FORGED), ip_address=None))
    assert not owner.is_here()
    assert not speaker.may_open()


def test_nobody_behind_its_proxy_chooses_the_address_by_which_limits_count():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["client"][0])

    headers = [
        (name.lower().encode(), value.encode())
        for name, value in passed_on(FORGED | {"X-Forwarded-For": "127.0.0.1"}).items()
    ]
    scope = {"type": "http", "client": ("172.17.0.1", 1), "scheme": "http", "headers": headers}
    [trusted] = re.findall(r"-e FORWARDED_ALLOW_IPS=(\S+) ", SAID)
    asyncio.run(ProxyHeadersMiddleware(app, trusted)(scope, None, None))
    assert seen == [VISITOR]


def test_its_proxy_answers_to_no_other_name():
    other, ours = (ROOT / "docs" / "hosting.md").read_text().split("    server {")[1:]
    assert re.findall(r"listen (\d+)[a-z ]* default_server;", other) == ["80", "443"]
    assert {"ssl_reject_handshake on;", "return 444;"} <= {line.strip() for line in other.splitlines()}
    assert "default_server" not in ours


def test_the_limits_of_rooms_are_those_of_the_program():
    assert f"{registry.MOST} open, {store.MOST_PHONES} phones vote, {store.MOST_WAITING} drawings" in SAID
    assert f"{round(limits.BODY / 1000)} kB a message" in SAID
    assert f"{registry.HOURS} hours at most" in SAID
    asking, saying = ((each._at_once, each._a_second) for each in (phones.ASKING, phones.SAYING))
    assert (asking, saying) == ((1500, 500), (500, 60))
    assert "500 a second, 60 votes and drawings a second, 1500 and 500 at once" in SAID
