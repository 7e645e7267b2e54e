"""Classifiers as they are deployed: nn.Modules from images (N, C, H, W) to logits (N, K)."""

from torch import Tensor, nn


class ClassicalClassifier(nn.Module):
    """A network without a defence: D(x) = argmax E(x) (paper, equation 2).

    Args:
        classifier: images to logits.
        shape: (C, H, W) of the images that it was made for; if given, others are refused.
    """

    def __init__(self, classifier: nn.Module, shape: tuple[int, int, int] | None = None) -> None:
        super().__init__()
        self.classifier = classifier
        self.shape = shape

    def view(self, images: Tensor) -> Tensor:
        """What the network sees: the images themselves."""
        return images

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K).

        Raises:
            ValueError: if the images are not of the classifier's shape.
        """
        if self.shape is not None and (images.ndim != 4 or tuple(images.shape[1:]) != self.shape):
            needed = ", ".join(str(side) for side in self.shape)
            raise ValueError(
                f"this classifier takes images of shape (N, {needed}), but was given {tuple(images.shape)}"
            )
        logits: Tensor = self.classifier(self.view(images))
        return logits


class KeyedClassifier(ClassicalClassifier):
    """A network behind a keyed transform: D(x) = argmax E(P(x, k)) (paper, equation 3).

    Gradients flow through P: whoever holds this module holds the key (a white-box attacker).

    Args:
        transform: P(x, k), for example transforms.Permutation.
        classifier: transformed images to logits.
        shape: (C, H, W) of the images that it was made for; if given, others are refused.
    """

    def __init__(self, transform: nn.Module, classifier: nn.Module, shape: tuple[int, int, int] | None = None) -> None:
        super().__init__(classifier, shape)
        self.transform = transform

    def view(self, images: Tensor) -> Tensor:
        """What the network sees: the transformed images."""
        seen: Tensor = self.transform(images)
        return seen
