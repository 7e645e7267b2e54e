"""kerckhoffs app: the playground, from any folder."""

import json
import os
import runpy
import sys
from pathlib import Path
from typing import Annotated

import typer

from kerckhoffs import places
from kerckhoffs.cli.settings import settings

QUOTE = '"'


def app_command(
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="8501 or the next free one by default.")] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="127.0.0.1, this machine alone, by default; 0.0.0.0 opens it to the network: docs/hosting.md."
        ),
    ] = None,
    headless: Annotated[bool | None, typer.Option(help="Open no browser; the default without a desktop.")] = None,
    models: Annotated[
        Path | None, typer.Option(help="Folder of your own models; that in your data folder by default.")
    ] = None,
    show_private_views: Annotated[
        bool,
        typer.Option(
            help="Show what networks see behind your private keys. Who can open the app can then read those keys off "
            "the pictures."
        ),
    ] = False,
) -> None:
    """Serve the playground, as `streamlit run app.py` does in a checkout. Ctrl-C ends it."""
    if models and not models.is_dir():
        raise ValueError(f"there is no folder {models}")
    if models:
        os.environ["KERCKHOFFS_OWN_MODELS"] = str(models.absolute())
    if show_private_views:
        os.environ["KERCKHOFFS_SHOW_PRIVATE_VIEWS"] = "1"
    given = {"server.port": port, "server.address": address, "server.headless": headless}
    options = settings() | {name: value for name, value in given.items() if value is not None}
    flags = [f"--{name}={json.dumps(value).strip(QUOTE)}" for name, value in options.items()]
    sys.argv = ["streamlit", "run", str(places.PACKAGE / "ui" / "entry" / "app.py"), *flags]
    runpy.run_module("streamlit", run_name="__main__")
