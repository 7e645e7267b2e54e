"""What follows from an example, in words: whether it worked where it was crafted, whom it misleads, what to try.

Every combination of what can come out has its own true sentence (tests/ui/play/test_consequences.py walks them): what
happened on the model that the example was crafted on, then on the defended classifier, then on the others. Noise is
crafted on none. Last comes what to be wary of (evaluation/flags.py), as far as a single example shows it.
"""

from collections.abc import Mapping
from functools import lru_cache

import torch

from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.attacks import ATTACKS, Attack
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluation.judge import Verdict
from kerckhoffs.evaluation.probes import TINY, gradient_sizes
from kerckhoffs.ui.models import card, model
from kerckhoffs.ui.play.experiment import Experiment, Readings, picture
from kerckhoffs.zoo import ModelCard

EFFORTS = ("iterations", "max_iterations", "max_queries")  # options of which more is stronger


def consequence(experiment: Experiment, readings: Readings) -> str:
    """What holds for this example, and nothing that it does not show of others."""
    verdicts = {name: reading.verdict for name, reading in readings.items()}
    if experiment.of_nothing:
        return _of_noise(experiment, verdicts)
    there, defended = verdicts[experiment.crafted_on], verdicts[experiment.right]
    classes = DATASETS[experiment.dataset].classes
    said = [f"Crafted on the **{there.crafted_on}**, {_where_crafted(there, classes)}"]
    if experiment.crafted_on == experiment.right:
        said.append(_on_itself(experiment, there))
    else:
        said.append(_carried(experiment, there, defended, classes))
    said += [
        _beside(verdicts[name], classes, _merit(experiment) if name == experiment.control_id else "")
        for name in experiment.columns
        if name not in (experiment.crafted_on, experiment.right)
    ]
    if not there.crafted_success and not there.nothing_to_attack and not defended.fooled:
        said.append(advice(experiment))
    said += [vanishing(experiment), random_answers(experiment)]
    return " ".join(filter(None, said))


def _of_noise(experiment: Experiment, verdicts: Mapping[str, Verdict]) -> str:
    """What noise shows of each classifier."""
    classes = DATASETS[experiment.dataset].classes
    said = [f"This is noise, crafted on {experiment.crafted_words}."]
    for name in (experiment.right, *(each for each in experiment.columns if each != experiment.right)):
        verdict, whom = verdicts[name], f"the {verdicts[name].evaluated_on}"
        turned = f"{classes[verdict.before]} → {classes[verdict.after]}"
        if verdict.before != verdict.label:
            said.append(f"{_sentence(whom)} was wrong before any noise.")
        elif verdict.fooled:
            said.append(f"It misleads {whom} ({turned}): no attack was needed.")
        else:
            said.append(f"{_sentence(whom)} still reads {classes[verdict.after]}.")
    if not verdicts[experiment.right].fooled:
        said.append("Noise is no attack, so this says nothing about the defence.")
    return " ".join(filter(None, (*said, random_answers(experiment))))


def _where_crafted(there: Verdict, classes: tuple[str, ...]) -> str:
    """What the attack did on the model that it had."""
    if there.nothing_to_attack:
        return f"which read the clean image as {classes[there.before]} already: there was nothing to attack."
    if not there.crafted_success:
        wanted = "" if there.target is None else f", not as {classes[there.target]}"
        read = "still read as" if there.after == there.before else "read as"
        return f"and failed there: {read} {classes[there.after]}{wanted}."
    return f"and works there: {classes[there.before]} → {classes[there.after]}."


def _on_itself(experiment: Experiment, there: Verdict) -> str:
    """What that says where the attacked model is the defended one."""
    if there.nothing_to_attack:
        return ""
    if not there.crafted_success and not there.fooled:
        return "A failed attack says nothing about the defence."
    if not there.crafted_success:
        return f"It missed its target and misleads the {there.evaluated_on} all the same. {_no_help(experiment)}"
    return _no_help(experiment)


def _no_help(experiment: Experiment) -> str:
    """What did not stop an attack on the defended classifier itself."""
    entry = card(experiment.right)
    if _undefended(entry):
        return "It has no defence: nothing was there to stop it."
    if experiment.knowledge in ("labels", "scores"):
        return "Queries were enough: the defence failed" + (" though its key stayed secret." if entry.keyed else ".")
    if not entry.keyed:
        return "The defence failed, and it has no key to keep secret."
    if entry.entry.training != "clean":
        return "With its key known, the defence failed."
    return "With its key known, the defence is none."


def _undefended(entry: ModelCard) -> bool:
    """Whether it is a network alone, trained as usual."""
    return entry.entry.family == "none" and entry.entry.training == "clean"


def _carried(experiment: Experiment, there: Verdict, defended: Verdict, classes: tuple[str, ...]) -> str:
    """What that says of the defended classifier, on which it was not crafted."""
    entry = card(experiment.right)
    whom = f"the {defended.evaluated_on}"
    if defended.before != defended.label:
        return f"{_sentence(whom)} was wrong before any attack: this example says nothing about it."
    if defended.fooled:
        failed = "it has no defence that could help" if _undefended(entry) else f"the defence failed {_why(experiment)}"
        turned = f"{classes[defended.before]} → {classes[defended.after]}"
        if there.crafted_success and not there.nothing_to_attack:
            return f"It carries over to {whom} ({turned}): {failed}."
        return f"Even so it misleads {whom} ({turned}): {failed}."
    if there.nothing_to_attack or not there.crafted_success:
        which = "An attack that had nothing to do" if there.nothing_to_attack else "A failed attack"
        return f"{which} says nothing about the defence."
    return f"It does not carry over to {whom}. One example proves nothing for others."


def _why(experiment: Experiment) -> str:
    """What was still secret of a classifier that an example carries over to, and what was enough all the same."""
    chosen, keyed = ATTACKERS[experiment.knowledge].chosen(dict(experiment.given)), card(experiment.right).keyed
    if experiment.knowledge == "part-of-key" and chosen["share"] > 0:
        return "with its key known" if chosen["share"] == 1 else "though only a part of its key was known"
    enough = {"substitute": ": its answers were enough", "bypass": ": its weights were enough"}
    enough["recovery"] = enough["bypass"]
    return f"though its {'key' if keyed else 'weights'} stayed secret" + enough.get(experiment.knowledge, "")


def _merit(experiment: Experiment) -> str:
    """What it is no merit of, if the control withstands an example as well."""
    return "a key" if card(experiment.right).keyed else "the defence"


def _beside(verdict: Verdict, classes: tuple[str, ...], merit: str) -> str:
    """What a classifier beside says that is neither attacked nor defended; `merit` is given for the control."""
    whom = f"the {verdict.evaluated_on}"
    if verdict.before != verdict.label:
        return f"{_sentence(whom)} was wrong before any attack."
    if verdict.fooled:
        return f"It misleads {whom} as well ({classes[verdict.before]} → {classes[verdict.after]})."
    if verdict.says_nothing or not merit:
        return f"{_sentence(whom)} still reads {classes[verdict.after]}."
    return f"{_sentence(whom)} withstands it too: what it withstands is no merit of {merit}."


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]


def advice(experiment: Experiment) -> str:
    """What to try after an attack failed on the model that it was crafted on."""
    chosen = dict(experiment.options)
    tries = ["raise epsilon"] if chosen.get("epsilon", 1) < 1 else []
    tries += [f"raise {name.replace('_', ' ')}" for name in EFFORTS if name in chosen][:1]
    tries += ["aim at any wrong class"] if experiment.target is not None else []
    tries += [f"use {name}" for name in _stronger(ATTACKS[experiment.attack])]
    return f"Try this: {', or '.join(tries)}." if tries else ""


def _stronger(attack: Attack) -> list[str]:
    """An attack that reads the same and finds the smallest change that fools, if this one does not."""
    if attack.kind == "minimal":
        return []
    names = {each.id: each.name for each in ATTACKS.values() if (each.kind, each.access) == ("minimal", attack.access)}
    return [names.get("cw_l2") or next(iter(names.values()))] if names else []


def vanishing(experiment: Experiment) -> str:
    """That the cross-entropy has no gradient here, where the attack reads gradients; "" if it has."""
    if ATTACKS[experiment.attack].access != "gradients" or experiment.target is not None:  # that to a target is there
        return ""
    entry = card(experiment.crafted_on)
    of_image = experiment.dataset, experiment.source, experiment.value, experiment.label
    size = _gradient(experiment.crafted_on, entry.sha256, *of_image)
    if not size < TINY:  # NaN: it gives none at all
        return ""
    follows = (
        "This attack climbs it: that it fails is no robustness."
        if dict(experiment.options).get("arithmetic") == "float32"
        else "This attack does not climb it so; one with arithmetic=float32 would, and get nowhere."
    )
    much = "0" if size == 0 else "all but 0"
    return (
        f"**Vanishing gradient:** on the {experiment.names[experiment.crafted_on]} the gradient of the cross-entropy "
        f"at this image is {much} in float32. {follows}"
    )


@lru_cache(maxsize=256)
def _gradient(model_id: str, sha256: str, dataset: str, source: str, value: str, label: int) -> float:
    """The largest entry of the cross-entropy's gradient at a clean image: the same for all options of an attack."""
    return float(gradient_sizes(model(model_id), picture(dataset, source, value), torch.tensor([label])))


def random_answers(experiment: Experiment) -> str:
    """That a classifier may say something else the next time; "" if none does."""
    random = [experiment.names[name] for name in experiment.columns if card(name).entry.randomized]
    if not random:
        return ""
    whose = f"The {' and the '.join(random)}"
    return f"**Random answers:** {whose} may say something else at the next look; judge by many."
