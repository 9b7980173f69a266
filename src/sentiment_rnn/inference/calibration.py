"""Temperature scaling: the temperature that validation chooses, and how well the probabilities then fit."""

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torchmetrics.functional.classification import binary_calibration_error

LIMITS = (0.2, 20.0)
"""Between which a temperature is sought."""


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """T > 0 for which `sigmoid(logits / T)` has the least cross-entropy (Guo et al. 2017, section 4.2); 1 where every
    logit is on the right side, since there any smaller T would seem better still.

    Args:
        logits: float [N].
        labels: int [N], 1 positive.
    """
    signed = np.where(labels == 1, logits, -logits).astype(np.float64)
    if signed.min() > 0:
        return 1.0

    def cross_entropy(logarithm: float) -> float:
        return float(np.logaddexp(0, -signed / np.exp(logarithm)).mean())

    return float(np.exp(minimize_scalar(cross_entropy, bounds=np.log(LIMITS), method="bounded").x))


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Mean difference between the probability of a positive text and the share that is positive, over bins of that
    probability (Naeini et al. 2015)."""
    given = torch.from_numpy(np.asarray(probabilities, dtype=np.float64))  # a sum of millions loses digits in float32
    return float(binary_calibration_error(given, torch.from_numpy(labels.astype(np.int64)), n_bins=bins))


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-likelihood, in nats; a probability of 0 counts as 1e-7."""
    right = np.where(labels == 1, probabilities, 1 - probabilities.astype(np.float64))
    return float(-np.log(np.clip(right, 1e-7, 1)).mean())
