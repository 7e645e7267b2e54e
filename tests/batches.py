"""What the tests of batches share: small runs, made in this process."""

from kerckhoffs import data, zoo
from kerckhoffs.evaluation import examples, runs
from kerckhoffs.evaluation.experiments import Experiment

CLASSICAL, KEYED = "mnist-table1-classical", "mnist-table1-keyed"
FGSM = {"epsilon": 0.2, "perturb_all": True}


def fgsm(**changes):
    return Experiment(**({"attack": "fgsm", "crafted_on": CLASSICAL, "evaluated_on": (CLASSICAL, KEYED)} | changes))


def begun(*experiments, **options):
    """A run in the user's folder that nobody has worked on."""
    return runs.create(experiments or (fgsm(options=FGSM, stop=10),), **({"command": "a test"} | options))


def finished(*experiments, blocks=None, **options):
    """A run, or its first so many blocks, done in this process."""
    run = begun(*experiments, **options)
    models = {name: zoo.load(name) for name in run.cards}
    with run.writing():
        for block in run.blocks[:blocks]:
            experiment = run.experiments[block.experiment]
            shown = examples.samples(experiment, run.cards[experiment.crafted_on].dataset, run.uploaded)
            run.write(block, examples.examine(experiment, block, shown, models, run.cards))
    return run


def uploaded(*names):
    """The first test samples under these names."""
    images, labels = data.load("mnist", indices=range(len(names)))
    return examples.Samples(images, labels, names)
