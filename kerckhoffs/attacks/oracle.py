"""What a black-box attacker sees of a model: answers, counted, and no more of them than agreed.

The gradient-free attacks ask only through an `Oracle`. It gives log-probabilities or class labels, never a gradient,
and it refuses a question beyond a budget before the model hears it.

A bad query is one whose answer is not what the attack wants: an upload that a monitor of the service could flag, while
one that fools it passes (Debenedetti, Carlini and Tramer, "Evading black-box classifiers without breaking eggs", 2024).
"""

from typing import Literal

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.logits import fooled, read

UNLIMITED = torch.iinfo(torch.int64).max


class AccessRefused(RuntimeError):
    """Scores were asked for where only labels are given."""


class QueryBudgetExceeded(RuntimeError):
    """More was asked for than an image has left, or may turn out to have. The model was not asked, nothing counted."""


def unwanted(logits: Tensor, labels: Tensor, targeted: bool) -> Tensor:
    """Which answers are bad, (R,) bool: by the class that is told alone, without `fooled`'s hair's breadth."""
    said = logits.argmax(1)
    return said != labels if targeted else said == labels


class Oracle:
    """A model behind a counter. One image shown to it is one query, charged to the image that it was made from.

    Whether an answer is bad is known only once it is given, and all of a question's may be. So a question is refused
    unless each image has as many bad queries left as it asks: no budget is ever exceeded, a batch may ask at most
    `left`, and an image whose bad queries are spent is asked nothing more.

    Args:
        model: images (R, C, H, W) to logits (R, K).
        access: "scores" gives log-probabilities and labels, "labels" gives labels alone.
        count: how many images N are attacked.
        max_queries: for each of them; None or 0 for no limit.
        spent: what each has asked before: `Pursuit`'s clean look is 1.
        aims: labels (N,), the true classes or the targets; without them no query can be told to be bad.
        targeted: whether they are targets.
        max_bad_queries: for each image; None or 0 for no limit.
        bad: how many of what was spent was bad, (N,) int64 or one number for all.

    Raises:
        ValueError: on a limit of bad queries without aims.
    """

    def __init__(
        self,
        model: nn.Module,
        access: Literal["scores", "labels"],
        count: int,
        max_queries: int | None = None,
        *,
        spent: int = 0,
        aims: Tensor | None = None,
        targeted: bool = False,
        max_bad_queries: int | None = None,
        bad: Tensor | int = 0,
    ) -> None:
        if max_bad_queries and aims is None:
            raise ValueError(f"max_bad_queries is {max_bad_queries}, but without aims no query can be told to be bad")
        self._model = model
        self._access = access
        self._aims, self._targeted = aims, targeted
        self._most, self._most_bad = max_queries or UNLIMITED, max_bad_queries or UNLIMITED
        self._queries = torch.full((count,), spent, dtype=torch.int64, device="cpu")
        self._bad = torch.zeros_like(self._queries) + torch.as_tensor(bad, dtype=torch.int64, device="cpu")

    @property
    def queries(self) -> Tensor:
        """What each image has asked so far, (N,) int64."""
        return self._queries.clone()

    @property
    def bad_queries(self) -> Tensor:
        """How many of them were answered as the attack does not want, (N,) int64; stays as it was without aims."""
        return self._bad.clone()

    def left(self, rows: Tensor) -> Tensor:
        """How many queries the images (R,) may still ask at once, were all of them bad, (R,) int64."""
        return self._left()[rows.cpu()].to(rows.device)

    def labels(self, images: Tensor, rows: Tensor) -> Tensor:
        """The class that the model reads in each image, (R,) int64.

        Args:
            images: (R, C, H, W).
            rows: (R,) int64, which of the N images each query is for.

        Raises:
            QueryBudgetExceeded: if an image has fewer queries left than it stands in `rows`.
        """
        return self._ask(images, rows).argmax(1)

    def fooled(self, images: Tensor, rows: Tensor, labels: Tensor, targeted: bool) -> Tensor:
        """Whether the model says what the attack wants, (R,) bool: a label query that `logits.fooled` judges.

        This is `labels` with a hair's breadth: a class that leads by less than rounding does not count.

        Raises:
            QueryBudgetExceeded: as for `labels`.
        """
        return fooled(self._ask(images, rows), labels, targeted)

    def scores(self, images: Tensor, rows: Tensor) -> Tensor:
        """The logarithms of the probabilities, (R, K) float32; their differences are those of the logits.

        Raises:
            AccessRefused: where only labels are given.
            QueryBudgetExceeded: as for `labels`.
        """
        self._need_scores()
        return self._ask(images, rows).log_softmax(1)

    def judged_scores(self, images: Tensor, rows: Tensor, labels: Tensor, targeted: bool) -> tuple[Tensor, Tensor]:
        """Both `scores` (R, K) and `fooled` (R,) from the same query.

        The verdict cannot be read from the scores: its slack is a share of the largest logit, which they hide.

        Raises:
            AccessRefused: where only labels are given.
            QueryBudgetExceeded: as for `labels`.
        """
        self._need_scores()
        logits = self._ask(images, rows)
        return logits.log_softmax(1), fooled(logits, labels, targeted)

    def _need_scores(self) -> None:
        if self._access != "scores":
            raise AccessRefused("this oracle gives labels alone; ask labels() or fooled(), not scores()")

    def _left(self) -> Tensor:
        return torch.minimum(self._most - self._queries, self._most_bad - self._bad)

    def _ask(self, images: Tensor, rows: Tensor) -> Tensor:
        owners = rows.cpu()
        asked = torch.bincount(owners, minlength=len(self._queries))  # (N,)
        over = asked - self._left()
        if bool((over > 0).any()):
            worst = int(over.argmax())
            by_bad = self._most_bad - self._bad[worst] < self._most - self._queries[worst]
            kind, spent, most = (
                ("bad queries", self._bad, self._most_bad) if by_bad else ("queries", self._queries, self._most)
            )
            raise QueryBudgetExceeded(
                f"image {worst} has asked {int(spent[worst])} of {most} {kind} and wants {int(asked[worst])} more"
            )
        self._queries = self._queries + asked
        logits = read(self._model, images)
        if self._aims is not None:
            bad = unwanted(logits, self._aims[rows], self._targeted).cpu()
            self._bad = self._bad + torch.bincount(owners[bad], minlength=len(self._bad))
        return logits
