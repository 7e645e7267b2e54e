"""MNIST and Fashion-MNIST as the paper splits them.

The first 1000 test samples of both sets, on which the paper reports every figure, travel with the package
(samples/, with credit and licence) and need no network. The full sets come through torchvision
from the folder KERCKHOFFS_DATA, else from the user's cache folder, and are downloaded if they are not there.

Paper, section 4.1: 55 000 images for training and 5 000 for validation from the training set. It does not
say which 5 000; these are the first, as in the code of Carlini and Wagner that the paper builds on.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kerckhoffs import places
from kerckhoffs.checks import FileRefused, check_choice
from kerckhoffs.data.torchvision_import import torchvision

SAMPLES = Path(__file__).parent / "samples"
TEST_SAMPLES = 1000
VALIDATION_SAMPLES = 5000


@dataclass(frozen=True)
class Dataset:
    """A set of labelled images.

    Args:
        shape: (C, H, W) of its images.
        torchvision_class: the class of torchvision.datasets that reads the full set.
        credit: whose it is, and its licence.
        style: how a picture from outside is prepared for it, a key of images.STYLES.
        sizes: how many samples each of SPLITS has. The validation samples are the first of the training set.
    """

    id: str
    name: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    torchvision_class: str
    credit: str
    style: str
    sizes: Mapping[str, int]


SIZES: dict[str, int] = {"test": TEST_SAMPLES, "test-full": 10_000, "train": 55_000, "validation": VALIDATION_SAMPLES}
"""How many samples each split of the paper's sets has."""

DATASETS: dict[str, Dataset] = {
    "mnist": Dataset(
        "mnist",
        "MNIST",
        tuple("0123456789"),
        (1, 28, 28),
        "MNIST",
        "Y. LeCun, C. Cortes and C. Burges, CC BY-SA 3.0",
        style="digit",
        sizes=SIZES,
    ),
    "fashion-mnist": Dataset(
        "fashion-mnist",
        "Fashion-MNIST",
        ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        (1, 28, 28),
        "FashionMNIST",
        "Zalando SE, MIT",
        style="whole",
        sizes=SIZES,
    ),
}

SPLITS: dict[str, str] = {
    "test": "the first 1000 test samples, as in the paper; bundled",
    "test-full": "all 10 000 test samples",
    "train": "55 000 training samples",
    "validation": "5 000 samples held out from the training set",
}


def load(dataset: str, split: str = "test", indices: Sequence[int] | Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Load images and labels.

    Args:
        dataset: a key of DATASETS.
        split: a key of SPLITS.
        indices: which samples of the split, in this order; all of them by default.

    Returns:
        Images, float32 (N, C, H, W) in [0, 1], and labels, int64 (N,). Both are the caller's own copies.

    Raises:
        ValueError: on an unknown set or split, or an index outside the split.
        FileRefused: when the full set is needed and neither found nor downloadable.
    """
    check_choice(dataset, DATASETS, "dataset")
    check_choice(split, SPLITS, "split")
    pixels, labels = _bundled(dataset) if split == "test" else _full(dataset, train=split != "test-full")
    held_out = DATASETS[dataset].sizes["validation"]
    if split == "train":
        pixels, labels = pixels[held_out:], labels[held_out:]
    elif split == "validation":
        pixels, labels = pixels[:held_out], labels[:held_out]
    if indices is not None:
        chosen = _positions(indices)
        outside = chosen[(chosen < 0) | (chosen >= len(labels))]
        if len(outside):
            raise ValueError(
                f"index {int(outside[0])} is outside the split {split!r} of {dataset}, which has {len(labels)} samples"
            )
        pixels, labels = pixels[chosen], labels[chosen]
    return _channels_first(pixels).to(torch.float32) / 255, labels.clone()


def _channels_first(pixels: Tensor) -> Tensor:
    """Pixels as files have them, (N, H, W) or (N, H, W, C), as (N, C, H, W)."""
    return pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2).contiguous()


def _positions(indices: Sequence[int] | Tensor) -> Tensor:
    """Indices as int64 (N,); masks and fractions are refused, because they would quietly pick other samples."""
    try:
        chosen = torch.as_tensor(indices, device="cpu").reshape(-1)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"indices must be whole numbers, but are {indices!r}") from error
    if len(chosen) and (chosen.dtype == torch.bool or chosen.is_floating_point() or chosen.is_complex()):
        raise ValueError(f"indices must be whole numbers, but are {str(chosen.dtype).removeprefix('torch.')}")
    return chosen.to(torch.int64)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def data_folder() -> Path:
    """The folder of the full sets: KERCKHOFFS_DATA, else a folder in the user's cache."""
    return Path(os.environ.get("KERCKHOFFS_DATA") or places.cache() / "data")


def write_samples(dataset: str) -> None:
    """Make the bundled file anew from the full set."""
    pixels, labels = _full(dataset, train=False)
    np.savez_compressed(
        SAMPLES / f"{dataset}.npz",
        images=pixels[:TEST_SAMPLES].numpy(),
        labels=labels[:TEST_SAMPLES].numpy().astype(np.uint8),
    )


@lru_cache(maxsize=len(DATASETS))
def _bundled(dataset: str) -> tuple[Tensor, Tensor]:
    path = SAMPLES / f"{dataset}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return torch.from_numpy(file["images"]), torch.from_numpy(file["labels"].astype(np.int64))
    except Exception as error:  # a damaged file can raise almost anything: zlib's, tokenize's, zipfile's errors
        raise FileRefused(f"cannot read the bundled samples {path}: {_first_line(error)}") from error


@lru_cache(maxsize=2)
def _full(dataset: str, train: bool) -> tuple[Tensor, Tensor]:
    folder = data_folder()
    make = getattr(torchvision("datasets"), DATASETS[dataset].torchvision_class)
    try:
        full = make(str(folder), train=train, download=True)
    except Exception as error:  # torchvision asserts, and lets what its parsers raise through
        reason = _first_line(error)
        raise FileRefused(
            f"the full {DATASETS[dataset].name} set is neither in {folder} nor could it be downloaded ({reason}); "
            "set KERCKHOFFS_DATA to a folder that torchvision can read"
        ) from error
    return torch.as_tensor(full.data, device="cpu"), torch.as_tensor(full.targets, dtype=torch.int64, device="cpu")
