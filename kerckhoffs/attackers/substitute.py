"""Those who train on the defended classifier's answers.

Papernot, McDaniel, Goodfellow, Jha, Celik and Swami, "Practical black-box attacks against machine learning" (2017),
section 4: a substitute is trained on images with the answers that the classifier gives, then the images are doubled by
steps along the sign of the substitute's own Jacobian (equation 4), towards and away from the class that was answered,
and these are asked about as well. Where the probabilities are answered, they are what is learned.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from kerckhoffs import data
from kerckhoffs.attackers import kept
from kerckhoffs.attackers.base import Answers, Attacker, Options, Part, Target, Workshop
from kerckhoffs.attackers.classifiers import Classifier, classifier
from kerckhoffs.attackers.surrogates import structure
from kerckhoffs.attacks import Option
from kerckhoffs.zoo import networks, train

DOUBLINGS = 2  # so a quarter of the queries are about the attacker's own images
STEP = 0.1  # of the augmentation, of a pixel's range (lambda)
BATCH = 64
STEPS = 500  # of training, after each doubling
RATE = 1e-3
ASKED_AT_ONCE = 500


@dataclass(frozen=True)
class Substitute(Part):
    """A network trained on the answers of one classifier.

    Args:
        target: whose answers.
        answers: "labels" or "scores".
        queries: images that are asked about.
        start: the surrogate whose weights it starts from, behind its own key, which has been made before; None starts
            from nothing and no key.
        seed: of weights, order and images.
    """

    target: Target
    answers: Answers
    queries: int
    start: Classifier | None
    seed: int = train.ATTACKERS_FROM

    @property
    def label(self) -> str:
        """What was asked."""
        return f"substitute-{self.target.dataset}-{self.target.network}"

    def make(self, workshop: Workshop) -> dict[str, Tensor]:
        """The weights of its network."""
        if self.start:
            model = self.start.build(kept.read(self.start))
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed)
                model = self._classifier.build(networks.build(self.target.network, self.target.dataset).state_dict())
        model.requires_grad_(True)
        generator = torch.Generator().manual_seed(self.seed)
        own = data.load(self.target.dataset, "train")[0]
        count = -(-self.queries // 2**DOUBLINGS)
        images = own[torch.randperm(len(own), generator=generator)[:count]]
        answers = self._ask(workshop, images)
        for doubling in range(DOUBLINGS + 1):
            self._learn(model, images, answers, generator, workshop, doubling)
            if doubling < DOUBLINGS:
                sign = 1 - 2 * (doubling % 2)
                more = augmented(model, images, answers, sign * STEP)[: self.queries - len(images)]
                images = torch.cat([images, more])
                answers = torch.cat([answers, self._ask(workshop, more)])
        return {name: value.detach().contiguous() for name, value in model.network.state_dict().items()}

    def build(self, tensors: dict[str, Tensor], folder: Path | None = None) -> nn.Module:
        """The substitute."""
        return (self.start or self._classifier).build(tensors)

    @property
    def _classifier(self) -> Classifier:
        return classifier(self.target, "classical")

    def _ask(self, workshop: Workshop, images: Tensor) -> Tensor:
        """What the target says, as probabilities (N, K); of labels all that is known is a 1."""
        parts = [workshop.ask(some, self.answers) for some in images.split(ASKED_AT_ONCE)]
        answers = torch.cat(parts)
        classes = len(data.DATASETS[self.target.dataset].classes)
        return functional.one_hot(answers, classes).float() if self.answers == "labels" else answers

    def _learn(
        self,
        model: nn.Module,
        images: Tensor,
        answers: Tensor,
        generator: torch.Generator,
        workshop: Workshop,
        doubling: int,
    ) -> None:
        model.train()
        optimizer = torch.optim.Adam(model.parameters(), lr=RATE if self.start is None else RATE / 4)
        for step in range(STEPS):
            rows = torch.randint(len(images), (BATCH,), generator=generator)
            loss = functional.cross_entropy(model(images[rows]), answers[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done = doubling * STEPS + step + 1
            workshop.tell(done, (DOUBLINGS + 1) * STEPS, f"{len(images)} answers, loss {float(loss.detach()):.2f}")
        model.eval()


def augmented(model: nn.Module, images: Tensor, answers: Tensor, step: float) -> Tensor:
    """x + step sign(dF_c(x) / dx) in [0, 1], with the answered class c (Papernot et al. 2017, equation 4).

    Args:
        images: (N, C, H, W).
        answers: probabilities (N, K).
    """
    found = []
    for some, classes in zip(images.split(ASKED_AT_ONCE), answers.argmax(1).split(ASKED_AT_ONCE), strict=True):
        x = some.clone().requires_grad_()
        chosen = model(x).gather(1, classes[:, None]).sum()
        (slope,) = torch.autograd.grad(chosen, x)
        found.append((some + step * slope.sign()).clamp(0, 1))
    return torch.cat(found)


def _parts(target: Target, options: Options) -> tuple[Part, ...]:
    start = classifier(target, structure(target)) if options["start"] == "surrogate" else None
    made = Substitute(target, options["answers"], options["queries"], start)
    return (start, made) if start else (made,)


SUBSTITUTE_SUMMARY = (
    "The attacker asks the classifier about images of their own, trains a network on the answers and attacks that: "
    "queries before the attack, none during it."
)
SUBSTITUTE = Attacker(
    id="substitute",
    name="Gray box: trained on its answers",
    summary=SUBSTITUTE_SUMMARY,
    without_key=("Gray box: trained on its answers", SUBSTITUTE_SUMMARY),
    hidden=("key", "weights"),
    model=lambda target, options: None,
    parts=_parts,
    join=lambda models, target, options, folder: models[-1],
    options=(
        Option("queries", int, 1000, "Images that the classifier is asked about.", low=10, high=100_000),
        Option("answers", str, "scores", "What it answers.", choices=("labels", "scores")),
        Option(
            "start",
            str,
            "nothing",
            "What is trained further: nothing, or a surrogate.",
            choices=("nothing", "surrogate"),
        ),
    ),
    alone=True,
    takes="a minute on a fast machine, some minutes on others",
)
