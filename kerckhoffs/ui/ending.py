"""What has to be done when the app ends, however it ends.

After SIGTERM the server ends its process by the signal itself, and Python's atexit never comes; so the server calls
`end` first. Where there is no server, as in a test, atexit does.
"""

import atexit
from collections.abc import Callable

_works: list[Callable[[], None]] = []


def at_end(work: Callable[[], None]) -> None:
    """Have something done once, at the end."""
    _works.append(work)


def end() -> None:
    """Do it now, the newest first."""
    while _works:
        _works.pop()()


atexit.register(end)
