"""Errors of a trained network behind keys that are not its own: drawn, changed, known in part, another's.

All say which of S samples are misread behind each of K keys, bool (K, S): keys and samples are both drawn from many, so
advantage.error_over_keys gives their error and its interval. Whoever knows which values of a key were exchanged learns
a little of it from the error, for a network reads places together that lie side by side behind P. So with a private key
nobody chooses them: pass a generator that nobody can repeat (`drawing`), and tell errors alone.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kerckhoffs.evaluation.judge import predict
from kerckhoffs.evaluation.keytests.subjects import Subject
from kerckhoffs.keys import Key
from kerckhoffs.zoo import ModelCard

AT_ONCE = 100  # images: more do not take less time
Wrong = NDArray[np.bool_]
OnDraw = Callable[[], None]
"""Called after each draw; what it raises ends the test."""


def drawing(card: ModelCard, seed: int) -> np.random.Generator:
    """What a test draws from: a private key's from the operating system's entropy, whatever the seed."""
    return np.random.default_rng(None if card.private else seed)


def misread(model: nn.Module, images: Tensor, labels: Tensor) -> Wrong:
    """What a model reads wrong of images float32 (S, C, H, W) in [0, 1] with labels (S,): bool (S,).

    Raises:
        ValueError: if the images or the logits are not finite numbers of the right shape and range.
    """
    read = torch.cat([predict(model, some).argmax(1) for some in images.split(AT_ONCE)])
    return np.asarray((read != labels).numpy())


def wrong_keys(
    subject: Subject,
    images: Tensor,
    labels: Tensor,
    draw: np.random.Generator,
    *,
    draws: int = 50,
    on_draw: OnDraw = lambda: None,
) -> Wrong:
    """Behind keys that are drawn i.i.d. from N(0, 1), as the paper's are: bool (draws, S)."""
    return _over(subject, images, labels, draws, lambda: Key(draw.standard_normal(len(subject.key))), on_draw)


def swapped(
    subject: Subject,
    images: Tensor,
    labels: Tensor,
    draw: np.random.Generator,
    *,
    pairs: int,
    draws: int = 5,
    on_draw: OnDraw = lambda: None,
) -> Wrong:
    """Behind its own key, of which the values of so many disjoint pairs have changed places: bool (draws, S).

    Behind a permutation 2 * pairs values of the image then stand elsewhere.

    Raises:
        ValueError: unless the key has so many pairs.
    """
    return _over(subject, images, labels, draws, lambda: swap(subject.key, pairs, draw), on_draw)


def swap(key: Key, pairs: int, draw: np.random.Generator) -> Key:
    """A key of which the values of so many disjoint pairs, drawn at random, have changed places.

    Where each channel has an order of its own, values that change channels move others too.

    Raises:
        ValueError: unless the key has so many pairs.
    """
    if not 0 <= pairs <= len(key) // 2:
        raise ValueError(f"pairs must be between 0 and {len(key) // 2} for {len(key)} values, but is {pairs}")
    places = draw.permutation(len(key))[: 2 * pairs].reshape(2, pairs)
    values = key.values.copy()
    values[places] = values[places[::-1]]
    return Key(values)


def leaked(
    subject: Subject,
    images: Tensor,
    labels: Tensor,
    draw: np.random.Generator,
    *,
    share: float,
    draws: int = 5,
    on_draw: OnDraw = lambda: None,
) -> Wrong:
    """Behind its own key, known in a share, places at random, and guessed elsewhere: bool (draws, S).

    Raises:
        ValueError: unless 0 <= share <= 1.
    """
    return _over(subject, images, labels, draws, lambda: guess_rest(subject.key, share, draw), on_draw)


def guess_rest(key: Key, share: float, draw: np.random.Generator) -> Key:
    """A key whose values stay in a share of its places, drawn at random; the others are put in any order.

    Behind a permutation, where each pixel of the known share goes is then right, and the other pixels go where there is
    room, as the attacker "part-of-key" has it.

    Raises:
        ValueError: unless 0 <= share <= 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be between 0 and 1, but is {share}")
    unknown = draw.permutation(len(key))[round(share * len(key)) :]
    values = key.values.copy()
    values[unknown] = draw.permutation(values[unknown])
    return Key(values)


def behind_the_key_of(subject: Subject, other: Subject, images: Tensor, labels: Tensor) -> Wrong:
    """Its network behind the key of another classifier: bool (1, S).

    Raises:
        ValueError: if that key has another length.
    """
    return misread(subject.behind(other.key), images, labels)[None]


def _over(
    subject: Subject, images: Tensor, labels: Tensor, draws: int, drawn: Callable[[], Key], on_draw: OnDraw
) -> Wrong:
    if draws < 1:
        raise ValueError(f"draws must be at least 1, but is {draws}")
    found = []
    for _ in range(draws):
        found.append(misread(subject.behind(drawn()), images, labels))
        on_draw()
    return np.array(found)
