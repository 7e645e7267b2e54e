"""The server around the pages: what it serves beside them, and what it does when it starts and when it ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from streamlit import cli_util, config
from streamlit.web.server import server_util

from kerckhoffs import __version__
from kerckhoffs.challenge.routes import ROUTES as CHALLENGES
from kerckhoffs.ui import ending, warm
from kerckhoffs.ui.policy import Policy
from kerckhoffs.ui.preload import Preload
from kerckhoffs.ui.stage.routes import ROUTES as ROOMS
from kerckhoffs.ui.uploads import Uploads

MAIN = Path(__file__).parent / "entry" / "main.py"


async def status(request: Request) -> JSONResponse:
    """Which version answers, and whether the first picture is ready: "warming", "warm" or "failed"."""
    return JSONResponse({"name": "kerckhoffs", "version": __version__, "state": warm.state()})


ROUTES = [Route("/api/status", status), *CHALLENGES, *ROOMS]
MIDDLEWARE = [Middleware(Preload), Middleware(Policy), Middleware(Uploads)]


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """From the start of the server to its end."""
    warm.begin()
    _open_browser()
    yield
    ending.end()


def _open_browser() -> None:
    """Show the app on a desktop, which `streamlit run` does of itself only for a plain script."""
    if config.get_option("server.headless"):
        return
    for name in ("browser.serverAddress", "server.address"):
        if config.is_manually_set(name):
            address = server_util.get_display_address(config.get_option(name))
            break
    else:
        address = "localhost"
    cli_util.open_browser(server_util.get_url(address))
