"""What a measurement depends on besides the code: the machine that it was made on."""

import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch


def machine() -> dict[str, Any]:
    """What seconds depend on: the processor's name, the threads that torch uses, the version of torch."""
    processor = platform.processor()
    with suppress(OSError):
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        processor = names[0].split(":", 1)[1].strip() if names else processor
    return {
        "cpu": processor or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
    }
