"""Probabilities at a temperature."""

import numpy as np
import torch


def calibrate(logits: torch.Tensor, temperature: float) -> np.ndarray:
    """float32 [N], probabilities of float32 logits `[N]` at a temperature: the one place where they are computed."""
    # In float64: in float32 the last digit depends on where in a batch a number stands.
    return (logits.double() / temperature).sigmoid().float().numpy()
