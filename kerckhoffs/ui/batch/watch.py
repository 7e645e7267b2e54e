"""A run on the page: found by the address, started, watched while it works, stopped and resumed."""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import streamlit as st

from kerckhoffs.attacks import ATTACKS
from kerckhoffs.checks import FileRefused
from kerckhoffs.evaluation import kept, runs
from kerckhoffs.evaluation.runs import Run
from kerckhoffs.ui import foreign
from kerckhoffs.ui.batch.estimate import duration
from kerckhoffs.ui.batch.runner import KEPT, Status, runner
from kerckhoffs.ui.models import need_open
from kerckhoffs.ui.page import sentences

POLL_SECONDS = 1.0
MINE = "my_runs"
WORDS = {
    "waiting": "Waiting for a free worker",
    "running": "Running",
    "stopping": "Stopping",
    "elsewhere": "Another process is working on this run",
    "stopped": "Stopped. What is done is kept, and Resume goes on from there",
    "failed": "Broke off",
    "finished": "Finished",
}


AGAIN = "A new run of the same attacks, models, samples and seeds; this one stays."


def same_again(run: Run) -> Run:
    """A new run of what a run is about.

    Raises:
        ValueError: if one of its models is missing or has changed.
    """
    _ = run.cards
    options: dict[str, Any] = {"model_folder": run.model_folder, "uploaded": run.uploaded}
    return runs.create(run.experiments, command=run.command, **options)


def begin(run: Run, key: str) -> None:
    """Start a new run, put its id into the address, and delete old ones.

    Args:
        key: the page's place in the session for the run that it shows.

    Raises:
        ValueError: as `_start` does; then the run is deleted.
    """
    kept.mark(run)
    try:
        _start(run, key)
    except ValueError:
        kept.remove(run.folder)
        raise
    runner().prune()


def _start(run: Run, key: str) -> None:
    """Start a run, or go on with it, and put its id into the address.

    Raises:
        ValueError: if pages may not ask one of its models, or too much is running already.
    """
    for name in run.models:
        need_open(name, run.model_folder)
    state: Any = st.session_state
    runner().start(run, state.setdefault("owner_of_runs", uuid4().hex))
    state[key] = run.id
    _remember(run.id)
    st.query_params.from_dict({"run": run.id})


def _remember(run_id: str) -> None:
    known: list[str] = st.session_state.setdefault(MINE, [])
    if run_id not in known:
        known.append(run_id)


def mine() -> None:
    """The runs that this session has started or looked at, newest first; nobody else's: who has an id can stop it."""
    found = []
    for name in reversed(st.session_state.get(MINE, [])):
        with suppress(FileRefused):  # deleted, or of a model that is not there any more
            run = runs.find(name)
            found.append((run, runner().status(run)))
    if not found:
        return
    with st.expander(f"My runs ({len(found)})", icon=":material/history:"):
        for run, status in found:
            words = " · ".join(dict.fromkeys(ATTACKS[each.attack].name for each in run.experiments))
            crafted_on = ", ".join(dict.fromkeys(each.crafted_on for each in run.experiments))
            link, said = st.columns([1, 4], vertical_alignment="center")
            if link.button(f"Open {run.id[9:15]}", key=f"mine_{run.id}", width="stretch"):
                st.query_params.from_dict({"run": run.id})
                st.rerun()
            said.markdown(
                f"{words}, crafted on {foreign.code(crafted_on)}: {WORDS[status.state].partition('.')[0].lower()}, "
                f"{status.done} of {status.total} examples"
            )


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
        st.warning(f"The address's run was refused: {foreign.sentence(_by_id(error))}.", icon=":material/link_off:")
        return None
    kept.seen(run)
    _remember(run.id)
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
        st.error(f"{words}: {foreign.sentence(_by_id(status.error))}. What is done is kept.", icon=":material/error:")
    left = f", {duration(status.seconds_left)} left" if status.seconds_left is not None else ""
    st.progress(status.done / status.total, f"{words}: {status.done} of {status.total} examples{left}.")
    if status.now:
        st.caption(f"Now: {foreign.code(status.now)}")
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
        if not status.busy and st.button("Same again", key=f"{key}_again", icon=":material/replay:", help=AGAIN):
            begin(same_again(run), key)
            st.rerun()
        if st.button(another, key=f"{key}_new", icon=":material/add:"):
            leave(key)
            st.rerun()
    st.caption(
        "The address of this page is this run: it can be closed and opened again. Who has the address can see the run, "
        f"stop it and resume it. It is kept {KEPT}."
    )
