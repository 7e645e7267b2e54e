"""A process of our own that works for us: a pipe to it, and it ends with us."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context, parent_process
from types import TracebackType
from typing import Any, Self


class Child:
    """A process that runs `work(connection, *given)`. Inside a with statement; it is killed at its end.

    Args:
        work: a function of a module, which calls `begin` first.
        given: what it is given. It goes through a pipe, and so into no list of processes.
        name: what it makes, for the sentence that says that it died.
    """

    def __init__(self, work: Callable[..., None], *given: Any, name: str) -> None:
        context = get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._name = name
        self._process = context.Process(target=work, args=(theirs, *given), daemon=True)
        self._process.start()
        theirs.close()

    def hear(self, seconds: float) -> Any:
        """What it says, waited for so long; None if it says nothing.

        Raises:
            RuntimeError: if it died.
        """
        if not self._ours.poll(seconds):
            return None
        try:
            return self._ours.recv()
        except (EOFError, ConnectionResetError):
            raise RuntimeError(f"the process that makes the {self._name} died, perhaps for want of memory") from None

    def say(self, message: Any) -> None:
        """Tell it something; nothing happens if it has ended, which `hear` says."""
        with suppress(OSError):
            self._ours.send(message)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()
        self._ours.close()


GONE = (BrokenPipeError, ConnectionResetError)
"""What a child meets that says something to a parent who was killed: it has nothing more to do."""


def begin() -> None:
    """What a child does first: an interruption at the terminal is its parent's business, and it ends with its parent,
    however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
