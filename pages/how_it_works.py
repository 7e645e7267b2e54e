"""How it works: the paper's idea in two minutes, with figures that are computed from the shipped models."""

import streamlit as st
import torch

from kerckhoffs import plots
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluation.judge import percent, predict
from kerckhoffs.evaluation.metrics import distances, wilson
from kerckhoffs.keys import Key
from kerckhoffs.plots import charts
from kerckhoffs.ui.models import card, model, need, need_view, samples
from kerckhoffs.ui.page import page, panel, pictures
from kerckhoffs.ui.pages import PAGES
from kerckhoffs.ui.parts.scheme import scheme
from kerckhoffs.ui.play.experiment import OPENING_SAMPLE
from kerckhoffs.ui.play.keywork import behind_a_wrong_key
from kerckhoffs.zoo import model_id

DATASET = "mnist"
CLASSICAL, KEYED = (model_id(DATASET, "table1", defence) for defence in ("classical", "keyed"))
CONTROL = model_id(DATASET, "table2", "classical")
EPSILONS = [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]
SHOWN_EPSILON = 0.15
IMAGES = 100  # that the curve is computed on


def reading(network: torch.nn.Module, image: torch.Tensor) -> str:
    """What a network says of an image, for a caption."""
    probabilities = predict(network, image)[0]
    return f"read as {DATASETS[DATASET].classes[int(probabilities.argmax())]} ({percent(float(probabilities.max()))})"


@st.cache_data(max_entries=2, show_spinner=False)
def curve(crafted_on: str) -> dict[str, list[int]]:
    """How many of the first IMAGES test samples each model misreads, by epsilon; FGSM crafted on one of them."""
    images, labels = (each[:IMAGES] for each in samples(DATASET))
    shown = {"classical": CLASSICAL, "keyed": KEYED, "control": CONTROL}
    wrong: dict[str, list[int]] = {kind: [] for kind in shown}
    for epsilon in EPSILONS:
        made = ATTACKS["fgsm"].run(model(crafted_on), images, labels, epsilon=epsilon, perturb_all=True)
        for kind, name in shown.items():
            wrong[kind].append(int((predict(model(name), made).argmax(1) != labels).sum()))
    return wrong


def problem() -> None:
    """An adversarial example on the classical classifier."""
    network, title = model(CLASSICAL), card(CLASSICAL).title
    adversarial = ATTACKS["fgsm"].run(network, IMAGE, LABEL, epsilon=SHOWN_EPSILON, perturb_all=True)
    delta = (adversarial - IMAGE)[0]
    pictures(
        (plots.picture(IMAGE[0], 1), f"{title}: {reading(network, IMAGE)}", "the clean digit"),
        (
            plots.signed(delta, plots.gain(delta), 1),
            f"crafted on {title}: changes no pixel by more than {SHOWN_EPSILON}",
            "the perturbation",
        ),
        (plots.picture(adversarial[0], 1), f"{title}: {reading(network, adversarial)}", "the adversarial digit"),
    )
    st.markdown(
        "A network is a differentiable function, so anyone who has it can ask it in which direction each pixel should "
        "move to make it wrong, and move all of them a little (FGSM). People still read the digit."
    )


def idea() -> None:
    """The same digit behind two keys."""
    other = behind_a_wrong_key(KEYED, card(KEYED).sha256)
    wrong = other.view(IMAGE)
    right = model(KEYED).view(IMAGE)
    title = card(KEYED).title
    pictures(
        (plots.picture(IMAGE[0], 1), "the image x", "the digit"),
        (
            plots.picture(right[0], 1),
            f"P(x, k) · {title}: {reading(model(KEYED), IMAGE)}",
            "the digit behind the defender's key",
        ),
        (
            plots.picture(wrong[0], 1),
            f"P(x, k′) with a wrong key · the same network: {reading(other, IMAGE)}",
            "the digit behind a wrong key",
        ),
    )
    size = distances(IMAGE, torch.zeros_like(IMAGE)).l2, distances(right, torch.zeros_like(right)).l2
    st.markdown(
        "Kerckhoffs's principle: everything about a system may be known, except the key. So a secret key k shuffles "
        "the pixels before the network, in training and in use. The key is as long as the image, drawn from N(0, 1); "
        f"its order is the permutation, one of 784!, which is {Key.generate(784).entropy_bits:.0f} bits. Nothing is "
        f"lost: the length of this image is {float(size[0]):.3f} before P and {float(size[1]):.3f} after it."
    )


def test_of_it() -> None:
    """Error curves, crafted without the key and with it, and what they say."""
    for column, (crafted_on, words) in zip(
        st.columns(2), ((CLASSICAL, "without the key"), (KEYED, "with the key")), strict=True
    ):
        with column:
            st.markdown(f"FGSM crafted **{words}**, on {card(crafted_on).title}")
            st.plotly_chart(
                charts.error_curves(EPSILONS, curve(crafted_on), IMAGES),
                key=f"curve_{crafted_on}",
                config={"displayModeBar": False},
                alt=f"Error of three classifiers by epsilon, FGSM crafted {words}, on {card(crafted_on).title}",
            )
    st.markdown(
        f"The share of the first {IMAGES} test digits that are misread, with 95 % intervals. Evaluated on "
        f"**classical** ({card(CLASSICAL).title}), **keyed** ({card(KEYED).title}), and a **control** "
        f"({card(CONTROL).title}), which has no key either and is not in the paper. Left is the paper's case: what is "
        "crafted without the key is aimed at the wrong function. Right, the attacker has the key."
    )
    st.markdown(answer(curve(CLASSICAL)))


def answer(wrong: dict[str, list[int]]) -> str:
    """What is left at the largest epsilon of what was crafted without the key: on the keyed one and on the control."""
    ends = {kind: wilson(wrong[kind][-1], IMAGES) for kind in ("keyed", "control")}
    said = {
        kind: f"**{wrong[kind][-1]} of {IMAGES}** (95 % interval {100 * low:.0f} to {100 * high:.0f} %; "
        f"{wrong[kind][0]} before the attack)"
        for kind, (low, high) in ends.items()
    }
    fewer = ends["keyed"][1] < ends["control"][0]
    so = "That is fewer." if fewer else "Within the intervals that is no fewer: nothing here shows that the key helps."
    return (
        f"Crafted without the key at ε {EPSILONS[-1]}: the keyed classifier misreads {said['keyed']}, the control "
        f"without any key {said['control']}. {so}"
    )


def claims() -> None:
    """What the paper claims, and what it does not."""
    left, right = st.columns([1, 1], gap="medium", vertical_alignment="center")
    with left:
        scheme("twin", card(KEYED), key="how_scheme")
    right.markdown(
        "- The paper claims that attackers who lack the key (gray box) do little harm, and that the clean error grows "
        "little.\n"
        "- It does not claim that a known key helps (white box).\n"
        "- It says little of attackers who only ask questions (black box): they need no key; nor of those who train "
        "behind keys of their own, or have a part of the key. Play has them all, from noise to the key.\n"
        "- One example proves nothing either way; errors over many, with their intervals, do."
    )
    st.page_link(PAGES[0].file, label="Try it in Play", icon=":material/swords:")


with page("How it works", heading="A key before the network"):
    st.caption(
        "O. Taran, S. Rezaeifar and S. Voloshynovskiy, Bridging machine learning and cryptography in defence against "
        "adversarial attacks, 2018. Table 1 and Table 2 are its two networks. Every figure here is computed by this "
        "page."
    )
    need(CLASSICAL, KEYED, CONTROL)
    need_view(KEYED)
    IMAGE, LABEL = (each[OPENING_SAMPLE : OPENING_SAMPLE + 1] for each in samples(DATASET))
    first, second = st.columns(2, gap="small")
    with first, panel(1, "The problem", "problem"):
        problem()
    with second, panel(2, "The idea", "idea"):
        idea()
    with panel(3, "Does it hold?", "test"):
        test_of_it()
    with panel(4, "What follows", "claims"):
        claims()
