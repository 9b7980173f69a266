"""What must be set before torch loads. The package itself calls it, so it comes first in every command and worker."""

import logging
import os
import sys
from pathlib import Path

SPINS = {"GOMP_SPINCOUNT": "1000"}
"""GNU OpenMP reads it once, when torch loads. Without it, a waiting thread spins and occupies the core that a preempted
thread needs (experiments/throughput, "Beside a busy neighbor")."""
OTHERS = ("OMP_WAIT_POLICY",)
"""Other variables that set how threads wait."""
GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Device files of NVIDIA's driver, of AMD's, and of either under Windows' Linux."""


def prepare() -> None:
    """Set up waiting threads, unless the user has; keep triton out where there is no GPU."""
    if not {*SPINS, *OTHERS} & set(os.environ):
        os.environ.update(SPINS)
    # Lightning imports triton, which comes with the CUDA wheel of torch and is used on GPUs alone. It takes part of a
    # second to load, and that of torch 2.15 reports leaks on the terminal when Python exits.
    if not any(Path(device).exists() for device in GPU_DEVICES):
        sys.modules.setdefault("triton", None)  # type: ignore[arg-type]  # an import of it now fails as if it were absent
        logging.getLogger("torch.utils.flop_counter").setLevel(logging.ERROR)  # which warns of that, and is not used
