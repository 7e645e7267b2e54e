"""What is computed while people watch: one thing at a time, in one thread of torch, and never waited for long.

What is too slow, or comes while the worker is at something else, is shown as it was computed before.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from kerckhoffs.room import Room, Shown

PATIENCE = 1.5  # seconds

_worker = ThreadPoolExecutor(1, "stage")
_busy = False
_last: dict[str, tuple[int, float, Shown]] = {}  # of each room: scene, epsilon, and what was computed last


def slid(room: Room) -> Shown | None:
    """What was computed where the slider of a room stands; None if that is not what was computed last."""
    state, last = room.state, _last.get(room.code)
    return last[2] if last and last[:2] == (state.scene, state.epsilon) and not state.calm else None


def keep(room: Room, scene: int, epsilon: float, shown: Shown) -> None:
    """Remember what was computed of a scene."""
    _last[room.code] = scene, epsilon, shown


def forget(room: Room) -> None:
    """Remember nothing of a room."""
    _last.pop(room.code, None)


async def computed(work: Callable[[], Shown]) -> Shown | None:
    """Something from the worker; None if it is at something else, or takes too long.

    Raises:
        ValueError: what the work refuses.
    """
    global _busy
    if _busy:
        return None
    _busy = True

    def alone() -> Shown:
        global _busy
        try:
            from kerckhoffs.ui.page import one_thread

            one_thread()
            return work()
        finally:
            _busy = False

    job = asyncio.get_running_loop().run_in_executor(_worker, alone)
    try:
        return await asyncio.wait_for(asyncio.shield(job), PATIENCE)
    except TimeoutError:
        return None
