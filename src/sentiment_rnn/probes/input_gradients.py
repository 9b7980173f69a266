"""Gradient of the loss at each token."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def gradient_by_step_back(classifier: Any, batch: Any) -> np.ndarray:
    """Median over reviews of ‖∂L/∂x_t‖, x_t being the embedded token t, by steps back from the review's end.

    Every path from a token to the loss goes through its embedding, so this is what training can learn from it,
    whatever the encoder. Computed in float32 without dropout; values below 1e-38 read as 0 where denormals are
    flushed.

    Args:
        classifier: a `SentimentClassifier`.
        batch: a `Batch` of B reviews, on the classifier's device.

    Returns:
        float [D]: element k is k tokens from the end; D is a length that at least half of the reviews have.
    """
    was_training = classifier.training
    classifier.eval()
    # cuDNN computes no gradient of a recurrent net in evaluation mode.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        embedded = classifier.backbone.embedding(batch.tokens).detach().requires_grad_()
        logits = classifier.classify(embedded, batch.lengths)
        # The sum, not the mean: each review's gradient is its own, whatever else is in the batch.
        loss = binary_cross_entropy_with_logits(logits, batch.labels, reduction="sum")
        # In float64: the square of a float32 below 1e-19 would be flushed to 0.
        norms = torch.autograd.grad(loss, embedded)[0].double().norm(dim=2).cpu()
    classifier.train(was_training)
    return median_by_step_back(norms, batch.lengths.cpu())


def median_by_step_back(norms: Tensor, lengths: Tensor) -> np.ndarray:
    """Median over reviews of `norms [B, T]` by steps back from each review's end.

    Returns:
        float64 [D]: element k is k tokens from the end; D is a length that at least half of the reviews have. NaN where
        all of them are.
    """
    reach = int(np.median(lengths))
    places = lengths[:, None] - 1 - torch.arange(reach)  # of the token so many steps from the end
    by_step_back = norms.gather(1, places.clamp(min=0)).masked_fill(places < 0, torch.nan).double().numpy()
    medians, known = np.full(reach, np.nan), ~np.isnan(by_step_back).all(0)
    medians[known] = np.nanmedian(by_step_back[:, known], axis=0)
    return medians
