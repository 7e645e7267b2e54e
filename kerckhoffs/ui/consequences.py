"""What follows from an example, in words: whether it worked where it was crafted, what that says, what to try."""

from collections.abc import Mapping

from kerckhoffs.attacks import ATTACKS, Attack
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluate import succeeded
from kerckhoffs.ui.play import Experiment, Reading

EFFORTS = ("iterations", "max_iterations", "max_queries")  # options of which more is stronger


def consequence(experiment: Experiment, readings: Mapping[str, Reading]) -> str:
    """What holds for this example, and nothing that it does not show of others."""
    classes = DATASETS[experiment.dataset].classes
    there, keyed = readings[experiment.crafted_kind].verdict, readings["keyed"].verdict
    crafted = f"Crafted on the **{there.crafted_on}**"
    if succeeded(there.before, there.label, there.target):
        read = classes[there.before]
        return f"{crafted}, which read the clean image as {read} already: there was nothing to attack."
    if not there.crafted_success:
        wanted = "" if experiment.target is None else f", not as {classes[experiment.target]}"
        read = "still read as" if there.after == there.before else "read as"
        return (
            f"{crafted}, and failed there: {read} {classes[there.after]}{wanted}. A failed attack says nothing about "
            f"the defence. {advice(experiment)}"
        )
    worked = f"{crafted}, and works there: {classes[there.before]} → {classes[there.after]}."
    if experiment.knowledge == "black-box":
        return f"{worked} Queries were enough: the defence failed though its key stayed secret."
    if experiment.knowledge == "white-box":
        return f"{worked} With its key known, the defence is none."
    if keyed.before != keyed.label:
        return f"{worked} The keyed classifier was wrong before any attack."
    if keyed.fooled:
        return f"{worked} It carries over to the keyed classifier: the defence failed though its key stayed secret."
    return f"{worked} It does not carry over to the keyed classifier. One example proves nothing for others."


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
