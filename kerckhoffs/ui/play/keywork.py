"""The key at work: what the defended network sees of an image, with the defender's key and with a wrong one.

What moves pixels can be followed; of what else stands before a network the picture is shown, and of several networks
what each of them sees and says. The demonstration keys are public, and still nothing here shows one.
"""

from collections.abc import Sequence

import streamlit as st
import torch
from torch import Tensor

from kerckhoffs import plots
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import Defence, DefendedClassifier, EnsembleClassifier, KeyedClassifier
from kerckhoffs.evaluation.judge import percent, predict
from kerckhoffs.keys import Key
from kerckhoffs.transforms.base import Reordering
from kerckhoffs.transforms.dct import DctSigns, band_mask
from kerckhoffs.transforms.shuffle import Shuffle
from kerckhoffs.ui.models import card, model, shows_view
from kerckhoffs.ui.page import pictures
from kerckhoffs.ui.parts.followed import FOLLOWED, follow
from kerckhoffs.ui.play.experiment import Experiment
from kerckhoffs.ui.play.live import Example
from kerckhoffs.ui.play.views import number, scale

PICTURES = ("clean", "adversarial")
KEYS = ("the defender's key", "a wrong key")
DRAWS = 2  # of a randomised defence
PRIVATE = (
    "The key of the {} is private, so nothing is shown of what its network sees: who may choose the images that go "
    "through P reads the whole key off a few of them. Nor does an attack here read its gradients, which tell "
    "what lies side by side behind P. The owner of the key can start the app with "
    "`kerckhoffs app --show-private-views`, which gives the key away to everyone who can open it."
)


def defended(experiment: Experiment) -> str | None:
    """The classifier that this is about: the defended one, else the first before whose network something stands."""
    there = (name for name in (experiment.right, *experiment.columns) if card(name).entry.box)
    return next(there, None)


def heading(experiment: Experiment) -> str:
    """What the panel is called."""
    name = defended(experiment)
    return "The defence at work" if name is not None and not card(name).keyed else "The key at work"


def key_at_work(experiment: Experiment, example: Example) -> None:
    """The image, or the perturbed one, as the network sees it, and what is then read."""
    name = defended(experiment)
    if name is None:
        st.caption("Nothing stands before any of these networks: they see the images as they are.")
        return
    entry = card(name)
    if not shows_view(entry):
        st.info(PRIVATE.format(experiment.names[name]), icon=":material/lock:")
        return
    classifier, reading = model(name), example.readings[name]
    left, right = st.columns([2, 1], gap="medium", vertical_alignment="center")
    with right:
        what = st.segmented_control("Picture", PICTURES, default=PICTURES[0], required=True, key="key_picture")
        whose = KEYS[0]
        if entry.keyed:
            whose = st.segmented_control("Key", KEYS, default=KEYS[0], required=True, key="key_whose")
        image = experiment.image if what == PICTURES[0] else example.image
        said = reading.before if what == PICTURES[0] else reading.after
        if whose != KEYS[0]:
            classifier = behind_a_wrong_key(name, entry.sha256)
            said = predict(classifier, image)[0].tolist()
        crafted = what != PICTURES[0] and example.made
        of = f"what was crafted on {experiment.crafted_words}" if crafted else "the clean image"
        st.markdown(
            f"{_who(entry.entry, whose)} {of} as **{_read(said, DATASETS[experiment.dataset].classes)}** "
            f"({percent(max(said))})."
        )
        st.caption(_words(entry.entry, classifier))
    with left:
        _draw(entry.entry, classifier, image, "P( · , k)" if whose == KEYS[0] else "P( · , k′)", experiment.dataset)


def _who(defence: Defence, whose: str) -> str:
    """Who reads the image, in words that begin a sentence."""
    one = defence.networks == 1
    if not defence.keyed:
        return f"Behind the {defence.box}, the network reads"
    behind = "the network that was trained" if one else f"the {defence.networks} networks that were trained"
    return f"Behind {whose}, {behind} behind the defender's key {'reads' if one else 'together read'}"


def _read(said: Sequence[float], classes: tuple[str, ...]) -> str:
    return classes[said.index(max(said))]


def _words(defence: Defence, classifier: DefendedClassifier) -> str:
    """What is to be seen."""
    transform = classifier.transform if isinstance(classifier, KeyedClassifier) else None
    if isinstance(transform, Reordering):
        within = " within their block" if isinstance(transform, Shuffle) else ""
        return (
            f"{defence.what} P moves pixels{within} and changes none: every distance is the same before and after it. "
            f"{FOLLOWED} of the pixels can be followed, with the mouse or the Tab key. Where all of them go is the key "
            "itself, and is not shown."
        )
    if isinstance(transform, DctSigns):
        return (
            f"{defence.what} Within the outline P turns the sign of about half of the coefficients; which, is the key, "
            "and is not shown. What lies outside passes unchanged, so what an attacker changes there needs no key."
        )
    if defence.randomized:
        return f"{defence.what} Two of the draws are shown."
    return defence.what


def _draw(defence: Defence, classifier: DefendedClassifier, image: Tensor, words: str, dataset: str) -> None:
    """The image, and what the network sees of it, or what each of the networks sees."""
    if isinstance(classifier, EnsembleClassifier):
        _each(classifier, image, DATASETS[dataset].classes)
        return
    transform = classifier.transform if isinstance(classifier, KeyedClassifier) else None
    if isinstance(transform, Reordering):
        follow(image, classifier.view, f"{words} →")
        return
    row = [(plots.picture(image[0], 1), "image", "the image")]
    if isinstance(transform, DctSigns):
        row.append((_plane(transform, image), "its cosine transform: bright is large", _called(transform)))
    views = [classifier.view(image) for _ in range(DRAWS if defence.randomized else 1)]
    ends = scale(*views)
    for seen in views:
        called = f"what the network sees{scales(ends)}"
        row.append((plots.picture(seen[0], 1, ends), called, f"what the network sees {defence.sees}"))
    pictures(*row)


def scales(ends: tuple[float, float]) -> str:
    """What has to be said of the values that are black and white, if they are not 0 and 1."""
    return "" if ends == (0.0, 1.0) else f"; black is {number(ends[0])}, white {number(ends[1])}"


def _each(classifier: EnsembleClassifier, image: Tensor, classes: tuple[str, ...]) -> None:
    """What each network sees, and what it says alone."""
    views = classifier.views(image)
    ends = scale(*views)
    with torch.no_grad():
        answers = [each.softmax(1)[0].tolist() for each in classifier.members(image)]
    pictures(
        *(
            (
                plots.picture(seen[0], 1, ends),
                f"{title}: {_read(said, classes)} ({percent(max(said))})",
                f"what is seen by {title}",
            )
            for seen, title, said in zip(views, classifier.titles, answers, strict=True)
        ),
        several=True,
    )
    st.caption(f"Under each picture is what this network alone reads{scales(ends)}.")


def _plane(transform: DctSigns, image: Tensor) -> plots.Picture:
    """The logarithm of the sizes of the coefficients of the first channel, the keyed band outlined."""
    sizes = (transform.rows @ image[0, 0] @ transform.columns.T).abs().clamp(min=1e-3).log()
    ends = float(sizes.min()), float(sizes.max())
    band = band_mask(transform.shape, transform.band)
    return plots.outlined(plots.picture(sizes[None], ends=ends), band)


def _called(transform: DctSigns) -> str:
    return f"the sizes of the image's frequencies, low ones above and left; outlined: the {transform.band} ones"


@st.cache_resource(max_entries=8, show_spinner=False)
def behind_a_wrong_key(model_id: str, sha256: str) -> DefendedClassifier:
    """A keyed model's networks behind other keys than their own, drawn anew in each process."""
    entry, shape, known = card(model_id), DATASETS[card(model_id).dataset].shape, model(model_id)
    networks = known.network.children() if isinstance(known, EnsembleClassifier) else iter([known.network])
    wrong = tuple(Key.generate(length) for length in entry.entry.key_lengths(shape))
    return entry.entry.build(lambda: next(networks), shape, wrong).eval()
