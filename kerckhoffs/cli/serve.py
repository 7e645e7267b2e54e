"""kerckhoffs app: the playground, from any folder."""

import os
import runpy
from pathlib import Path
from typing import Annotated

import typer


def app_command(
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="8501 or the next free one by default.")] = None,
    address: Annotated[str | None, typer.Option(help="To listen on, for example 127.0.0.1; all by default.")] = None,
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
    for name, value in {"PORT": port, "ADDRESS": address, "HEADLESS": headless}.items():
        if value is not None:
            os.environ[f"STREAMLIT_SERVER_{name}"] = str(value).lower()
    runpy.run_module("kerckhoffs.ui", run_name="__main__")  # a program of its own: nothing here imports the pages
