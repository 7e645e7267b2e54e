"""Defences that change how a network is trained, not what stands before it: behind a key as well as without one.

Here is what they are; zoo/train has how it is done. `retrained` puts a training and what stands around a network
together: "adversarial" is the network alone, "keyed-adversarial" the same behind the permutation.
"""

from dataclasses import dataclass, replace

from kerckhoffs.defences.base import Defence, Training


@dataclass(frozen=True)
class Retraining:
    """A way to train; the fields are a Defence's.

    Args:
        name: for people, after that of what stands around the network: "keyed, adversarially trained".
    """

    id: Training
    name: str
    what: str
    cost: str
    known: str
    trained: str
    source: str


RETRAININGS: dict[str, Retraining] = {
    each.id: each
    for each in (
        Retraining(
            "distilled",
            "distilled",
            "The network learns the soft answers of a twin, both at a high temperature (100), and is used at 1.",
            "Its logits grow a hundredfold, so that the gradient of the cross-entropy rounds to zero: that hides the "
            "weakness and does not mend it.",
            "Carlini and Wagner 2017: their attack, which reads logits, fools it always. FGSM fails for want of a "
            "gradient, unless its arithmetic is exact.",
            "on the soft answers of a teacher at a temperature",
            "Papernot, McDaniel, Wu, Jha and Swami 2016, algorithm 1",
        ),
        Retraining(
            "adversarial",
            "adversarially trained",
            "Each batch is attacked before the network learns from it, so it learns to withstand changes of a size, in "
            "one norm.",
            "Training takes a multiple of the time, and the clean error rises.",
            "Changes beyond the size that it was trained for, and other norms.",
            "on examples that PGD crafts on the network itself as it learns, or FGSM from a random start",
            "Madry et al. 2018; Wong, Rice and Kolter 2020 (one step from a random start, stopped by PGD)",
        ),
        Retraining(
            "ensemble-adversarial",
            "ensemble-trained",
            "Half of each batch are clean, a quarter crafted on other networks, which stand still, and a quarter on "
            "the network itself: made against examples that are carried over from strangers.",
            "Training takes two to three times the time, and that of the other networks.",
            "Trained on strangers' examples alone it stays open to white-box attacks (Tramèr et al. 2018); what it "
            "withstands of these it owes to the examples on itself.",
            "half on clean images, half on examples crafted on a pool of other, frozen networks and on itself",
            "Tramèr et al. 2018, section 3.3",
        ),
    )
}


def retrained(structure: Defence, training: Retraining) -> Defence:
    """What stands around a network as `structure` says, trained in this way.

    Raises:
        ValueError: if the defence is trained in a way of its own already.
    """
    if structure.training != "clean" or structure.by_attacker:
        raise ValueError(f"{structure.id} is trained in its own way already")
    alone = structure.family == "none"
    return replace(
        structure,
        id=training.id if alone else f"{structure.id}-{training.id}",
        name=training.name if alone else f"{structure.name}, {training.name}",
        what=training.what if alone else f"{structure.what} {training.what}",
        cost=training.cost,
        known=training.known if alone else f"{training.known} {structure.known}",
        trained=training.trained if alone else f"{training.trained}, all behind the transform",
        source=training.source if alone else f"{structure.source}; {training.source}",
        training=training.id,
    )
