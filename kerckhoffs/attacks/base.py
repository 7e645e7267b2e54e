"""What an attack is to the rest of the project: an entry of the registry, its options, its progress.

An attack is a function

    attack(model, images, labels, *, targeted=False, ..., on_step=None) -> Tensor

from float32 images (N, C, H, W) in [0, 1] and int64 labels (N,) (the targets if targeted) to images of the same
shape in [0, 1]. `model` maps images to logits (N, K) and is all that an attack ever sees: no key, no defence, no
judge. An example that does not fool the model comes back unchanged, and so does an image that the model already
misreads. An attack changes neither its inputs nor the model nor its mode nor any global seed; one that draws random
numbers takes `generator`, one that uses other images takes `training`. It is entered through `public`: in float32.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from kerckhoffs.attacks.logits import fooled, read
from kerckhoffs.attacks.oracle import Oracle, unwanted
from kerckhoffs.checks import check_choice, check_images, check_labels, plain


@dataclass(frozen=True)
class Step:
    """Progress of a running attack.

    Args:
        done, total: steps taken, and at most to be taken.
        current: the images that are being tried, (N, C, H, W).
        best: what the attack would return now, (N, C, H, W).
        no_start: where an attack that walks from an adversarial point has none so far, (N,) bool; None if the attack
            needs none. Such an image has not been attacked: that it stays as it was says nothing about the model.
        queries: images that were shown to the model so far for each image, the clean one included, (N,) int64; None
            if the attack does not ask through an `Oracle`. With `best`, success and distance against queries.
        bad_queries: how many of these the model did not answer as the attack wants, (N,) int64; see oracle.py.
    """

    done: int
    total: int
    current: Tensor
    best: Tensor
    no_start: Tensor | None = None
    queries: Tensor | None = None
    bad_queries: Tensor | None = None


OnStep = Callable[[Step], bool | None]
"""Called after every step; a true answer stops the attack, which then returns the best so far."""


@dataclass(frozen=True)
class Option:
    """An option of an attack: enough for a menu, a command line and a check.

    Args:
        type: bool, int, float or str.
        low, high: the range of a number, both ends allowed.
        choices: what a str may be.
        when: the name and the value of the option that this one belongs to; None if it always counts.
    """

    name: str
    type: type
    default: Any
    help: str
    low: float = 0
    high: float = 1
    choices: tuple[str, ...] = ()
    when: tuple[str, Any] | None = None

    def check(self, value: Any) -> Any:
        """Refuse a value of another type, outside [low, high], or not among the choices.

        Returns:
            The value as Python's own number, where it is one of NumPy or a tensor without dimensions.

        Raises:
            ValueError: naming the option and the value.
        """
        value = plain(value)
        accepted = (int, float) if self.type is float else (self.type,)
        if type(value) not in accepted:
            raise ValueError(f"{self.name} must be of type {self.type.__name__}, but is {value!r}")
        if self.type is str:
            check_choice(value, self.choices, self.name)
        elif not self.low <= value <= self.high:
            raise ValueError(f"{self.name} must be between {self.low:g} and {self.high:g}, but is {value!r}")
        return value


EPSILON = Option("epsilon", float, 0.3, "The largest change of a pixel.")
PERTURB_ALL = Option("perturb_all", bool, False, "Return failed examples too, as the paper's table counts.")
MAX_BAD_QUERIES = Option(
    "max_bad_queries", int, 0, "Of these, at most so many that do not fool the model; 0: no limit.", high=1_000_000
)


@dataclass(frozen=True)
class Attack:
    """An entry of the registry. Each attack's file ends with its own; attacks/__init__.py lists them.

    Args:
        kind: "budget" (as wrong as possible within a size), "minimal" (the smallest that fools) or "universal"
            (one perturbation for every image, fitted beforehand).
        access: what the attack reads from the model: "gradients", "scores", "labels" or "nothing".
        targeted: whether it can aim at a class.
        random: whether it draws random numbers, and so takes a generator.
        training: whether it takes labelled images that the attacker has.
        source: the publication, and whose code runs where it is not ours.
        cost: roughly how many gradients or queries one image takes with the default options.
    """

    id: str
    name: str
    norm: Literal["l0", "l2", "linf"]
    kind: Literal["budget", "minimal", "universal"]
    access: Literal["gradients", "scores", "labels", "nothing"]
    targeted: bool
    options: tuple[Option, ...]
    source: str
    cost: int
    function: Callable[..., Tensor]
    random: bool = False
    training: bool = False

    def content_with(self, reads: Collection[str]) -> bool:
        """Whether the attack reads no more of the model than this."""
        return self.access == "nothing" or self.access in reads

    def check_options(self, **options: Any) -> dict[str, Any]:
        """Refuse an option that the attack does not have, a value out of its range, or one that would count nothing.

        Returns:
            These options, as `Option.check` gives them.

        Raises:
            ValueError: naming the option and the value.
        """
        known = {option.name: option for option in self.options}
        for name, value in options.items():
            if name not in known:
                raise ValueError(f"{self.id} has no option {name!r}; it has: {', '.join(known) or 'none'}")
            options[name] = known[name].check(value)
        chosen = {option.name: option.default for option in self.options} | options
        for option in self.options:
            if option.when is None or chosen[option.name] == option.default:
                continue
            owner, wanted = option.when
            if chosen[owner] != wanted:
                raise ValueError(
                    f"{option.name} counts only with {owner}={wanted}, but {owner} is {chosen[owner]!r}: leave it out"
                )
        return options

    def run(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        targeted: bool = False,
        generator: torch.Generator | None = None,
        training: tuple[Tensor, Tensor] | None = None,
        on_step: OnStep | None = None,
        **options: Any,
    ) -> Tensor:
        """Run the attack with checked options; see this module for what goes in and comes out.

        Args:
            generator: where a random attack draws from; left out, one with seed 0. Others ignore it.
            training: images and labels that the attacker has: a universal attack is fitted on them, HopSkipJump
                and SurFree start from them where noise gives no start; left out, the images it is shown. Others ignore
                it.

        Raises:
            ValueError: on bad images or labels, an unknown option, or a value out of range.
        """
        options = self.check_options(**options)
        if targeted and not self.targeted:
            raise ValueError(f"{self.id} cannot be targeted")
        extra: dict[str, Any] = {}
        if self.random:
            extra["generator"] = generator
        if self.training:
            extra["training"] = training
        return self.function(model, images, labels, targeted=targeted, on_step=on_step, **extra, **options)


class Pursuit:
    """The bookkeeping of a running attack: which images are open, the best example of each, and the progress.

    The M open images are those that the model does not misread from the start. An attack works on `images`
    (M, C, H, W) and `labels` (M,) alone, hands every success to `keep`, calls `report` after each step, and returns
    `result()`, in which everything that has not been kept is as it came.
    """

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        targeted: bool,
        on_step: OnStep | None,
        *,
        confidence: float = 0.0,
        perturb_all: bool = False,
    ) -> None:
        """Check the inputs and look once at the clean images.

        Args:
            confidence: by how many logits the wrong class must lead.
            perturb_all: open every image, and keep what does not succeed too: the attack's formula as it stands.

        Raises:
            ValueError: naming the argument that is wrong.
        """
        check_inputs(images, labels)
        check_model(model)
        if type(plain(targeted)) is not bool:
            raise ValueError(f"targeted must be True or False, but is {targeted!r}")
        if on_step is not None and not callable(on_step):
            raise ValueError(f"on_step must be a function, but is {on_step!r}")
        self._all = images.detach().clone()
        logits = read(model, self._all.clone())  # a model that writes into its input spoils no image
        if int(labels.max()) >= logits.shape[1]:
            raise ValueError(
                f"labels must be below {logits.shape[1]}, the number of classes, but one is {int(labels.max())}"
            )
        already = fooled(logits, labels, targeted, confidence)
        self._model, self._targeted = model, targeted
        self._oracle: Oracle | None = None
        self._on_step = on_step
        self._perturb_all = perturb_all
        self.open = (~already | perturb_all).nonzero().squeeze(1)  # (M,)
        self.images = self._all[self.open]  # (M, C, H, W)
        self.labels = labels[self.open]  # (M,)
        self.logits = logits[self.open]  # (M, K) of the clean images
        self.best = self.images.clone()  # (M, C, H, W)
        self.size = self.images.new_full((len(self.open),), torch.inf)  # (M,) of the best, infinite without one
        self._trial = self.images.clone()

    def __len__(self) -> int:
        return len(self.open)

    def oracle(
        self, access: Literal["scores", "labels"], max_queries: int | None, max_bad_queries: int | None = None
    ) -> Oracle:
        """The model behind a counter of what the open images ask, the clean look included; `report` tells it.

        Args:
            max_queries, max_bad_queries: for each image; None or 0 for no limit.
        """
        bad = unwanted(self.logits, self.labels, self._targeted)
        self._oracle = Oracle(
            self._model,
            access,
            len(self),
            max_queries,
            spent=1,
            aims=self.labels,
            targeted=self._targeted,
            max_bad_queries=max_bad_queries,
            bad=bad,
        )
        return self._oracle

    def keep(self, examples: Tensor, success: Tensor, size: Tensor | None = None, rows: Tensor | None = None) -> None:
        """Keep the successful examples that are smaller than the best so far; without sizes, all successful ones.

        Args:
            examples: (R, C, H, W).
            success: (R,) bool, as `fooled` told of exactly these examples.
            size: (R,) in the attack's norm.
            rows: (R,) int64, which of the M open images these are; left out, all of them.
        """
        if rows is None:
            rows = torch.arange(len(self.open), device=self.open.device)
        size = torch.zeros_like(self.size[rows]) if size is None else size
        better = (success | self._perturb_all) & (size <= self.size[rows])
        self.best[rows[better]], self.size[rows[better]] = examples.detach()[better], size.detach()[better]

    def keep_smallest(self, examples: Tensor, success: Tensor, size: Tensor, rows: Tensor) -> None:
        """Keep, of several examples of each image, the smallest successful one, if it is smaller than the best so far.

        Args:
            examples: (S R, C, H, W), those of the first try of all images, then those of the second, ...
            success, size: (S R,); see `keep`.
            rows: (R,) int64.
        """
        smallest, which = size.where(success, torch.inf).view(-1, len(rows)).min(0)
        one = torch.arange(len(rows), device=rows.device)
        chosen = examples.detach().view(-1, len(rows), *examples.shape[1:])[which, one]
        self.keep(chosen, smallest < torch.inf, smallest, rows)

    def report(
        self, done: int, total: int, trial: Tensor, rows: Tensor | None = None, *, no_start: Tensor | None = None
    ) -> bool:
        """Tell the caller what is being tried, (R, C, H, W), and where there is no start, (M,) bool; true to stop."""
        if self._on_step is None:
            return False
        if rows is None:
            self._trial = trial.detach().clone()
        else:
            self._trial[rows] = trial.detach()
        current = self._all.clone()
        current[self.open] = self._trial
        if no_start is not None:
            no_start = torch.zeros_like(current[:, 0, 0, 0], dtype=torch.bool).index_put((self.open,), no_start)
        return bool(self._on_step(Step(done, total, current, self.result(), no_start, *self._asked())))

    def _asked(self) -> tuple[Tensor | None, Tensor | None]:
        """The queries and the bad queries of all images, (N,) each; those that are not open had one good one."""
        if self._oracle is None:
            return None, None
        queries = torch.ones(len(self._all), dtype=torch.int64, device=self.open.device)
        asked, bad = (each.to(self.open.device) for each in (self._oracle.queries, self._oracle.bad_queries))
        return queries.index_put((self.open,), asked), torch.zeros_like(queries).index_put((self.open,), bad)

    def result(self) -> Tensor:
        """The best example of each of the N images, (N, C, H, W); unchanged where there is none."""
        result = self._all.clone()
        result[self.open] = self.best
        return result


def generator_for(images: Tensor, generator: torch.Generator | None) -> torch.Generator:
    """The caller's generator, or a fresh one with seed 0; never the global one.

    Raises:
        ValueError: if it is no torch.Generator.
    """
    if generator is not None and not isinstance(generator, torch.Generator):
        raise ValueError(f"generator must be a torch.Generator, but is {generator!r}")
    return torch.Generator(images.device).manual_seed(0) if generator is None else generator


def check_inputs(images: Tensor, labels: Tensor) -> None:
    """Refuse images or labels that are not what every attack takes.

    Raises:
        ValueError: naming the argument and its value.
    """
    check_images(images)
    check_labels(labels, len(images))


def check_training(training: tuple[Tensor, Tensor] | None, images: Tensor) -> tuple[Tensor, Tensor] | None:
    """Refuse what are no labelled images of the images' shape; None, for none, passes.

    Raises:
        ValueError: naming what is wrong.
    """
    if training is None:
        return None
    if not isinstance(training, (tuple, list)) or len(training) != 2:
        raise ValueError(f"training must be a pair of images and labels, but is a {type(training).__name__}")
    check_images(training[0], "training images")
    check_labels(training[1], len(training[0]), "training labels")
    if training[0].shape[1:] != images.shape[1:]:
        raise ValueError(
            f"training images must have the images' shape {tuple(images.shape[1:])}, "
            f"but have {tuple(training[0].shape[1:])}"
        )
    return training[0], training[1]


def check_model(model: nn.Module) -> None:
    """Refuse a model that a look would change.

    Raises:
        ValueError: if it trains a layer whose output is random, or that averages over what it is shown.
    """
    for layer in model.modules():
        if layer.training and isinstance(layer, (_BatchNorm, _DropoutNd)):
            raise ValueError(f"model must be in eval mode: its {type(layer).__name__} would be changed, or be random")
