"""The pool of ensemble adversarial training: what a defender may train against who expects strangers' examples.

MLPs of several widths and depths, classical networks, and networks behind keys of their own. All are the defender's,
trained on training samples, with companions' seeds (recipes.companion), which no attacker has.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import nn

from kerckhoffs.data import DATASETS
from kerckhoffs.zoo import networks
from kerckhoffs.zoo.train.recipes import Recipe, companion


@dataclass(frozen=True)
class Member:
    """A network of the pool.

    Args:
        network: a name of zoo.NETWORKS, or the widths of an MLP's hidden layers.
        defence: "classical", or "keyed" behind a key of its own.
        epochs: passes over the training samples.
        augmented: whether its images are turned, shifted and scaled a little, as those of the shipped networks are.
    """

    network: str | tuple[int, ...]
    defence: str = "classical"
    epochs: int = 2
    augmented: bool = False

    def build(self, dataset: str) -> nn.Sequential:
        """The untrained network."""
        if isinstance(self.network, str):
            return networks.build(self.network, dataset)
        return networks.mlp(DATASETS[dataset], self.network)


POOL: tuple[Member, ...] = (
    *(Member(widths) for widths in ((128,), (512,), (1024,), (256, 256), (512, 512), (256,) * 3)),
    Member("table1", epochs=4, augmented=True),
    Member("table1", epochs=4, augmented=True),
    Member("table2", augmented=True),
    Member("half", epochs=3, augmented=True),
    Member("half", epochs=3, augmented=True),
    Member("table1", "keyed", 3),
    *(Member("half", "keyed", 3) for _ in range(4)),
)

AUGMENTED = {"rotate": 8.0, "shift": 1.0, "scale": 0.05}


def recipes(recipe: Recipe) -> tuple[Recipe, ...]:
    """How each of POOL is trained for a network that is trained by `recipe`: plainly, and quickly."""
    plain = Recipe(batch_size=recipe.batch_size, average=0.99, learning_rate=recipe.learning_rate)
    return tuple(
        replace(
            plain,
            epochs=member.epochs,
            seed=companion(recipe.seed, number),
            **(AUGMENTED if member.augmented else {}),  # type: ignore[arg-type]
        )
        for number, member in enumerate(POOL)
    )


def make(recipe: Recipe, fit: Callable[[Member, Recipe], nn.Module]) -> list[nn.Module]:
    """All of POOL, each fitted by `fit`."""
    return [fit(member, how) for member, how in zip(POOL, recipes(recipe), strict=True)]
