"""The files of a run: written as a whole or not at all, for their owner alone; one process at a time writes."""

import io
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock

from kerckhoffs import places
from kerckhoffs.checks import FileRefused
from kerckhoffs.evaluation.examples import Samples


def lock(path: Path) -> FileLock:
    """A lock file, for its owner alone where there are modes."""
    return FileLock(path, mode=0o600) if hasattr(os, "fchmod") else FileLock(path)


def write_atomically(path: Path, data: bytes, *, private: bool = True) -> None:
    """Write a file so that it is there as a whole, on the disk, or not at all.

    Args:
        private: for its owner alone (mode 0600 on POSIX).

    Raises:
        FileRefused: if the disk refuses.
    """
    try:
        places.write(path, data, private=private)
    except OSError as error:
        raise FileRefused(f"cannot write to {path.parent}: {error.strerror}; what is there is kept") from error


def pack(samples: Samples) -> bytes:
    """Samples as an .npz file."""
    file = io.BytesIO()
    np.savez(file, images=samples.images.numpy(), labels=samples.labels.numpy(), names=np.array(samples.names))
    return file.getvalue()


def unpack(data: bytes) -> Samples:
    """What `pack` made.

    Raises:
        ValueError: if it is not that.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            images, labels = torch.from_numpy(file["images"]), torch.from_numpy(file["labels"])
            return Samples(images, labels, tuple(str(name) for name in file["names"]))
    except (OSError, EOFError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"the samples cannot be read: {error}") from error
