"""The first picture, computed once while the first browser still loads its scripts: nobody has to wait for torch.

What takes long in a new process are imports and the first run of each operation. A thread does them as soon as the
server starts; a page that comes earlier waits in its own imports for the same modules.
"""

import gc
import logging
import threading
from typing import Literal

State = Literal["cold", "warming", "warm", "failed"]
_state: State = "cold"


def state() -> State:
    """How far it is; what failed here fails on the pages too, which say why."""
    return _state


def begin() -> None:
    """Start, in a thread that nobody has to wait for."""
    global _state
    if _state == "cold":
        _state = "warming"
        threading.Thread(target=_warm, name="warm-up", daemon=True).start()


def _warm() -> None:
    global _state
    gc.disable()  # an import makes millions of objects and no garbage: a sixth of torch's time
    try:
        _first_picture()
        _state = "warm"
    except Exception as error:
        _state = "failed"
        logging.getLogger(__name__).warning("the first picture could not be prepared: %s", error)
    finally:
        gc.freeze()  # nor will any of them ever be garbage
        gc.enable()


def _first_picture() -> None:
    """What the Play page computes when it opens."""
    from kerckhoffs.ui import page
    from kerckhoffs.ui.play import experiment, panels

    page.one_thread()
    opening = experiment.opening()
    readings = experiment.compare(opening, experiment.craft(opening)(None))
    for name, reading in readings.items():
        panels.equation(reading, panels.seen(name), 1.0)
