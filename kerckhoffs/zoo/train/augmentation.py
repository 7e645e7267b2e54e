"""Each training image turned, scaled, shifted or mirrored a little, as a recipe says, before the defence sees it."""

from math import pi

import torch
from torch import Tensor
from torch.nn import functional as F

from kerckhoffs.zoo.networks import FLOAT32
from kerckhoffs.zoo.train.recipes import Recipe


def augment(images: Tensor, recipe: Recipe) -> Tensor:
    """Randomly rotate, scale, shift and mirror each image (N, C, H, W), as the recipe says.

    Drawn from torch's global generator, which `fit` forks and seeds.
    """
    count, _, height, width = images.shape
    if recipe.flip:
        mirrored = torch.rand(count, **FLOAT32) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    if not (recipe.rotate or recipe.scale or recipe.shift):
        return images

    def between(limit: float) -> Tensor:
        return (torch.rand(count, **FLOAT32) * 2 - 1) * limit

    angle = between(recipe.rotate) * (pi / 180)
    size = 1 + between(recipe.scale)
    matrix = torch.empty(count, 2, 3, **FLOAT32)
    matrix[:, 0, 0] = matrix[:, 1, 1] = torch.cos(angle) * size
    matrix[:, 0, 1] = -torch.sin(angle) * size
    matrix[:, 1, 0] = torch.sin(angle) * size
    matrix[:, 0, 2] = between(2 * recipe.shift / width)  # affine_grid's unit is half a side
    matrix[:, 1, 2] = between(2 * recipe.shift / height)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)
