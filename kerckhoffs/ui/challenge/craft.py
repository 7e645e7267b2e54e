"""Adversarial images for a challenge, made on the page: an attack of the app on the classical twin, or a .npy file."""

from dataclasses import dataclass
from typing import Any

import streamlit as st
import torch
from torch import Tensor

from kerckhoffs.attacks import ATTACKS, Attack
from kerckhoffs.challenge import arrays
from kerckhoffs.challenge.rules import Rules
from kerckhoffs.challenge.service import Challenge
from kerckhoffs.challenge.wire import NPY
from kerckhoffs.ui import models
from kerckhoffs.ui.controls import title
from kerckhoffs.ui.jobs import Job, keep_one
from kerckhoffs.ui.page import one_thread
from kerckhoffs.ui.uploads import let_go

ALL = -1
LOOK_SECONDS = 0.5
USUAL = {"linf": "mi_fgsm", "l2": "ddn"}
_JOB, _READ = "challenge_job", "challenge_read"


@dataclass(frozen=True, eq=False)
class Crafted:
    """Examples to submit, float32 (N, C, H, W), the positions of their originals, and how they were made."""

    images: Tensor
    positions: tuple[int, ...]
    how: str


def craft(challenge: Challenge) -> Crafted | None:
    """Draw the two ways; returns what one of them has made."""
    ways = ["Attack the twin", "Upload a .npy file"] if challenge.rules.twin else ["Upload a .npy file"]
    way = st.segmented_control("Examples", ways, default=ways[0], key="challenge_way", required=True)
    return _uploaded(challenge) if way == "Upload a .npy file" else _attacked(challenge)


def offered(rules: Rules) -> list[Attack]:
    """The attacks of the rules' norm, on a model that is the attacker's own; none that is fitted on other images."""
    return [each for each in ATTACKS.values() if each.norm == rules.norm and each.kind != "universal"]


def options(attack: Attack, rules: Rules) -> dict[str, Any]:
    """The defaults, as far as the budget lets."""
    return {each.name: rules.budget for each in attack.options if each.name == "epsilon" and rules.budget <= each.high}


def _attacked(challenge: Challenge) -> Crafted | None:
    rules = challenge.rules
    images, labels = challenge.images()
    which, how = st.columns(2)
    ids = [each.id for each in offered(rules)]
    position = which.selectbox(
        "Image",
        [ALL, *range(len(images))],
        format_func=lambda each: "all of them" if each == ALL else f"{each}: {rules.classes[int(labels[each])]}",
        key="challenge_position",
    )
    chosen = how.selectbox(
        "Attack",
        ids,
        index=ids.index(USUAL[rules.norm]),
        format_func=lambda each: title(ATTACKS[each]),
        key="challenge_attack",
        help="It sees the classical twin and nothing else, so it costs no queries.",
    )
    positions = tuple(range(len(images)) if position == ALL else (position,))
    what = (challenge.id, chosen, positions)
    state: Any = st.session_state
    if st.button("Craft on the twin", icon=":material/swords:", key="challenge_craft"):
        keep_one(_JOB, lambda job: _work(job, challenge, ATTACKS[chosen], positions), what)
    job: Job | None = state.get(_JOB)
    if job is None or job.what != what:
        return None
    if not job.done:
        st.fragment(_watch, run_every=LOOK_SECONDS)(job)
        return None
    made = job.result()
    return None if made is None else Crafted(made, positions, f"{ATTACKS[chosen].name}, crafted on {rules.twin}")


def _work(job: Job, challenge: Challenge, attack: Attack, positions: tuple[int, ...]) -> Tensor:
    images, labels = challenge.images()
    rows = torch.tensor(positions)
    twin = models.model(challenge.rules.twin)
    return attack.run(twin, images[rows], labels[rows], on_step=job.on_step, **options(attack, challenge.rules))


def _watch(job: Job) -> None:
    one_thread()
    if job.done:
        st.rerun()
    step = job.step
    st.progress(step.done / step.total if step else 0.0, "The attack is at work.")
    st.button("Stop", icon=":material/stop:", key="challenge_stop", on_click=job.stop)


def _uploaded(challenge: Challenge) -> Crafted | None:
    rules = challenge.rules
    count = len(rules.samples)
    sides = ", ".join(map(str, rules.shape))
    most = arrays.longest(count * torch.Size(rules.shape).numel(), NPY)
    position = st.selectbox(
        "Of the image",
        [ALL, *range(count)],
        format_func=lambda each: f"all {count}, in their order" if each == ALL else str(each),
        key="challenge_of",
    )
    file = st.file_uploader(
        f"float32 (N, {sides}) in [0, 1], as numpy.save writes it",
        type=["npy"],
        max_upload_size=8,
        key="challenge_file",
    )
    state: Any = st.session_state
    if file is None:
        state.pop(_READ, None)
        return None
    if state.get(_READ, ("",))[0] != file.file_id:
        if file.size > most:
            raise ValueError(f"the file may have {most} bytes, but has {file.size}")
        state[_READ] = file.file_id, _read(file.getvalue(), rules, count)
        let_go(file)
    read = state[_READ][1]
    if isinstance(read, str):
        raise ValueError(read)
    positions = tuple(range(count) if position == ALL else (position,))
    if len(read) != len(positions):
        raise ValueError(f"the file has {len(read)} images, but {len(positions)} are chosen")
    return Crafted(read, positions, "from your file")


def _read(body: bytes, rules: Rules, count: int) -> Tensor | str:
    try:
        return arrays.read(body, NPY, rules.shape, count)
    except ValueError as error:
        return str(error)
