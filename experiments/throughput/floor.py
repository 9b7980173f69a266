"""The floor: what the matrix products of a model alone take, at the peak of this machine."""

import statistics
from collections.abc import Sequence

import torch

import device

GATES = {"lstm": 4, "gru": 3, "rnn": 1, "bag": 0}
"""Matrix products of an encoder at each step, of the size of a state."""


def operations(encoder: str, E: int = 100, H: int = 256, layers: int = 1, directions: int = 1) -> int:
    """Floating-point operations of a token's matrix products: forward, and twice that backward."""
    widths = [E] + [directions * H] * (layers - 1)
    return sum(directions * GATES[encoder] * product(width + H, H) for width in widths)


def product(inputs: int, outputs: int) -> int:
    """Floating-point operations of a vector's product with a matrix: forward, and twice that backward."""
    return 3 * 2 * inputs * outputs


def peak(dtype: torch.dtype, sizes: Sequence[int]) -> float:
    """Operations a second of the fastest square matrix product of these sizes here."""
    best = 0.0
    for n in sizes:
        left, right = torch.randn(2, n, n, device=device.place()).to(dtype)
        times = []
        for _ in range(12):
            started = device.now()
            left @ right
            times.append(device.now() - started)
        best = max(best, 2 * n**3 / statistics.median(times[2:]))
    return best
