"""A scene that shows what P does: some pixels on their way, never all, as where every pixel goes is the key."""

from torch import Tensor

from kerckhoffs import plots
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import KeyedClassifier
from kerckhoffs.room import Scene, Shown
from kerckhoffs.transforms.base import Reordering
from kerckhoffs.ui.models import model, need_view
from kerckhoffs.ui.parts.followed import FOLLOWED, followed
from kerckhoffs.ui.stage import blocks, experiment


def shown(scene: Scene, source: str = blocks.PRECOMPUTED) -> Shown:
    """The image, the image behind the key, and where some pixels go.

    Raises:
        ValueError: if the defended classifier has no key that moves pixels, or a private one.
    """
    made = experiment.read(scene.play)
    need_view(made.right)
    classifier = model(made.right)
    if not isinstance(classifier, KeyedClassifier) or not isinstance(classifier.transform, Reordering):
        raise ValueError(f"{made.right} has no key that moves pixels")

    def permuted(images: Tensor) -> Tensor:
        return classifier.view(images)

    view = blocks.view(
        {
            "kind": "flying",
            "before": plots.data_uri(plots.picture(made.image[0], 1)),
            "after": plots.data_uri(plots.picture(permuted(made.image)[0], 1)),
            "side": max(made.image.shape[2:]),
            "pixels": [list(each) for each in followed(made.image, permuted)],
            "alt": f"The image of a {DATASETS[made.dataset].classes[made.label]}, and the same pixels behind the key",
            "note": f"{FOLLOWED} of the pixels are followed: where all of them go is the key.",
        },
        source=source,
    )
    question = scene.question
    return Shown(view, view, question.options if question else (), question.answer - 1 if question else None)
