"""Add this to my talk: the scene of what Play shows, as an entry of a talk's file."""

import json
from collections.abc import Mapping
from urllib.parse import urlencode

import streamlit as st

from kerckhoffs.attacks import ATTACKS
from kerckhoffs.data import DATASETS
from kerckhoffs.ui.play.experiment import Experiment

ENTRY = """\
[[scene]]
show = "example"
heading = {heading}
play = {play}
who = [{who}]
notes = "What to say."{slider}
[scene.question]
ask = {ask}
truth = "fooled"
of = "defended"
"""


def offer(experiment: Experiment) -> None:
    """The entry, to copy."""
    with st.popover("Add this to my talk", icon=":material/co_present:"):
        st.caption("A scene for a file of scenes, which the page Stage opens (docs/stage.md).")
        st.code(entry(experiment, st.query_params.to_dict()), language="toml")


def entry(experiment: Experiment, address: Mapping[str, str]) -> str:
    """The entry of an experiment and of the address that it has in Play."""
    attack = ATTACKS[experiment.attack]
    shown = DATASETS[experiment.dataset].classes[experiment.label]
    sides = ["left", "defended"] + ["control"] * (experiment.control_id is not None)
    slides = attack.cost == 1 and "epsilon" in dict(experiment.options)
    return ENTRY.format(
        heading=_text(f"{attack.name}, on a picture of {shown}"),
        play=_text(urlencode({name: value for name, value in address.items() if name != "hide"})),
        who=", ".join(map(_text, dict.fromkeys(sides))),
        slider="\nslider = true" if slides else "",
        ask=_text(f"Is the {experiment.names[experiment.right]} fooled?"),
    )


def _text(words: str) -> str:
    """A text as TOML writes it, which is as JSON does."""
    return json.dumps(words, ensure_ascii=False)
