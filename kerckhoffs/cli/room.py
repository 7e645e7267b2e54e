"""kerckhoffs room: open a room for a talk from the command line, where no browser sits at the machine of the app."""

import sys
from pathlib import Path
from typing import Annotated

import segno
import typer

from kerckhoffs.room import network, rooms
from kerckhoffs.room import talk as talks


def room_command(
    talk: Annotated[
        Path | None, typer.Argument(help="A file of scenes (docs/stage.md); the shipped by default.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the app, for the links.")] = 8501,
    close: Annotated[str | None, typer.Option(help="Close the room of this code instead.")] = None,
) -> None:
    """Open a room, and print the speaker's link and that of the phones; the app need not be restarted."""
    if close is not None:
        room = rooms().find(close)
        if room is None:
            raise ValueError(f"there is no room {close!r}")
        rooms().close(room)
        print(f"closed {room.code}")
        return
    room = rooms().create(talk.read_text(encoding="utf-8-sig") if talk else next(iter(talks.shipped().values())))
    rooms().let_go()
    address = network.local_address()
    base = f"http://{address or 'localhost'}:{port}"
    print(f"Speaker, for nobody else: {base}/room/{room.code}/stage?view=presenter#{room.token}")
    print(f"Phones: {base}/room/{room.code}")
    if address and sys.stdout.isatty():
        segno.make(f"{base}/room/{room.code}", error="m").terminal(compact=True)
