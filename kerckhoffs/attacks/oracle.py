"""What a black-box attacker sees of a model: answers, counted, and no more of them than agreed.

The gradient-free attacks ask only through an `Oracle`. It gives log-probabilities or class labels, never a gradient,
and it refuses a question beyond the budget before the model hears it.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from kerckhoffs.attacks.logits import fooled, read

UNLIMITED = torch.iinfo(torch.int64).max


class AccessRefused(RuntimeError):
    """Scores were asked for where only labels are given."""


class QueryBudgetExceeded(RuntimeError):
    """More queries were asked for than an image has left. The model was not asked, and nothing was counted."""


class Oracle:
    """A model behind a counter. One image shown to it is one query, charged to the image that it was made from.

    Args:
        model: images (R, C, H, W) to logits (R, K).
        access: "scores" gives log-probabilities and labels, "labels" gives labels alone.
        count: how many images N are attacked.
        max_queries: for each of them; None for no limit.
        spent: what each has asked before: `Pursuit`'s clean look is 1.
    """

    def __init__(
        self,
        model: nn.Module,
        access: Literal["scores", "labels"],
        count: int,
        max_queries: int | None = None,
        *,
        spent: int = 0,
    ) -> None:
        self._model = model
        self._access = access
        self._max_queries = max_queries
        self._queries = torch.full((count,), spent, dtype=torch.int64, device="cpu")

    @property
    def queries(self) -> Tensor:
        """What each image has asked so far, (N,) int64."""
        return self._queries.clone()

    def left(self, rows: Tensor) -> Tensor:
        """How many queries the images (R,) still have, (R,) int64."""
        if self._max_queries is None:
            return torch.full_like(rows, UNLIMITED)
        return (self._max_queries - self._queries[rows.cpu()]).to(rows.device)

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

    def _ask(self, images: Tensor, rows: Tensor) -> Tensor:
        asked = torch.bincount(rows.cpu(), minlength=len(self._queries))  # (N,)
        total = self._queries + asked
        if self._max_queries is not None and bool((total > self._max_queries).any()):
            worst = int((total - self._max_queries).argmax())
            raise QueryBudgetExceeded(
                f"image {worst} has asked {int(self._queries[worst])} of {self._max_queries} queries "
                f"and wants {int(asked[worst])} more"
            )
        self._queries = total
        return read(self._model, images)
