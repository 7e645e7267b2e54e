"""Train a classifier under its key, and watch: the loss and the errors as they fall, paused, ended, taken up again.

What was begun is on the disk (zoo.train.begun), so a page that is loaded anew, another window, or the program after it
was killed shows it and goes on.
"""

import secrets
from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from kerckhoffs import keys, zoo
from kerckhoffs.challenge.service import check_unhidden
from kerckhoffs.defences import DEFENCES
from kerckhoffs.evaluation.metrics import wilson
from kerckhoffs.evaluation.summaries import percent
from kerckhoffs.plots import training as drawn
from kerckhoffs.ui import foreign, models
from kerckhoffs.ui.keylab.issue import Wanted
from kerckhoffs.ui.keylab.said import say, tell
from kerckhoffs.ui.making import Making, trainings
from kerckhoffs.ui.page import sentences
from kerckhoffs.ui.play.price import span
from kerckhoffs.zoo import OWN, ModelCard, train
from kerckhoffs.zoo.train import Curve, Order

LOOK_SECONDS = 1.0
SEEDS = range(1000, train.ATTACKERS_FROM)  # of the user's own networks: no attacker's, and none that ships
NOTHING = "Nothing: weights drawn anew"
QUICK, FULL = "Quick", "Full"
_DONE = "lab_done"  # the ids of what was trained while this page was open


def train_under(wanted: Wanted) -> None:
    """What is trained now, and the controls to begin."""
    say()
    waiting = train.begun()
    for order in waiting:
        _watch(order)
    for id_ in st.session_state.get(_DONE, ()):
        if id_ in models.cards():
            _result(models.card(id_))
    if any((making := trainings().of(order.folder.name)) and not making.done for order in waiting):
        return
    _begin(wanted)


def _begin(wanted: Wanted) -> None:
    plain = DEFENCES[wanted.defence].training == "clean"
    usual = train.recipe_for(wanted.dataset, wanted.network, wanted.defence)
    recipes = {QUICK: f"{QUICK}: {train.quick(usual).epochs} epochs", FULL: f"Full recipe: {usual.epochs} epochs"}
    offered = list(recipes) if plain else [FULL]
    left, right = st.columns(2)
    recipe = left.segmented_control(
        "Recipe",
        offered,
        default=offered[0],
        format_func=recipes.__getitem__,
        key=f"lab_recipe_{plain}",
        required=True,
        help="The quick one takes about a minute for Table 1 on two cores, and costs some tenths of a point of error.",
    )
    start = right.selectbox(
        "Start from",
        [NOTHING, *_starts(wanted)],
        format_func=lambda each: each if each == NOTHING else f"the weights of {each}",
        key="lab_start",
        help="After a new key, a rotation: the old weights under the new key, or nothing.",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Train",
            type="primary",
            icon=":material/model_training:",
            disabled=not wanted.keys,
            key="lab_train",
            on_click=_order,
            args=(wanted, recipe == QUICK, "" if start == NOTHING else start),
        )
        st.caption(
            "It is trained in a process of its own: the pages work meanwhile, closing the tab does not stop it, and "
            "what is ended with the program goes on later."
            if wanted.keys
            else "Make a key first."
        )


def _starts(wanted: Wanted) -> list[str]:
    """Classifiers with one such network, the user's own first: for a new key, the weights behind the old one."""
    found = [
        each.id
        for each in models.listed(wanted.dataset)
        if each.network == wanted.network and each.entry.networks == DEFENCES[wanted.defence].networks == 1
    ]
    return sorted(found, key=lambda each: (not each.startswith(OWN), each))


def _order(wanted: Wanted, quick: bool, start: str) -> None:
    def action() -> str:
        kind = zoo.model_id(wanted.dataset, wanted.network, wanted.defence)
        order = Order(
            id=f"{kind}-{wanted.keys[0][:6]}",
            dataset=wanted.dataset,
            network=wanted.network,
            defence=wanted.defence,
            quick=quick,
            seed=secrets.choice(SEEDS),
            keys=wanted.keys,
            start=start,
        )
        if OWN + order.id in zoo.own_models():
            raise ValueError(f"{OWN}{order.id} is there already: a key for each classifier; make another key")
        _go(order)
        return ""

    tell(action)


def _go(order: Order) -> None:
    """Begin, or go on; the keys are read here and handed to the process.

    Raises:
        ValueError: as keys.find does, in the place of a classifier that a challenge hides, and if too much is made
            already.
    """
    check_unhidden(order.id, zoo.own_folder())
    found = tuple(keys.find(zoo.user_key_path(name)) for name in order.keys)
    order.note()
    trainings().begin(order.folder.name, partial(train.run, order, found))


def _watch(order: Order) -> None:
    with st.container(border=True, key=f"panel_training_{order.folder.name}"):
        st.fragment(_draw, run_every=LOOK_SECONDS)(order)


def _draw(order: Order) -> None:
    with sentences():
        name = order.folder.name
        making = trainings().of(name)
        if making is None or making.done:
            if not order.folder.exists():  # it has ended; or was forgotten, in another window
                state: Any = st.session_state
                if OWN + order.id in zoo.own_models():
                    state[_DONE] = (*state.get(_DONE, ()), OWN + order.id)
                st.rerun()
            _stands(order, making)
            return
        curve = making.progress or order.curve()
        _progress(order, making, curve)


def _stands(order: Order, making: Making[Curve] | None) -> None:
    """One that nobody works at."""
    curve = order.curve()
    if making is not None and making.error:
        st.error(foreign.sentence(making.error), icon=":material/error:")
    share = curve.step / curve.steps if curve.steps else 0.0
    st.markdown(f"**{foreign.code(order.id)}** stands at {share:.0%}.")
    _charts(order, curve)
    with st.container(horizontal=True):
        for words, icon, action in (("Go on", "play_arrow", _go), ("Forget it", "delete", Order.forget)):
            st.button(
                words,
                icon=f":material/{icon}:",
                key=f"lab_{icon}_{order.folder.name}",
                on_click=lambda action=action: tell(lambda: action(order) or ""),
            )


def _progress(order: Order, making: Making[Curve], curve: Curve) -> None:
    share = curve.step / curve.steps if curve.steps else 0.0
    words = [f"{order.id}: {'its turn has not come' if making.progress is None else 'beginning'}"]
    if curve.steps:
        stage = "" if curve.stage in ("", "network") else f"{curve.stage}, "
        epochs = order.recipe.epochs
        words = [f"{order.id}: {stage}epoch {min(int(share * epochs) + 1, epochs)} of {epochs}"]
        words += [f"loss {curve.losses[-1][1]:.3f}"] if curve.losses else []
        words += [f"{100 * curve.errors[-1][0]:.2f} % wrong of the validation samples"] if curve.errors else []
        left = curve.seconds_left
        words += [f"about {span(left)} left"] if left is not None else []
    st.progress(min(share, 1.0), "Ending" if making.stopped else ", ".join(words))
    _charts(order, curve)
    with st.container(horizontal=True):
        for label, icon, how in (
            ("Pause", "pause", "pause"),
            ("Stop and keep the best", "stop", "finish"),
        ):
            st.button(
                label,
                icon=f":material/{icon}:",
                key=f"lab_{how}_{order.folder.name}",
                disabled=making.stopped or (how == "finish" and not curve.errors),
                help="Once an epoch is over there is something to keep." if how == "finish" else None,
                on_click=making.stop,
                args=(how,),
            )


def _charts(order: Order, curve: Curve) -> None:
    if not curve.losses:
        return
    left, right = st.columns(2)
    name, epochs = order.folder.name, order.recipe.epochs
    plain = {"displayModeBar": False}
    left.plotly_chart(
        drawn.loss(curve, epochs), key=f"lab_loss_{name}", config=plain, alt="The loss of the training batches by epoch"
    )
    right.plotly_chart(
        drawn.errors(curve, epochs, _beside(order)),
        key=f"lab_errors_{name}",
        config=plain,
        alt="The validation error after each epoch, beside that of the shipped classifiers",
    )


def _beside(order: Order) -> dict[str, float]:
    """The validation errors of the shipped classifier like it, and of the classical one."""
    cards = models.cards()
    found = {
        "the shipped one": zoo.model_id(order.dataset, order.network, order.defence),
        "without a key": zoo.model_id(order.dataset, order.network, "classical"),
    }
    return {words: cards[id_].validation_error for words, id_ in found.items() if id_ in cards}


def _result(entry: ModelCard) -> None:
    """What came of it, and where to go on."""
    with st.container(border=True, key=f"panel_done_{entry.sha256[:8]}"):
        parts = [f"**{foreign.code(entry.id)} is yours.** Error on {entry.test_samples} test samples: {_error(entry)}"]
        cards = models.cards()
        for words, defence in (("the shipped one", entry.defence), ("without a key", "classical")):
            other = cards.get(zoo.model_id(entry.dataset, entry.network, defence))
            if other is not None:
                parts.append(f"{words}: {_error(other)}")
        seconds = entry.training.get("seconds")
        parts += [f"trained in {span(seconds)}"] if isinstance(seconds, int | float) else []
        st.markdown("; ".join(parts) + ".")
        with st.container(horizontal=True):
            query = {"set": entry.dataset, "network": entry.network, "right": entry.id}
            st.link_button("Attack it in Play", f"./?{urlencode(query)}", icon=":material/swords:")
            st.caption("It stands in every menu, and its key below. Now see how good that is, and keep a copy of it.")


def _error(entry: ModelCard) -> str:
    wrong = round(entry.test_error * entry.test_samples)
    return percent(entry.test_error, *wilson(wrong, entry.test_samples)) + " %"
