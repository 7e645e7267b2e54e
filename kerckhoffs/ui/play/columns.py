"""Which classifiers stand side by side: any two of a data set, and a control beside them."""

from dataclasses import dataclass

import streamlit as st

from kerckhoffs.data import DATASETS
from kerckhoffs.ui import controls, link, models
from kerckhoffs.ui.models import card, cards, control, pair, title
from kerckhoffs.zoo import NETWORKS


@dataclass(frozen=True)
class Columns:
    """What was chosen: the two classifiers by id, the right one defended, and whether a control stands beside."""

    dataset: str
    network: str
    left: str
    right: str
    control: bool

    def address(self) -> dict[str, str]:
        """What the page's address says of it: the two ids where they are not the network's first pair."""
        said = {"set": self.dataset, "network": self.network}
        if (self.left, self.right) != pair(self.dataset, self.network):
            said |= {"left": self.left, "right": self.right}
        return said | ({"control": "true"} if self.control else {})


def choose() -> Columns:
    """The data set, the network, and which two classifiers; at first the network's pair."""
    every = cards()
    sets = {name: DATASETS[name] for name in models.sets()}
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        dataset = controls.entry("Data", sets, next(iter(sets)), key="dataset", name="set")
        menus = st.popover("Side by side", icon=":material/view_column:")
    there = {each.network for each in every.values() if each.dataset == dataset}
    networks = {name: f"{entry.name}: {entry.layers}" for name, entry in NETWORKS.items() if name in there}
    if st.session_state.get("network") not in {None, *networks}:
        del st.session_state["network"]
    network = controls.entry("Network", networks, next(iter(networks)), key="network", name="network")
    with menus:
        return Columns(dataset, network, *_two(dataset, network))


def _two(dataset: str, network: str) -> tuple[str, str, bool]:
    titles = {each.id: title(each) for each in cards().values() if each.dataset == dataset}
    first, second = pair(dataset, network)

    def menu(label: str, name: str, opening: str, help: str) -> str:
        key = f"{name}_{dataset}_{network}"  # another network begins with its own pair
        link.once(key, name, opening, link.one_of(titles))
        if st.session_state[key] not in titles:  # removed meanwhile
            st.session_state[key] = opening
        chosen: str = st.selectbox(
            label, list(titles), format_func=titles.__getitem__, key=key, persist_state="session", help=help
        )
        return chosen

    left = menu("Left", "left", first, "Any classifier of this data set, to compare with.")
    right = menu("Right", "right", second, "The defended one: the attacker knows this or that about it.")
    if control(card(right)) is None:
        return left, right, False
    link.once("control", "control", False, lambda text: text == "true")
    beside = st.toggle(
        "A control beside them",
        key="control",
        persist_state="session",
        help="A classifier of another network, without a key, which the attacker never saw: what it withstands as "
        "well is no merit of a key.",
    )
    return left, right, beside
