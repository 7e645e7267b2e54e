"""Where an interrupted training goes on: its state after every epoch, in a folder that it has for itself.

Safetensors with a few words among them behind their SHA-256, for their owner alone; nothing is unpickled, and what is
damaged is not used. The folder goes when the training is complete.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from kerckhoffs import places
from kerckhoffs.checks import FileRefused

_WORDS = "words"
_DIGEST = hashlib.sha256().digest_size


class Checkpoint:
    """States by name, "network", "teacher", "pool 3", in one folder.

    Args:
        folder: where; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def write(self, name: str, tensors: Mapping[str, Tensor], words: Mapping[str, Any]) -> None:
        """Keep a state in the place of an earlier one.

        Raises:
            FileRefused: if it cannot be written.
        """
        if self.folder is None:
            return
        whole = {key: value.detach().contiguous().clone() for key, value in tensors.items()}
        text = json.dumps(dict(words)).encode()
        payload = save(whole | {_WORDS: torch.tensor(list(text), dtype=torch.uint8)})
        try:
            places.make_folder(self.folder)
            places.write(self._path(name), hashlib.sha256(payload).digest() + payload)
        except OSError as error:
            raise FileRefused(f"cannot keep the training in {self.folder}: {error.strerror}") from error

    def read(self, name: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """A state that was kept; None if there is none, or if it is damaged."""
        if self.folder is None or not self._path(name).is_file():
            return None
        try:
            content = self._path(name).read_bytes()
        except OSError:
            return None
        digest, payload = content[:_DIGEST], content[_DIGEST:]
        if hashlib.sha256(payload).digest() != digest:
            return None
        tensors = load(payload)
        return tensors, json.loads(bytes(tensors.pop(_WORDS).tolist()))

    def remove(self) -> None:
        """Forget all of it."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{name.replace(' ', '-')}.state"


def adam_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What Adam remembers of each parameter, "3.exp_avg"."""
    states = optimizer.state_dict()["state"]
    return {f"{number}.{name}": value for number, state in states.items() for name, value in state.items()}


def restore_adam(optimizer: torch.optim.Optimizer, state: Mapping[str, Tensor]) -> None:
    """Let Adam remember it again, each value in the layout of its parameter."""
    whole = optimizer.state_dict()
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    found: dict[int, dict[str, Tensor]] = {}
    for key, value in state.items():
        number, name = key.split(".", 1)
        parameter = parameters[int(number)].detach()
        laid = value if value.shape != parameter.shape else torch.empty_like(parameter).copy_(value)
        found.setdefault(int(number), {})[name] = laid
    whole["state"] = found
    optimizer.load_state_dict(whole)


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those under a prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same with a prefix."""
    return {prefix + key: value for key, value in tensors.items()}
