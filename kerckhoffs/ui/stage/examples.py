"""A scene that shows an example: image + perturbation = example, and what classifiers say of it.

While the room predicts, nothing is shown that tells what came out: no answer to the example but of those whose verdict
is known already, and theirs only if it is known too whether the attack failed where it was crafted, which they tell. Of
an attack that gives an image back unchanged where it fails, the example is not shown either, nor what a network sees.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from kerckhoffs import plots
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluation.judge import percent
from kerckhoffs.room import Question, Scene, Shown
from kerckhoffs.ui.models import card, shows_view
from kerckhoffs.ui.play.experiment import Experiment, Reading, compare, craft
from kerckhoffs.ui.stage import blocks, experiment
from kerckhoffs.ui.stage.blocks import Block

HARMLESS = 1e-6


def check(scene: Scene) -> None:
    """Refuse a scene that cannot be shown, without running its attack.

    Raises:
        ValueError: saying why.
    """
    made = experiment.read(scene.play)
    _need_crafter(made)
    if scene.slider:
        _need_one_step(made)
    if scene.question:
        known = _known(scene, made)
        if scene.question.truth != "option" and _side(scene.question.of, _sides(made)) in known:
            raise ValueError(f"the question asks about {scene.question.of}, whose verdict is said to be known")
        if known and not _settled(made, known):
            raise ValueError("the verdicts that are known tell whether the attack failed; put attacked among them")


def shown(scene: Scene, source: str = blocks.PRECOMPUTED) -> Shown:
    """The example of a scene.

    Raises:
        ValueError: if the address of Play cannot be read, or its example cannot be made here.
    """
    return of(scene, experiment.read(scene.play), source)


def at(scene: Scene, epsilon: float, source: str) -> Shown:
    """The same with another epsilon."""
    made = experiment.read(scene.play)
    _need_one_step(made)
    options = tuple((name, epsilon if name == "epsilon" else value) for name, value in made.options)
    return of(scene, replace(made, options=options), source)


def drawn(scene: Scene, strokes: str) -> Shown:
    """The same attack on a drawing, which counts as what the left classifier reads of it."""
    made = experiment.read(scene.play)
    label = experiment.read_as(made.dataset, "drawing", strokes, made.left)
    return of(scene, replace(made, source="drawing", value=strokes, label=label, target=None), blocks.DRAWN)


def of(scene: Scene, made: Experiment, source: str) -> Shown:
    """What is shown of an experiment."""
    _need_crafter(made)
    adversarial = craft(made)(None)
    readings = compare(made, adversarial)
    sides = _sides(made)
    ids = [sides[each] for each in scene.who if each in sides] or list(made.columns)
    known, question, options = _known(scene, made), scene.question, dict(made.options)

    def view(told: Collection[str], there: bool) -> Block:
        """What is shown where these verdicts are told, and the example is there to be seen or is not."""
        parts = _sum(made, adversarial if there else None), _cards(made, readings, ids, told, there)
        return blocks.view(*parts, source=source, epsilon=options.get("epsilon"))

    settled, failed_too = _settled(made, known), options.get("perturb_all", False)
    before, after = view(known if settled else (), settled or failed_too), view(ids, True)
    return Shown(before, after, *(_truth(question, made, readings, sides) if question else ()))


def _need_crafter(made: Experiment) -> None:
    if not made.ready:
        raise ValueError(f"the model that it is crafted on, {made.crafted_on}, has to be made first: open it in Play")


def _need_one_step(made: Experiment) -> None:
    if "epsilon" not in dict(made.options) or ATTACKS[made.attack].cost != 1:
        raise ValueError(f"the slider moves epsilon of an attack in one step, and {made.attack} is none")


def _side(name: str, sides: Mapping[str, str]) -> str:
    if name not in sides:
        raise ValueError(f"no {name} is shown; add control=true to play")
    return sides[name]


def _sides(made: Experiment) -> dict[str, str]:
    """The ids of the classifiers, by what talks call them."""
    found = {"left": made.left, "defended": made.right, "attacked": made.crafted_on}
    control = made.control_id
    return found | ({"control": control} if control else {})


def _known(scene: Scene, made: Experiment) -> frozenset[str]:
    """The ids of the classifiers whose verdicts are known before the reveal."""
    return frozenset(id_ for name, id_ in _sides(made).items() if name in scene.known)


def _settled(made: Experiment, known: Collection[str]) -> bool:
    """Whether it is known before the reveal whether the attack failed where it was crafted; noise does neither."""
    return made.of_nothing or made.crafted_on in known


def _truth(
    question: Question, made: Experiment, readings: Any, sides: dict[str, str]
) -> tuple[tuple[str, ...], int | None]:
    classes = DATASETS[made.dataset].classes
    if question.truth == "option":
        return question.options, question.answer - 1
    verdict = readings[_side(question.of, sides)].verdict
    if question.truth == "reads":
        return tuple(classes), verdict.after
    return question.options, 0 if verdict.fooled else 1


def _sum(made: Experiment, adversarial: Tensor | None) -> Block:
    classes = DATASETS[made.dataset].classes
    labelled = made.source == "sample"  # else it counts as what somebody or the left classifier says
    what = f"{'the image, a' if labelled else 'counts as'} {classes[made.label]}"
    image = blocks.picture(plots.picture(made.image[0], 1), f"The clean image: {what}", what)
    if adversarial is None:
        return blocks.total(image, None, None, "")
    delta = (adversarial - made.image)[0]
    largest = float(delta.abs().max())
    epsilon = dict(made.options).get("epsilon")
    size = f"ε = {epsilon:g}" if epsilon is not None else f"at most {largest:.3f}"
    return blocks.total(
        image,
        blocks.picture(
            plots.signed(delta, plots.gain(delta), 1), "The perturbation", f"{ATTACKS[made.attack].name}, {size}"
        ),
        blocks.picture(plots.picture(adversarial[0], 1), "The example", "the example"),
        f"Orange: brighter. Blue: darker. Full colour: {largest:.2g}." if largest > HARMLESS else "Nothing changed.",
    )


def _cards(made: Experiment, readings: Any, ids: Sequence[str], told: Collection[str], there: bool) -> Block:
    crafted = f"Crafted on {made.crafted_words}, evaluated on the"
    return blocks.cards(crafted, [_card(made, readings[id_], id_, id_ in told, there) for id_ in ids])


def _card(made: Experiment, reading: Reading, id_: str, told: bool, there: bool) -> Block:
    """A classifier, its verdict where that is told, and what it sees of the example where there is one to be seen."""
    classes, name = DATASETS[made.dataset].classes, made.names[id_]
    verdict, clean = reading.verdict, max(reading.before)
    said: dict[str, Any] = {
        "who": name,
        "clean": f"{classes[verdict.before]} ({percent(clean)})",
    }
    if there and card(id_).keyed and shows_view(card(id_)) and reading.tiles == (1, 1):
        seen = plots.picture(reading.adversarial_view[0], 1, _ends(reading.adversarial_view))
        said["sees"] = blocks.picture(seen, "What its network sees of the example: P(x, k)", "sees")
    if told:
        said |= {"after": f"{classes[verdict.after]} ({percent(verdict.confidence)})", "outcome": verdict.outcome()}
    return said


def _ends(view: Tensor) -> tuple[float, float]:
    low, high = float(view.min()), float(view.max())
    return (0.0, 1.0) if low >= -1e-4 and high <= 1 + 1e-4 else (low, high)
