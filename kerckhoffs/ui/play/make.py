"""What is in the place of an attack while the model to craft on has to be made: what it would be, and its making."""

import streamlit as st

from kerckhoffs.attackers import ATTACKERS, Progress
from kerckhoffs.ui import foreign, models
from kerckhoffs.ui.making import Making, makings
from kerckhoffs.ui.making import make as begin
from kerckhoffs.ui.page import sentences
from kerckhoffs.ui.parts.scheme import instead
from kerckhoffs.ui.play.experiment import Experiment
from kerckhoffs.ui.play.price import span

LOOK_SECONDS = 1.0
STAYS = (
    "It is made once and kept. The page works meanwhile, and closing the tab does not stop it; ending the app does, "
    "and then it can go on where it was."
)


def make(experiment: Experiment) -> None:
    """The panel. It looks by itself whether somebody makes it, here or in another window, and when it is there."""
    with st.container(border=True, key="panel_making"):
        st.fragment(_draw, run_every=LOOK_SECONDS)(experiment)


def _draw(experiment: Experiment) -> None:
    with sentences():
        if models.there(experiment.crafted_on):
            st.rerun()
        words, place = st.columns([4, 1], vertical_alignment="center")
        words.markdown(
            f"**This attacker's model has to be made first:** {instead(experiment.knowledge, dict(experiment.given))}."
        )
        button = place.empty()  # of which one takes the other's place
        making = makings().of(experiment.crafted_on)
        again = models.begun(experiment.crafted_on) or (making is not None and making.stopped)
        if making is None or making.done:
            label = "Go on" if again else "Make it"
            if button.button(label, type="primary", icon=":material/build:", width="stretch", key="make_begin"):
                making = begin(experiment.crafted_on)
        if making is not None and not making.done:
            if button.button("Stop", icon=":material/stop:", width="stretch", key="make_stop"):
                making.stop()
            st.progress(*said(making))
            st.caption(STAYS)
            return
        if making is not None and making.error:
            st.error(foreign.sentence(making.error), icon=":material/error:")
        takes = f"That takes {ATTACKERS[experiment.knowledge].takes}."
        st.caption(f"{'It was begun before, and goes on where it was.' if again else takes} {STAYS}")


def said(making: Making[Progress]) -> tuple[float, str]:
    """How far it is, as a share of the whole and in words."""
    progress = making.progress
    if making.stopped:
        return (share(progress) if progress else 0.0), "Stopping"
    if progress is None:
        return 0.0, "Waiting for its turn"
    cost = progress.cost
    words = [f"Part {progress.part} of {progress.parts}: {progress.words}"] if progress.parts > 1 else [progress.words]
    words.append(f"{span(cost.seconds)} so far")
    words += [f"{cost.queries} queries"] if cost.queries else []
    if progress.seconds_left is not None:
        words.append(f"about {span(progress.seconds_left)} left" + " of this part" * (progress.parts > 1))
    text = ", ".join(words)
    return share(progress), text[0].upper() + text[1:]


def share(progress: Progress) -> float:
    """Of the whole, in [0, 1]."""
    return min(max((progress.part - 1 + progress.share) / progress.parts, 0.0), 1.0)
