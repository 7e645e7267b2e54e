"""Which classifiers stand side by side: any two of a data set, and a control beside them."""

from dataclasses import dataclass
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from kerckhoffs.data import DATASETS
from kerckhoffs.ui import controls, link, models
from kerckhoffs.ui.models import card, cards, control, listed, pair, title
from kerckhoffs.zoo import NETWORKS, ModelCard


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


def choose(beside: DeltaGenerator) -> Columns:
    """The data set, the network, and which two classifiers; at first the network's pair.

    Args:
        beside: where the defended one is chosen.
    """
    every = cards()
    sets = {name: DATASETS[name] for name in models.sets()}
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        dataset = controls.entry("Data", sets, next(iter(sets)), key="dataset", name="set")
        menus = st.popover("Side by side", icon=":material/view_column:")
    there = {each.network for each in every.values() if each.dataset == dataset}
    offered = {name: entry for name, entry in NETWORKS.items() if name in there}
    networks = {  # in one row
        name: f"{entry.name}: {entry.layers}" if len(offered) < 3 else entry.name for name, entry in offered.items()
    }
    if st.session_state.get("network") not in {None, *networks}:
        del st.session_state["network"]
    network = controls.entry("Network", networks, next(iter(networks)), key="network", name="network")
    return Columns(dataset, network, *_two(dataset, network, menus, beside))


def _two(dataset: str, network: str, menus: DeltaGenerator, beside: DeltaGenerator) -> tuple[str, str, bool]:
    titles = {each.id: _short(each, network) for each in listed(dataset, network)}
    first, second = pair(dataset, network)

    def menu(label: str, name: str, opening: str, help: str, seen: Literal["visible", "collapsed"]) -> str:
        key = f"{name}_{dataset}_{network}"  # another network begins with its own pair
        link.once(key, name, opening, link.one_of(titles))
        if st.session_state[key] not in titles:  # removed meanwhile
            st.session_state[key] = opening
        chosen: str = st.selectbox(
            label,
            list(titles),
            format_func=titles.__getitem__,
            key=key,
            persist_state="session",
            help=help,
            label_visibility=seen,
            filter_mode="contains",
        )
        return chosen

    with beside:
        right = menu("Defended classifier", "right", second, "", "collapsed")
    with menus:
        left = menu("Left", "left", first, "Any classifier of this data set, to compare with.", "visible")
        return left, right, _with_control(right)


def _short(entry: ModelCard, network: str) -> str:
    """A model's line in the menus: of the chosen network, its defence alone."""
    return title(entry).removeprefix(f"{NETWORKS[network].name}, ") if entry.network == network else title(entry)


def _with_control(right: str) -> bool:
    if control(card(right)) is None:
        return False
    link.once("control", "control", False, lambda text: text == "true")
    return st.toggle(
        "A control beside them",
        key="control",
        persist_state="session",
        help="A classifier of another network, without a key, which the attacker never saw: what it withstands as "
        "well is no merit of a key.",
    )
