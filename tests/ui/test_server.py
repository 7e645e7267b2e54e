"""What the server does around the pages: its own route, its settings, its start and its end."""

import json
import sys
import tomllib
from pathlib import Path

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from streamlit import config
from streamlit.web.server.app_discovery import discover_asgi_app

from kerckhoffs import __version__
from kerckhoffs.cli import serve, settings
from kerckhoffs.ui import ending, preload, server, warm
from tests import ROOT, asgi


def get(app, path):
    """The headers and the body of an answer."""
    _, headers, body = asgi.request(app, path)
    return headers, body


@pytest.mark.parametrize("file", ["app.py", "kerckhoffs/ui/entry/app.py"])
def test_streamlit_run_finds_the_app(file):
    assert discover_asgi_app(ROOT / file).import_string == "app:app"


def test_kerckhoffs_app_has_streamlit_run_it_with_the_settings_and_what_was_asked_for(monkeypatch):
    ran = []
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(serve.runpy, "run_module", lambda name, run_name: ran.append((name, list(sys.argv))))
    serve.app_command(port=1234, address="127.0.0.1", headless=True)
    [(name, (program, command, file, *flags))] = ran
    assert (name, program, command) == ("streamlit", "streamlit", "run")
    assert discover_asgi_app(Path(file)).import_string == "app:app"
    assert {"--server.port=1234", "--server.address=127.0.0.1", "--server.headless=true"} <= set(flags)
    assert "--client.toolbarMode=viewer" in flags


def test_a_folder_of_models_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no folder"):
        serve.app_command(models=tmp_path / "nothing")


def test_its_own_route_stands_beside_streamlits(monkeypatch):
    monkeypatch.setattr(warm, "_state", "warm")
    app = Starlette(routes=server.ROUTES, middleware=server.MIDDLEWARE)
    assert json.loads(get(app, "/api/status")[1]) == {"name": "kerckhoffs", "version": __version__, "state": "warm"}
    st.App(server.MAIN, routes=server.ROUTES)  # refuses a route of Streamlit's own


def test_the_first_picture_can_be_computed_without_a_page():
    warm._first_picture()


def test_a_first_picture_that_fails_is_said_and_ends_nothing(monkeypatch):
    monkeypatch.setattr(warm, "_state", "cold")
    monkeypatch.setenv("KERCKHOFFS_MODELS", "/nowhere")
    st.cache_resource.clear()
    warm._warm()
    assert warm.state() == "failed"


def test_only_the_first_page_is_told_of_the_script_of_its_charts():
    assert len(preload.NAMES) == 1, "Streamlit has renamed it"
    routes = [Route(path, lambda request: PlainTextResponse("")) for path in ("/", "/batch")]
    app = Starlette(routes=routes, middleware=server.MIDDLEWARE)
    assert get(app, "/")[0]["link"] == f"<./static/js/{preload.NAMES[0]}>; rel=modulepreload; crossorigin"
    assert "link" not in get(app, "/batch")[0]


def test_a_page_may_fetch_pictures_from_here_alone_and_tells_no_other_host_its_address():
    kinds = {"/": HTMLResponse(""), "/data": PlainTextResponse("")}
    routes = [Route(path, lambda request: kinds[request.url.path]) for path in kinds]
    app = Starlette(routes=routes, middleware=server.MIDDLEWARE)
    headers, _ = get(app, "/")
    assert "img-src 'self' data: blob:;" in headers["content-security-policy"]
    assert "frame-ancestors 'self'" in headers["content-security-policy"].split("; ")
    assert headers["referrer-policy"] == "same-origin"
    assert "content-security-policy" not in get(app, "/data")[0]


def test_the_settings_are_streamlits_and_the_environment_goes_first(monkeypatch):
    found = settings.settings()
    assert found.keys() <= config._config_options_template.keys()
    assert found["client.toolbarMode"] == tomllib.loads(settings.file().read_text())["client"]["toolbarMode"]
    for name in found:
        assert settings._variable(name) == config._config_options_template[name].env_var
    monkeypatch.setenv("STREAMLIT_CLIENT_TOOLBAR_MODE", "minimal")
    assert "client.toolbarMode" not in settings.settings()


def test_what_is_to_be_done_at_the_end_is_done_once():
    done = []
    ending.at_end(lambda: done.append("first"))
    ending.at_end(lambda: done.append("last"))
    ending.end()
    ending.end()
    assert done[:2] == ["last", "first"]
    assert len(done) == 2
