"""A run on the page: found by the address, started, watched while it works, stopped and resumed."""

import os
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import streamlit as st

from kerckhoffs.checks import FileRefused
from kerckhoffs.evaluation import runs
from kerckhoffs.evaluation.runs import Run
from kerckhoffs.ui.batch.estimate import duration
from kerckhoffs.ui.batch.runner import KEPT, Status, runner
from kerckhoffs.ui.page import sentences

POLL_SECONDS = 1.0
WORDS = {
    "waiting": "Waiting for a free worker",
    "running": "Running",
    "stopping": "Stopping",
    "elsewhere": "Another process is working on this run",
    "stopped": "Stopped. What is done is kept, and Resume goes on from there",
    "failed": "Broke off",
    "finished": "Finished",
}


def begin(run: Run, key: str) -> None:
    """Start a new run, put its id into the address, and delete old ones.

    Args:
        key: the page's place in the session for the run that it shows.

    Raises:
        ValueError: if too much is running already; then the run is deleted.
    """
    runs.mark(run)
    try:
        _start(run, key)
    except ValueError:
        runs.remove(run.folder)
        raise
    runner().prune()


def _start(run: Run, key: str) -> None:
    """Start a run, or go on with it, and put its id into the address."""
    state: Any = st.session_state
    runner().start(run, state.setdefault("owner_of_runs", uuid4().hex))
    state[key] = run.id
    st.query_params.from_dict({"run": run.id})


def leave(key: str) -> None:
    """Forget the run that a page shows; the run goes on."""
    st.session_state.pop(key, None)
    st.query_params.clear()


def shown(key: str) -> Run | None:
    """The run that the address names, or that this session looked at last on this page; None if there is none."""
    state: Any = st.session_state
    if "run" in st.query_params:
        state[key] = st.query_params["run"]
    if key not in state:
        return None
    try:
        run = runs.find(state[key])
        runner().status(run)  # refuses what cannot be watched, as after a model was trained anew
    except FileRefused as error:
        leave(key)
        st.warning(f"The address's run was refused: {_by_id(error)}.", icon=":material/link_off:")
        return None
    runs.seen(run)
    if st.query_params.to_dict() != {"run": run.id}:
        st.query_params.from_dict({"run": run.id})
    return run


def _by_id(reason: object) -> str:
    """A reason that names runs by their ids alone: where they lie on the server is for nobody to read."""
    return str(reason).replace(f"{runs.home()}{os.sep}", "")


def watch(run: Run, key: str, show: Callable[[Run, Status], None], another: str) -> None:
    """Draw where a run is and what there is of it, again and again while it works.

    Args:
        show: draws the results that there are.
        another: what the button says that leaves the run.
    """
    busy = runner().status(run).busy
    st.fragment(_watch, run_every=POLL_SECONDS if busy else None)(run, key, show, another, busy)


def _watch(run: Run, key: str, show: Callable[[Run, Status], None], another: str, polling: bool) -> None:
    with sentences():
        status = runner().status(run)
        if polling and not status.busy:
            st.rerun()  # draw the whole page once more, without polling
        _bar(run, status, key, another)
        try:
            show(run, status)
        except FileRefused as error:
            raise FileRefused(_by_id(error)) from error


def _bar(run: Run, status: Status, key: str, another: str) -> None:
    """The progress, and the buttons that go with it."""
    words = "Starting" if status.state == "running" and status.done == 0 else WORDS[status.state]
    if status.state == "failed":
        st.error(f"{words}: {_by_id(status.error)}. What is done is kept.", icon=":material/error:")
    left = f", {duration(status.seconds_left)} left" if status.seconds_left is not None else ""
    st.progress(status.done / status.total, f"{words}: {status.done} of {status.total} examples{left}.")
    with st.container(horizontal=True, gap="small"):
        if status.state in ("waiting", "running", "stopping"):
            st.button(
                "Stop",
                key=f"{key}_stop",
                icon=":material/stop:",
                disabled=status.state == "stopping",
                on_click=runner().stop,
                args=(run,),
            )
        if status.state in ("stopped", "failed") and st.button(
            "Resume", key=f"{key}_resume", icon=":material/play_arrow:", type="primary"
        ):
            _start(run, key)
            st.rerun()
        if st.button(another, key=f"{key}_new", icon=":material/add:"):
            leave(key)
            st.rerun()
    st.caption(
        "The address of this page is this run: it can be closed and opened again. Who has the address can see the run, "
        f"stop it and resume it. It is kept {KEPT}."
    )
