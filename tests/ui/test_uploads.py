"""What browsers upload stays in the server's memory no longer than it takes to read it, and is bounded until then."""

from types import SimpleNamespace

import pytest
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec

from kerckhoffs.cli import settings
from kerckhoffs.data import images
from kerckhoffs.ui import uploads
from kerckhoffs.ui.play import picture
from tests import asgi
from tests.pages import opened, words
from tests.ui.play.test_input import digit, png

MEGA = 1_000_000


@pytest.fixture
def manager():
    return MemoryUploadedFileManager("/upload")


def put(manager, path, size, method="PUT"):
    """Send an upload through the middleware to a server that keeps it; returns the status."""

    async def server(scope, receive, send):
        session, name = scope["path"].split("/")[-2:]
        manager.add_file(session, UploadedFileRec(name, "a.png", "image/png", bytes(size)))
        await send({"type": "http.response.start", "status": 204, "headers": []})

    status, _, _ = asgi.request(uploads.Uploads(server, lambda: manager), path, method)
    return status


def test_of_twenty_uploads_that_no_page_reads_the_newest_are_kept(manager):
    for number in range(20):
        assert put(manager, f"/base/_stcore/upload_file/one/{number}", MEGA) == 204
    assert list(manager.file_storage["one"]) == ["18", "19"]
    assert uploads.waiting_bytes(manager) == uploads.A_SESSION * MEGA


def test_one_session_takes_nothing_from_another(manager):
    put(manager, "/_stcore/upload_file/one/a", 1)
    for number in range(5):
        put(manager, f"/_stcore/upload_file/two/{number}", 1)
    assert list(manager.file_storage["one"]) == ["a"]


def test_there_is_no_room_for_more_until_something_was_read(manager, monkeypatch):
    monkeypatch.setattr(uploads, "ALL_SESSIONS", 3)
    for session in "abc":
        assert put(manager, f"/_stcore/upload_file/{session}/0", 1) == 204
    assert put(manager, "/_stcore/upload_file/d/0", 1) == 503
    manager.remove_file("a", "0")
    assert put(manager, "/_stcore/upload_file/d/0", 1) == 204


def test_other_requests_pass(manager):
    for number in range(5):
        put(manager, f"/_stcore/upload_file/one/{number}", 1, method="DELETE")
    assert len(manager.file_storage["one"]) == 5


def test_a_file_that_was_read_is_the_same_file_without_its_bytes(manager, monkeypatch):
    manager.add_file("one", UploadedFileRec("7", "a.png", "image/png", b"pixels"))
    [record] = manager.get_files("one", ["7"])
    file = UploadedFile(record, FileURLs())
    monkeypatch.setattr(
        uploads, "get_script_run_ctx", lambda: SimpleNamespace(uploaded_file_mgr=manager, session_id="one")
    )
    uploads.let_go(file)
    assert uploads.waiting_bytes(manager) == 0
    assert file.getvalue() == b""
    [record] = manager.get_files("one", ["7"])
    assert UploadedFile(record, FileURLs()) == file, "or the page would take it for another one"


def uploaded(content):
    app = opened(image="upload")
    app.file_uploader(key="file_1").set_value(("a.png", content, "image/png")).run()
    assert not app.exception
    return app


@pytest.mark.usefixtures("fresh_caches")
def test_a_refused_picture_leaves_nothing_but_its_sentence():
    app = uploaded(b"no picture" * 1000)
    kept = app.session_state["upload_file"][1]
    assert kept == "a.png is no picture of a kind that is read here: PNG, JPEG, WebP, BMP, GIF"
    app.run()
    assert kept in words(app.error)


@pytest.mark.usefixtures("fresh_caches")
def test_a_picture_is_turned_over_and_shown_again_after_its_bytes_were_let_go(monkeypatch):
    let_go = []
    monkeypatch.setattr(picture, "let_go", lambda file: let_go.append(file.name))
    app = uploaded(png(digit()))
    app.segmented_control(key="invert").set_value("keep").run()
    app.run()
    assert let_go == ["a.png"]
    assert "as in the file" in words(app.caption)
    assert not app.exception


def test_the_server_listens_to_its_own_machine_alone_and_takes_no_more_than_the_largest_widget():
    found = settings.settings()
    assert found["server.address"] == "127.0.0.1"
    assert images.MEGABYTES <= found["server.maxUploadSize"] <= 30
    assert uploads.A_SESSION * found["server.maxUploadSize"] * MEGA <= uploads.ALL_SESSIONS
