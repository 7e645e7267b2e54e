"""The only way in which this project imports torchvision.

Some package indexes pair a CPU build of torch with a torchvision that was built for CUDA. Importing
torchvision then dies with "operator torchvision::nms does not exist", because its compiled operators
cannot be loaded while its Python files describe them. Nothing here uses those operators, so declaring
the two that are missed is enough. Where the import works, nothing is touched.
"""

import importlib
from typing import Any

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def torchvision(module: str) -> Any:
    """Import `torchvision.<module>` (for example "datasets") and return it."""
    try:
        return importlib.import_module(f"torchvision.{module}")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    for operator in ("torchvision::nms", "torchvision::qnms"):
        torch.library.define(operator, _SCHEMA)
    return importlib.import_module(f"torchvision.{module}")
