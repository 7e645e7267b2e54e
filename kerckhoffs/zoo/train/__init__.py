"""Fit a classifier: recipes, the loop, and a way of training a file or a class."""

from kerckhoffs.zoo.train.adding import add
from kerckhoffs.zoo.train.augmentation import augment
from kerckhoffs.zoo.train.checkpoints import Checkpoint
from kerckhoffs.zoo.train.judging import bfloat16_is_fast, error_rate
from kerckhoffs.zoo.train.loop import Fitted, Progress, fit
from kerckhoffs.zoo.train.order import Curve, Order, Wish, begun, run
from kerckhoffs.zoo.train.pool import POOL
from kerckhoffs.zoo.train.recipes import (
    ATTACKERS_FROM,
    COMPANIONS,
    QUICK,
    RECIPES,
    Recipe,
    companion,
    quick,
    recipe_for,
)
from kerckhoffs.zoo.train.recipes import check as check_recipe

__all__ = [
    "ATTACKERS_FROM",
    "COMPANIONS",
    "POOL",
    "QUICK",
    "RECIPES",
    "Checkpoint",
    "Curve",
    "Fitted",
    "Order",
    "Progress",
    "Recipe",
    "Wish",
    "add",
    "augment",
    "begun",
    "bfloat16_is_fast",
    "check_recipe",
    "companion",
    "error_rate",
    "fit",
    "quick",
    "recipe_for",
    "run",
]
