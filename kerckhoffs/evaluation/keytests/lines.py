"""How good a key is: all tests of one classifier, as lines that are printed, drawn and kept.

`examine` makes them one after the other. No line tells of an order, or of which places were exchanged or known: there
are errors, counts and times.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from kerckhoffs.data import DATASETS
from kerckhoffs.evaluation.advantage import error_over_keys
from kerckhoffs.evaluation.keytests import entropy, errors, guesses
from kerckhoffs.evaluation.keytests.errors import OnDraw, Wrong
from kerckhoffs.evaluation.keytests.prices import Price
from kerckhoffs.evaluation.keytests.subjects import Subject

TESTS = {
    "entropy": "What the key is worth",
    "guesses": "Brute force",
    "wrong-keys": "Wrong keys",
    "avalanche": "Avalanche",
    "leak": "A part of the key leaks",
    "attacked": "A part of the key leaks, and is used",
    "cross-keys": "Each other's keys",
    "price": "Price",
}
"""The tests, in order, and what they are called."""

CONSTANT = "always the commonest class"
PAIRS = (1, 2, 5, 10, 20, 50, 100, 200, 392)
SHARES = tuple(step / 10 for step in range(11))
WRONG, DRAWS = 50, 5
ONE_IMAGE = 100  # samples whose own entropies the mean of one image is of


@dataclass(frozen=True)
class Line:
    """One figure.

    Args:
        test: a key of TESTS.
        model: whose network it is of.
        case: of the test: a number of pairs, a share, whose key, what is measured.
        value: the figure.
        unit: "share" in [0, 1], "bits", "places", "keys", "images", "a second", "log10 years", "ms" or "s".
        low, high: the ends of the 95 % interval of a share; of the bits of one image the smallest and the largest.
        draws: keys that it is the mean over.
        samples: images.
    """

    test: str
    model: str
    case: str
    value: float
    unit: str
    low: float = math.nan
    high: float = math.nan
    draws: int = 1
    samples: int = 0


def examine(
    subject: Subject,
    images: Tensor,
    labels: Tensor,
    *,
    others: Sequence[Subject] = (),
    prices: Sequence[Price] = (),
    train: Tensor | None = None,
    wrong: int = WRONG,
    seed: int = 0,
    on_draw: OnDraw = lambda: None,
) -> Iterator[Line]:
    """All tests of a classifier; lines of a test as soon as it is done.

    Args:
        images, labels: float32 (S, C, H, W) in [0, 1] and (S,).
        others: classifiers whose keys fit its network (subjects.fellows), without itself.
        prices: of it and of its twin without a key.
        train: the training images, for what the key is worth on them.
        wrong: how many wrong keys.
        seed: of what is drawn; for a private key nobody can repeat it (errors.drawing).
        on_draw: called `work` times; what it raises ends the examination.

    Raises:
        ValueError: if there are no samples or no wrong keys.
    """
    name, draw, count = subject.card.id, errors.drawing(subject.card, seed), len(labels)
    yield from _entropy(subject, images, train)
    yield from _guesses(subject, images, labels, seed)
    yield share("wrong-keys", name, "right key", errors.behind_the_key_of(subject, subject, images, labels))
    on_draw()
    apart = errors.wrong_keys(subject, images, labels, draw, draws=wrong, on_draw=on_draw)
    yield share("wrong-keys", name, "wrong keys", apart)
    yield Line(
        "wrong-keys", name, "guessing", 1 - 1 / len(DATASETS[subject.card.dataset].classes), "share", samples=count
    )
    commonest = int(labels.bincount().max())
    yield Line("wrong-keys", name, CONSTANT, 1 - commonest / count, "share", samples=count)
    for number, each in enumerate(apart):
        yield share("wrong-keys", name, f"wrong key {number + 1}", each[None])
    for pairs in pairs_of(subject):
        changed = errors.swapped(subject, images, labels, draw, pairs=pairs, draws=DRAWS, on_draw=on_draw)
        yield share("avalanche", name, str(pairs), changed)
    for known in SHARES:
        partly = errors.leaked(subject, images, labels, draw, share=known, draws=DRAWS, on_draw=on_draw)
        yield share("leak", name, f"{known:g}", partly)
    everyone = (subject, *others) if others else ()
    for network in everyone:
        for key in everyone:
            found = errors.behind_the_key_of(network, key, images, labels)
            yield share("cross-keys", network.card.id, key.card.id, found)
            on_draw()
    for each in prices:
        yield share("price", each.model, "clean error", each.wrong[None])
        yield Line("price", each.model, "an image alone", each.one, "ms")
        yield Line("price", each.model, "an image of 128", each.many, "ms")
        if each.training is not None:
            yield Line("price", each.model, "training", each.training, "s")


def work(subject: Subject, others: int = 0, wrong: int = WRONG) -> int:
    """How often `examine` calls `on_draw`."""
    crossed = (others + 1) ** 2 if others else 0
    return 1 + wrong + DRAWS * (len(pairs_of(subject)) + len(SHARES)) + crossed


def pairs_of(subject: Subject) -> tuple[int, ...]:
    """PAIRS that its key has."""
    return tuple(pairs for pairs in PAIRS if pairs <= len(subject.key) // 2)


def share(test: str, model: str, case: str, wrong: Wrong) -> Line:
    """The line of an error.

    Args:
        wrong: bool (K, S), over keys and samples.
    """
    value, low, high = error_over_keys(wrong)
    return Line(test, model, case, value, "share", low, high, *wrong.shape)


def _entropy(subject: Subject, images: Tensor, train: Tensor | None) -> Iterator[Line]:
    name = subject.card.id
    yield Line("entropy", name, "the key itself", subject.entropy_bits, "bits")
    if subject.transform is None:
        return
    for where, those in (("training images", train), ("samples", images)):
        if those is None:
            continue
        found = entropy.effective(subject.transform.id, those, subject.key)
        if found is None:
            return
        yield Line("entropy", name, where, found.bits, "bits", samples=found.images)
        yield Line("entropy", name, f"{where}, always black", found.black, "places", samples=found.images)
    alone = [entropy.effective(subject.transform.id, image[None], subject.key) for image in images[:ONE_IMAGE]]
    bits = [each.bits for each in alone if each]
    yield Line("entropy", name, "one image", sum(bits) / len(bits), "bits", min(bits), max(bits), samples=len(bits))


def _guesses(subject: Subject, images: Tensor, labels: Tensor, seed: int) -> Iterator[Line]:
    made = guesses.guess(subject, images, labels, errors.drawing(subject.card, seed))
    name, years = subject.card.id, guesses.log10_years(subject.entropy_bits, made.rate)
    yield Line("guesses", name, "keys tried", made.guesses, "keys")
    yield Line("guesses", name, "not rejected", made.left, "keys")
    yield Line("guesses", name, "images for each", made.images_each, "images")
    yield Line("guesses", name, "rate", made.rate, "a second")
    yield Line("guesses", name, "half of all keys", years, "log10 years")
    yield Line("guesses", name, "in ages of the universe", years - math.log10(guesses.UNIVERSE_YEARS), "log10")
    everybody = guesses.log10_years(subject.entropy_bits, made.rate, guesses.MACHINES)
    yield Line("guesses", name, "on 10^10 cores", everybody, "log10 years")
    yield Line("guesses", name, "tried by all atoms so far", guesses.log10_tried(made.rate), "log10")
