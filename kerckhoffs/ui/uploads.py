"""Uploaded files in the server's memory: let go as soon as they are read, and never many at a time.

Streamlit keeps what a browser uploads until its session ends, ten minutes after the tab was closed, whether a page
read it or not. A page says when it has read a file; what no page ever reads is bounded here.
"""

import re
from collections.abc import Callable
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec

A_SESSION: Final = 2  # files that wait to be read; the newest ones stay
ALL_SESSIONS: Final = 256_000_000  # bytes that wait in all; more are refused until some were read
PATH: Final = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+$")


def let_go(file: UploadedFile) -> None:
    """Free the bytes of a file that was read; the browser goes on showing its name, and it is the same file."""
    context = get_script_run_ctx()
    if context and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        empty = UploadedFileRec(file.file_id, file.name, file.type, b"")
        context.uploaded_file_mgr.add_file(context.session_id, empty)
    file.seek(0)
    file.truncate()


def keep_newest(manager: MemoryUploadedFileManager, session: str) -> None:
    """Drop all but the A_SESSION newest files of a session that wait to be read."""
    waiting = [name for name, file in list(manager.file_storage.get(session, {}).items()) if file.data]
    for name in waiting[:-A_SESSION]:
        manager.remove_file(session, name)


def waiting_bytes(manager: MemoryUploadedFileManager) -> int:
    """What waits to be read, of all sessions."""
    return sum(len(file.data) for files in list(manager.file_storage.values()) for file in list(files.values()))


def _manager() -> MemoryUploadedFileManager | None:
    found = runtime.get_instance().uploaded_file_mgr
    return found if isinstance(found, MemoryUploadedFileManager) else None


class Uploads:
    """Bounds what browsers may leave in memory: a few files a session, and so many bytes in all."""

    def __init__(self, app: ASGIApp, manager: Callable[[], MemoryUploadedFileManager | None] = _manager) -> None:
        self._app = app
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; an upload only while there is room for it."""
        upload = PATH.search(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
        manager = self._manager() if upload else None
        if upload is None or manager is None:
            await self._app(scope, receive, send)
            return
        if waiting_bytes(manager) >= ALL_SESSIONS:
            full = PlainTextResponse("too many uploads wait to be read; try again in a moment", 503)
            await full(scope, receive, send)
            return
        await self._app(scope, receive, send)
        keep_newest(manager, upload[1])
